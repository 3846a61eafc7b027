"""Weights of torch_brain's CalciumPOYOPlus, under our names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

# Ours and theirs, by part: a prefix there, and what stands under it.
_ATTENTION = {
    "norm_query": "norm",
    "norm_context": "norm_context",
    "query": "to_q",
    "key_value": "to_kv",
    "attended": "to_out",
}
_SELF_ATTENTION = {"norm": "norm", "query_key_value": "to_qkv", "attended": "to_out"}
_FORWARD = {"norm": "0", "widen": "1.net.0", "narrow": "1.net.3"}
_KINDS = ("weight", "bias")


def from_torch_brain(
    state: Mapping[str, torch.Tensor],
    tasks: Sequence[str],
    readouts: Mapping[str, str] | None = None,
) -> dict[str, torch.Tensor]:
    """A state for `PoyoPlus` from one of CalciumPOYOPlus of torch_brain 0.1.2.

    Row i of a table of embeddings becomes row i: the first row of units and of sessions, which
    stands for padding there, is kept. The embeddings of token types, which the model there holds
    and never uses, are left out.

    Args:
        state: theirs; entries that are no tensors (vocabularies) may be left out.
        tasks: ours, in the order of their numbers there, from 1.
        readouts: name there of each task; None: the same.
    """
    parts = {"body.value": "input_value_map"}
    for ours, theirs in (("encoder", "enc"), ("decoder", "dec")):
        parts |= {f"body.{ours}.{a}": f"{theirs}_atn.{b}" for a, b in _ATTENTION.items()}
        parts |= {f"body.{ours}_forward.{a}": f"{theirs}_ffn.{b}" for a, b in _FORWARD.items()}
    depth = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("proc_layers."))
    for i in range(depth):
        ours, theirs = f"body.blocks.{i}", f"proc_layers.{i}"
        parts |= {f"{ours}.attention.{a}": f"{theirs}.0.{b}" for a, b in _SELF_ATTENTION.items()}
        parts |= {f"{ours}.feedforward.{a}": f"{theirs}.1.{b}" for a, b in _FORWARD.items()}
    for i, task in enumerate(tasks):
        name = readouts[task] if readouts else task
        parts[f"body.answers.{i}"] = f"readout.projections.{name}"
    found = {
        f"{ours}.{kind}": state[f"{theirs}.{kind}"]
        for ours, theirs in parts.items()
        for kind in _KINDS
        if f"{theirs}.{kind}" in state
    }
    speed = state["rotary_emb.omega"]
    return found | {
        "unit": state["unit_emb.weight"],
        "session": state["session_emb.weight"],
        "body.latent": state["latent_emb.weight"],
        "body.task": state["task_emb.weight"][1 : len(tasks) + 1],
        # There the half that does not turn is listed too, with speed 0.
        "body.rotary.speed": speed[: len(speed) // 2],
    }

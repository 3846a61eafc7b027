"""Our POYO+ on what torch_brain's was given, from the arrays of poyo_plus_of_torch_brain.py."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from glassbox.decoders.hooks import Recorder
from glassbox.decoders.poyo_plus import PADDING, PoyoPlus, Tokens
from glassbox.decoders.poyo_plus_options import PoyoPlusOptions
from glassbox.decoders.poyo_plus_weights import from_torch_brain

WIDTHS = {"direction": 8, "temporal_frequency": 5, "running_speed": 1}
TOLERANCE = 1e-5  # of the largest number that passes a place
Arrays = Mapping[str, Mapping[str, torch.Tensor]]


def arrays_of(path: Path) -> dict[str, dict[str, torch.Tensor]]:
    """By group (weights, inputs, hooks, outputs) and name."""
    groups: dict[str, dict[str, torch.Tensor]] = {}
    with np.load(path) as arrays:
        for key in arrays:
            group, name = key.split("/", 1)
            groups.setdefault(group, {})[name] = torch.from_numpy(arrays[key])
    return groups


def model_of(arrays: Arrays, options: PoyoPlusOptions) -> PoyoPlus:
    """Our model with their weights; every weight of ours must have one of theirs."""
    weights = arrays["weights"]
    counts = len(weights["unit_emb.weight"]), len(weights["session_emb.weight"])
    model = PoyoPlus(options, *counts, WIDTHS)
    model.load_state_dict(from_torch_brain(weights, tuple(WIDTHS)))
    return model.requires_grad_(False)


def tokens_of(arrays: Arrays) -> Tokens:
    given = arrays["inputs"]
    return Tokens(
        value=given["input_values"][..., 0],
        unit=given["input_unit_index"],
        time=given["input_timestamps"],
        mask=given["input_mask"],
        latent=given["latent_index"],
        latent_time=given["latent_timestamps"],
        session=given["output_session_index"],
        task=given["output_decoder_index"] - 1 + (PADDING + 1),
        query_time=given["output_timestamps"],
    )


def differences(arrays: Arrays, model: PoyoPlus) -> dict[str, float]:
    """Largest difference at each hook point and output, over the largest number there."""
    recorder = Recorder(model.body.hooks)
    tokens = tokens_of(arrays)
    answers = model(tokens, tap=recorder)
    asked = tokens.task != PADDING
    far = {}
    for name, theirs in {**arrays["hooks"], **arrays["outputs"]}.items():
        ours = answers[name] if name in answers else recorder.seen[name]
        if name.startswith("queries"):  # padding asks nothing, whatever stands there
            ours, theirs = ours[asked], theirs[asked]
        assert ours.shape == theirs.shape, name
        far[name] = float((ours - theirs).abs().max() / theirs.abs().max().clamp_min(1))
    return far

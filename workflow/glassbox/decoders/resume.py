"""A decoder up to a hook point, and from there on.

Where a hook point is what an attention or a block's linear layers add, what goes on is a sum: the
value there and what it is added to, which is kept beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch

from glassbox.decoders.hooks import Recorder

if TYPE_CHECKING:
    from glassbox.decoders.model import Decoder


class Passed(NamedTuple):
    """What passed a hook point, trial by trial.

    Attributes:
        value: what a dictionary reads and writes, (trials, positions, dim): positions are latents,
            or at the queries tasks.
        beside: what the value is added to, the same shape; None where it needs no trial.
    """

    value: torch.Tensor
    beside: torch.Tensor | None = None


def passed(
    model: Decoder,
    hook: str,
    tasks: Sequence[str],
    session: str,
    stimulus: str,
    windows: torch.Tensor,
    keep: torch.Tensor | None = None,
) -> Passed:
    """Run trials of a session up to a hook point.

    Args:
        model: the decoder, without dropout.
        hook: one of its `hooks`.
        tasks: those that are asked.
        session, stimulus, windows, keep: as `encode` takes them.
    """
    block, _, part = hook.partition(".")
    entering = ""
    if block.startswith("block") and part:
        place = int(block.removeprefix("block"))
        entering = f"block{place - 1}" if place else "encoder"
    seen = Recorder({hook, entering, f"{block}.attention"})
    latents = model.encode(session, stimulus, windows, keep, tap=seen)
    if block == "queries":
        model.readout(latents, tasks, sessions=[session] * len(latents), tap=seen)
    beside = seen.seen.get(entering)
    if part == "mlp":
        beside = beside + seen.seen[f"{block}.attention"]
    return Passed(seen.seen[hook], beside)


def answers_from(
    model: Decoder,
    hook: str,
    value: torch.Tensor,
    tasks: Sequence[str],
    sessions: Sequence[str] | None = None,
    beside: torch.Tensor | None = None,
) -> dict[str, torch.Tensor]:
    """Answers by task from what passes a hook point.

    Args:
        model: the decoder, without dropout.
        hook: one of its `hooks`.
        value: there, (trials, positions, dim).
        tasks: those that are asked.
        sessions: of each trial, (trials,); only POYO+ asks for them.
        beside: as `passed` gave it.
    """
    block, _, part = hook.partition(".")
    if block == "queries":
        queries = model.behind_queries(value, tasks, sessions) if part else value
        return model.answered(queries, tasks)
    if block == "latents":
        latents = value
    elif block == "encoder":
        latents = model.processed(model.behind_encoder(value) if part else value, 0)
    else:
        place = int(block.removeprefix("block"))
        if part == "attention":
            value = model.blocks[place].after(beside, value)
        elif part == "mlp":
            value = beside + value
        latents = model.processed(value, place + 1)
    return model.readout(latents, tasks, sessions=sessions)

"""The part of a decoder after any of its hook points, for many versions at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from glassbox.decoders.model import Decoder
from glassbox.decoders.resume import answers_from


class HookSuffix:
    """Logits from any hook point: every version is a trial of its own, and the pass goes on.

    For `latents` there are faster ones, `Suffix` and `PoyoPlusSuffix`.

    Args:
        model: the decoder.
        tasks: those of its tasks, of classes, that are wanted.
        hook: one of `model.hooks`.
    """

    def __init__(self, model: Decoder, tasks: Sequence[str], hook: str):
        self.tasks, self.hook = tuple(tasks), hook
        self._model = model

    @torch.no_grad()
    def __call__(
        self,
        latents: torch.Tensor,
        sessions: np.ndarray | Sequence[str] | None = None,
        beside: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """Logits by task, (trials, sets, classes).

        Args:
            latents: versions of what passes the hook, (trials, positions, sets, dim).
            sessions: of each trial, (trials,).
            beside: what they are added to, (trials, positions, dim), where they are added.
        """
        trials, positions, sets, dim = latents.shape
        versions = latents.transpose(1, 2).reshape(trials * sets, positions, dim)
        if sessions is not None:
            sessions = np.repeat(np.asarray(sessions), sets)
        if beside is not None:
            beside = beside.repeat_interleave(sets, dim=0)
        said = answers_from(self._model, self.hook, versions, self.tasks, sessions, beside)
        return {task: logits.unflatten(0, (trials, sets)) for task, logits in said.items()}

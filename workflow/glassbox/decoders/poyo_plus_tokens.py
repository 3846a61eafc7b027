"""What POYO+ reads: a token for each cell and sample, latents on a grid of time, queries."""

from __future__ import annotations

from dataclasses import dataclass

import torch

PADDING = -1  # task of a query that only fills up a row


@dataclass(frozen=True)
class Tokens:
    """Trials as POYO+ reads them, rows filled up to a common length. Times are in seconds.

    Attributes:
        value: dF/F, (trials, tokens).
        unit: row of each token in the table of units, (trials, tokens), i8.
        time: of each token, from the beginning of the context, (trials, tokens).
        mask: which tokens there are, (trials, tokens) bool; None: all.
        latent: which latent of a step, (trials, latents), i8.
        latent_time: (trials, latents).
        session: row of each query in the table of sessions, (trials, queries), i8.
        task: what is asked, (trials, queries), i8, `PADDING` where nothing is.
        query_time: the time that is asked about, (trials, queries).
    """

    value: torch.Tensor
    unit: torch.Tensor
    time: torch.Tensor
    mask: torch.Tensor | None
    latent: torch.Tensor
    latent_time: torch.Tensor
    session: torch.Tensor
    task: torch.Tensor
    query_time: torch.Tensor


def latent_grid(length_s: float, step_s: float, per_step: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Which latent of a step, (latents,) i8, and its time, (latents,) s, the middle of its step.

    The same latents stand at every step of the context.
    """
    step = torch.arange(0, length_s, step_s, dtype=torch.float64) + step_s / 2
    which = torch.arange(per_step).repeat(len(step))
    return which, step.repeat_interleave(per_step).float()


def sample_times(n_samples: int, samples_per_s: float) -> torch.Tensor:
    """Middle of each sample of a context, (samples,) s."""
    return (torch.arange(n_samples) + 0.5) / samples_per_s


def first_samples(
    n_window: int, n_context: int, asked: float, uniform: torch.Tensor | None, trials: int
) -> torch.Tensor:
    """First sample of each trial's context in its window, (trials,) i8.

    The context holds the time that is asked about: it lies in the middle of the context, as nearly
    as the window allows, or anywhere in it where `uniform` is given.

    Args:
        n_window, n_context: samples of the window that was read, and of the context.
        asked: the time that is asked about, in samples from the beginning of the window.
        uniform: random numbers from 0 to below 1, (trials,).
    """
    last = n_window - n_context
    if uniform is None:
        middle = min(max(round(asked - n_context / 2), 0), last)
        return torch.full((trials,), middle)
    lowest = max(int(-(-(asked - n_context) // 1)), 0)
    highest = min(int(asked // 1), last)
    places = highest - lowest + 1
    return lowest + (uniform * places).long().clamp_max(places - 1)

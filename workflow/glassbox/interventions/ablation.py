"""Taking sets of units away from the latents of many trials.

    spliced             x' = decode(z')
    error_preserving    x' = x + W_dec (z' − z)

z is the code of the clean pass; TopK is not run again, or other units would fill the place. A
unit is taken away at all latents. `zero` sets it to 0, `mean` to its mean in each latent over the
selection trials.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from glassbox.dictionaries.dictionary import Dictionary
from glassbox.interventions.suffixes import AnySuffix

INTERVENTIONS = ("spliced", "error_preserving")
ABLATIONS = ("zero", "mean")
ROWS_AT_ONCE = 8192  # versions of one latent held at once: a few megabytes, which caches hold


@dataclass(frozen=True)
class CleanPass:
    """What the clean pass left at the hook, for some trials.

    Attributes:
        latents: (trials, latents, dim).
        values, units: the sparse code, (trials, latents, k), padded with zeros.
        dictionary: of these latents.
        mean: mean activation of each unit in each latent on selection trials, (latents, width).
        sessions: of each trial, (trials,) of texts; None where the decoder needs none.
    """

    latents: torch.Tensor
    values: torch.Tensor
    units: torch.Tensor
    dictionary: Dictionary
    mean: torch.Tensor
    sessions: np.ndarray | None = None

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        dictionary: Dictionary,
        latents: torch.Tensor,
        mean: torch.Tensor,
        sessions: np.ndarray | None = None,
    ) -> CleanPass:
        """Encode the latents, (trials, latents, dim)."""
        code = dictionary.code(latents.reshape(-1, dictionary.dim))
        shape = (*latents.shape[:2], code.units.shape[-1])
        values, units = code.values.view(shape), code.units.view(shape)
        return cls(latents, values, units, dictionary, mean, sessions)

    @torch.no_grad()
    def reconstruction(self) -> torch.Tensor:
        """decode(z), (trials, latents, dim)."""
        return self.dictionary(self.latents)

    def take(self, trials: slice) -> CleanPass:
        """The same for some of the trials."""
        return CleanPass(
            self.latents[trials],
            self.values[trials],
            self.units[trials],
            self.dictionary,
            self.mean,
            None if self.sessions is None else self.sessions[trials],
        )


def as_mask(sets: np.ndarray, width: int) -> torch.Tensor:
    """Sets of units, (sets, size), as (width, sets) float: 1 where a unit is in a set."""
    mask = torch.zeros(width, len(sets))
    if sets.size:
        mask.scatter_(0, torch.from_numpy(np.ascontiguousarray(sets.T)).long(), 1.0)
    return mask


@torch.no_grad()
def ablated(
    clean: CleanPass,
    base: torch.Tensor,
    mask: torch.Tensor,
    ablation: str,
    strength: float = 1.0,
) -> torch.Tensor:
    """The latents with each set of units taken away, (trials, latents, sets, dim).

    Args:
        clean: the clean pass.
        base: what `W_dec (z' − z)` is added to, (trials, latents, dim): the latents for
            `error_preserving`, the reconstruction for `spliced`.
        mask: (width, sets) as `as_mask` makes it.
        ablation: `zero` or `mean`.
        strength: share of the way from z to its replacement.
    """
    rows = clean.dictionary.W_dec
    trials, latents, k = clean.units.shape
    units = clean.units.reshape(-1, k)
    loss = mask[units] * clean.values.reshape(-1, k, 1)  # (trials · latents, k, sets)
    change = torch.bmm(loss.transpose(1, 2), rows[units]).mul_(-strength)
    change = change.view(trials, latents, mask.shape[1], -1)
    if ablation == "mean":
        put_back = torch.einsum("ws,lw,wd->lsd", mask, clean.mean, rows)
        change += strength * put_back
    elif ablation != "zero":
        raise ValueError(f"no such ablation: {ablation}")
    return change.add_(base.unsqueeze(2))


@torch.no_grad()
def logits_of_sets(
    clean: CleanPass,
    suffix: AnySuffix,
    sets: np.ndarray,
    intervention: str,
    ablation: str,
    strength: float = 1.0,
) -> Iterator[tuple[slice, slice, dict[str, torch.Tensor]]]:
    """Logits after each set is taken away, in blocks of trials and sets.

    Yields:
        (trials, sets, logits by task, each (trials, sets, classes)).
    """
    base = clean.latents if intervention == "error_preserving" else clean.reconstruction()
    n_trials, n_latents = clean.units.shape[:2]
    n_sets = len(sets)
    sets_at_once = min(n_sets, 64)
    trials_at_once = max(1, ROWS_AT_ONCE // (n_latents * max(sets_at_once, 1)))
    for first_set in range(0, n_sets, max(sets_at_once, 1)):
        of_sets = slice(first_set, min(first_set + sets_at_once, n_sets))
        mask = as_mask(sets[of_sets], clean.dictionary.width)
        for first in range(0, n_trials, trials_at_once):
            trials = slice(first, min(first + trials_at_once, n_trials))
            some = clean.take(trials)
            latents = ablated(some, base[trials], mask, ablation, strength)
            yield trials, of_sets, suffix(latents, some.sessions)

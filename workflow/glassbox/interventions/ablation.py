"""Taking sets of units away from the latents of many trials.

    spliced             x' = decode(z')
    error_preserving    x' = x + W_dec (z' − z)

z is the code of the clean pass; TopK is not run again, or other units would fill the place. A
unit is taken away at all latents. `zero` sets it to 0, `mean` to its mean in each latent over the
selection trials, `resample` to what it is in another trial. `keep_zero` and `keep_mean` do that to
all units but those of the set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from glassbox.dictionaries.dictionary import Dictionary
from glassbox.interventions.read_space import SetReader
from glassbox.interventions.suffix import Suffix
from glassbox.interventions.suffixes import AnySuffix

INTERVENTIONS = ("spliced", "error_preserving")
ABLATIONS = ("zero", "mean")
RESAMPLE = "resample"
KEEPING = ("keep_zero", "keep_mean")
KEEP = "keep_"
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
        donor_values, donor_units: the code of the trial that each is resampled from, like `values`
            and `units`; None where there is none.
        beside: what the latents are added to, (trials, latents, dim), where they are added.
    """

    latents: torch.Tensor
    values: torch.Tensor
    units: torch.Tensor
    dictionary: Dictionary
    mean: torch.Tensor
    sessions: np.ndarray | None = None
    donor_values: torch.Tensor | None = None
    donor_units: torch.Tensor | None = None
    beside: torch.Tensor | None = None

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        dictionary: Dictionary,
        latents: torch.Tensor,
        mean: torch.Tensor,
        sessions: np.ndarray | None = None,
        beside: torch.Tensor | None = None,
    ) -> CleanPass:
        """Encode the latents, (trials, latents, dim)."""
        code = dictionary.code(latents.reshape(-1, dictionary.dim))
        shape = (*latents.shape[:2], code.units.shape[-1])
        values, units = code.values.view(shape), code.units.view(shape)
        return cls(latents, values, units, dictionary, mean, sessions, beside=beside)

    @torch.no_grad()
    def reconstruction(self) -> torch.Tensor:
        """decode(z), (trials, latents, dim)."""
        return self.dictionary(self.latents)

    def with_donors(self, donors: CleanPass, places: np.ndarray) -> CleanPass:
        """The same, each trial resampled from the donor at its place, (trials,); from itself
        where that is −1."""
        taken, own = torch.from_numpy(places), torch.from_numpy(places < 0)[:, None, None]
        width = max(self.units.shape[2], donors.units.shape[2])

        def padded(code: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.pad(code, (0, width - code.shape[2]))

        values = torch.where(own, padded(self.values), padded(donors.values)[taken])
        units = torch.where(own, padded(self.units), padded(donors.units)[taken])
        return replace(self, donor_values=values, donor_units=units)

    def removed(self, ablation: str) -> tuple[torch.Tensor, torch.Tensor]:
        """What an ablation takes away: values and units, (trials, latents, entries).

        A resampled unit's new value is taken away with its sign turned.
        """
        if ablation != RESAMPLE:
            return self.values, self.units
        if self.donor_values is None:
            raise ValueError("no donor to resample from")
        return (
            torch.cat([self.values, -self.donor_values], 2),
            torch.cat([self.units, self.donor_units], 2),
        )

    def take(self, trials: slice) -> CleanPass:
        """The same for some of the trials."""
        by_trial = "latents values units sessions donor_values donor_units beside".split()
        arrays = {name: getattr(self, name) for name in by_trial}
        return replace(self, **{n: a if a is None else a[trials] for n, a in arrays.items()})


def as_mask(sets: Sequence[np.ndarray], width: int) -> torch.Tensor:
    """Sets of units of any sizes as (width, sets) float: 1 where a unit is in a set."""
    mask = np.zeros((width, len(sets)), dtype=np.float32)
    if len(sets):
        mask[
            np.concatenate(list(sets)), np.repeat(np.arange(len(sets)), [len(s) for s in sets])
        ] = 1
    return torch.from_numpy(mask)


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
        ablation: `zero`, `mean`, `resample`, `keep_zero` or `keep_mean`.
        strength: share of the way from z to its replacement.
    """
    mask, put_back = _taken(clean, mask, ablation)
    rows = clean.dictionary.W_dec
    values, units = clean.removed(ablation)
    trials, latents, k = units.shape
    units = units.reshape(-1, k)
    loss = mask.index_select(0, units.reshape(-1)).view(len(units), k, -1)
    loss *= values.reshape(-1, k, 1)  # (trials · latents, k, sets)
    change = torch.bmm(loss.transpose(1, 2), rows[units]).mul_(-strength)
    change = change.view(trials, latents, mask.shape[1], -1)
    if put_back is not None:
        change += strength * torch.einsum("ws,lw,wd->lsd", mask, put_back, rows)
    return change.add_(base.unsqueeze(2))


def _taken(
    clean: CleanPass, mask: torch.Tensor, ablation: str
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The units taken away, (width, sets), and what is put in their place, (latents, width)."""
    if ablation not in (*ABLATIONS, RESAMPLE, *KEEPING):
        raise ValueError(f"no such ablation: {ablation}")
    mask = 1 - mask if ablation.startswith(KEEP) else mask
    return mask, clean.mean if ablation.endswith("mean") else None


@torch.no_grad()
def logits_of_sets(
    clean: CleanPass,
    suffix: AnySuffix,
    sets: Sequence[np.ndarray],
    intervention: str,
    ablation: str,
    strength: float = 1.0,
) -> Iterator[tuple[slice, slice, dict[str, torch.Tensor]]]:
    """Logits after each set of units is taken away, in blocks of trials and sets.

    Sets may have any sizes, 0 too. Preparing the trials costs as much as many sets: those of
    several doses are better asked for together.

    Yields:
        (trials, sets, logits by task, each (trials, sets, classes)).
    """
    base = clean.latents if intervention == "error_preserving" else clean.reconstruction()
    n_trials, n_latents = clean.units.shape[:2]
    n_sets = len(sets)
    if isinstance(suffix, Suffix):
        mask, put_back = _taken(clean, as_mask(sets, clean.dictionary.width), ablation)
        if not mask.any():
            said = suffix(base.unsqueeze(2)).items()
            alike = {task: logits.expand(-1, n_sets, -1) for task, logits in said}
            yield slice(0, n_trials), slice(0, n_sets), alike
            return
        reader = SetReader(suffix, clean.dictionary.W_dec)
        yield from reader(base, *clean.removed(ablation), mask, put_back, strength)
        return
    sets_at_once = max(1, min(n_sets, 64))
    trials_at_once = max(1, ROWS_AT_ONCE // (n_latents * sets_at_once))
    for first_set in range(0, n_sets, sets_at_once):
        of_sets = slice(first_set, min(first_set + sets_at_once, n_sets))
        mask = as_mask(sets[of_sets], clean.dictionary.width)
        for first in range(0, n_trials, trials_at_once):
            trials = slice(first, min(first + trials_at_once, n_trials))
            some = clean.take(trials)
            latents = ablated(some, base[trials], mask, ablation, strength)
            yield trials, of_sets, suffix(latents, some.sessions, some.beside)

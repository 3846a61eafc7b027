"""What becomes of a unit when cells are set to their means: its own cells, and random ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.identity_keyed import IdentityKeyedDecoder
from glassbox.dictionaries.dictionary import Dictionary
from glassbox.interventions.controls import matched_sets
from glassbox.statistics import permutation_p

VERSIONS_AT_ONCE = 512  # of a trial
# From sets of cells to the latents of all trials without them, (sets × trials, latents, dim).
Without = Callable[[Sequence[np.ndarray]], torch.Tensor]
Deleter = Callable[[torch.Tensor], Without]  # from raw windows, (trials, cells, samples)


@dataclass(frozen=True)
class Deletion:
    """What the deletion of `n_cells` cells does to one unit.

    Attributes:
        n_cells: deleted.
        activation: of the unit before, mean over the trials.
        drop: how much of it is gone without the unit's cells.
        controls: the same for each random set, (sets,); none where too few sets match.
        p: (1 + sets whose drop is as large) / (1 + sets); NaN without controls.
    """

    n_cells: int
    activation: float
    drop: float
    controls: np.ndarray
    p: float


def variance_of_cells(decoder: FittedDecoder, session: str, windows: np.ndarray) -> np.ndarray:
    """Variance over trials of each cell's mean scaled dF/F in the window, (cells,) f8."""
    with torch.no_grad():
        scaling = decoder.model.scaling(session)
        scaled = scaling.scaled(torch.as_tensor(windows, device=decoder.model.device), None)
    return scaled.mean(2).double().var(0).cpu().numpy()


def deletions(
    deleter: Deleter,
    dictionary: Dictionary,
    windows: np.ndarray,
    unit: int,
    ranked: np.ndarray,
    sizes: Sequence[int],
    variance: np.ndarray,
    n_sets: int,
    rng: np.random.Generator,
) -> list[Deletion]:
    """Delete the first cells of a ranking, and as many random ones of the same summed variance.

    The dictionary encodes what then passes the hook anew. Random sets are distinct, hold none of
    the deleted cells, and match their summed variance within 5%, or there are none.

    Args:
        deleter: of the decoder and the session, as `deleter_of` gives it.
        windows: raw dF/F of trials, (trials, cells, samples).
        ranked: cells of the unit, the most driving first.
        sizes: how many are deleted; sizes beyond half of the cells are left out.
        variance: of each cell, as `variance_of_cells` gives it.
        n_sets: random sets of each size.
        rng: source of the randomness.
    """
    without = deleter(torch.as_tensor(windows))
    at_once = max(VERSIONS_AT_ONCE // len(windows), 1)
    before = _activation(without, dictionary, unit, [np.zeros(0, np.int64)], at_once)[0]
    every = np.ones(len(variance), dtype=bool)
    found = []
    for size in sizes:
        if size > min(len(variance) // 2, len(ranked)):
            continue
        own = ranked[:size]
        # Matched on the variance alone: a density that is the same for all always matches.
        sets = matched_sets(variance, np.ones(len(variance)), own, every, n_sets, rng)
        sets = sets if len(sets) == n_sets else sets[:0]
        after = _activation(without, dictionary, unit, [own, *sets], at_once)
        drop, controls = before - after[0], before - after[1:]
        p = float(permutation_p(drop, controls)) if len(controls) else float("nan")
        found.append(Deletion(size, before, drop, controls, p))
    return found


def _activation(
    without: Without,
    dictionary: Dictionary,
    unit: int,
    sets: Sequence[np.ndarray],
    at_once: int,
) -> np.ndarray:
    """Mean of a unit over trials and latents without each set of cells, (sets,) f8."""
    activation = np.empty(len(sets))
    for first in range(0, len(sets), at_once):
        some = sets[first : first + at_once]
        with torch.no_grad():
            z = dictionary.encode(without(some))[..., unit]
        activation[first : first + at_once] = z.double().view(len(some), -1).mean(1).numpy()
    return activation


def deleter_of(decoder: FittedDecoder, session: str) -> Deleter:
    """How cells of a session are taken from windows of it."""
    if not isinstance(decoder.model, IdentityKeyedDecoder):
        return partial(_of_versions, decoder, session)
    return partial(_of_parts, decoder, session, decoder.receptive_fields(session, decoder.stimulus))


@torch.no_grad()
def _of_parts(
    decoder: FittedDecoder, session: str, fields: torch.Tensor, windows: torch.Tensor
) -> Without:
    """What each cell adds to the latents is known from their receptive fields: it is taken away."""
    model, windows = decoder.model, windows.to(decoder.model.device)
    scaled = model.scaling(session).scaled(windows, None)
    parts = torch.einsum("csld,tcs->ctld", fields, scaled)
    whole = model.entering(session, decoder.stimulus, windows)

    def without(sets: Sequence[np.ndarray]) -> torch.Tensor:
        gone = parts.new_zeros(len(sets), len(parts))
        for row, cells in zip(gone, sets, strict=True):
            row[torch.as_tensor(cells, device=row.device)] = 1
        left = whole - (gone @ parts.flatten(1)).view(-1, *whole.shape)
        return model.process(left.flatten(0, 1)).cpu()

    return without


def _of_versions(decoder: FittedDecoder, session: str, windows: torch.Tensor) -> Without:
    """The whole decoder sees each trial with the cells of each set at their means."""
    mean = decoder.model.scaling(session).mean.cpu()

    def without(sets: Sequence[np.ndarray]) -> torch.Tensor:
        versions = windows.repeat(len(sets), 1, 1, 1)
        for version, cells in zip(versions, sets, strict=True):
            places = torch.as_tensor(cells)
            version[:, places] = mean[places]
        return decoder.latents(session, versions.flatten(0, 1)).cpu()

    return without

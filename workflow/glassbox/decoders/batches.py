"""Which trials and which cells make each batch of an epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from glassbox.decoders.randomness import numpy_generator


@dataclass(frozen=True)
class Batch:
    """Trials of one trial set, and the cells that unit dropout keeps.

    Attributes:
        key: session and stimulus.
        trials: places of the trials, (batch,), i8.
        keep: indices of the cells that are kept, sorted, (kept,), i8.
    """

    key: tuple[str, str]
    trials: np.ndarray
    keep: np.ndarray


def batches_of_epoch(
    trials: Mapping[tuple[str, str], np.ndarray],
    cells: Mapping[tuple[str, str], int],
    size: int,
    min_cells: int,
    seed: tuple[object, ...],
) -> list[Batch]:
    """The batches of one epoch: every trial once, all trial sets in turn.

    The epoch runs in rounds; in each round every trial set that has trials left gives one batch, in
    random order. Each batch keeps a random number of cells from `min_cells` (or all, where there
    are fewer) to all, and random ones.

    Args:
        trials: training trials of each trial set, (n,), i8.
        cells: number of cells of each trial set.
        size: trials in a batch, the last of a trial set may have fewer.
        min_cells: least number of cells kept.
        seed: what the draws depend on; the same seed gives the same batches.
    """
    rng = numpy_generator("batches", *seed)
    order = {key: rng.permutation(places) for key, places in trials.items()}
    names = list(trials)
    rounds = max(-(-len(places) // size) for places in order.values())
    batches = []
    for turn in range(rounds):
        for i in rng.permutation(len(names)):
            chosen = order[names[i]][turn * size : (turn + 1) * size]
            if len(chosen):
                keep = kept_cells(cells[names[i]], min_cells, rng)
                batches.append(Batch(names[i], chosen, keep))
    return batches


def kept_cells(n_cells: int, min_cells: int, rng: np.random.Generator) -> np.ndarray:
    """Indices of the cells that unit dropout keeps, sorted, at least one."""
    least = min(max(min_cells, 1), n_cells)
    return np.sort(rng.permutation(n_cells)[: rng.integers(least, n_cells + 1)])

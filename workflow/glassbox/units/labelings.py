"""All the ways to hand out the Cre lines over the mice, and those that say nothing of the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import comb

import numpy as np


def count_labelings(labels: np.ndarray) -> int:
    """Number of distinct ways to hand out the labels over the mice."""
    total, left = 1, len(labels)
    for size in Counter(labels.tolist()).values():
        total *= comb(left, size)
        left -= size
    return total


def labelings(labels: np.ndarray, limit: int, seed: int) -> np.ndarray:
    """Distinct labelings of the mice with the same number of mice in each group.

    All of them where there are at most `limit` (924 for six and six mice), the true one among
    them; else the true one first and `limit − 1` drawn at random, which keeps the test exact.

    Args:
        labels: group of each mouse, (mice,), whole numbers from 0.
        limit: largest number of labelings.
        seed: of the draw.

    Returns:
        (labelings, mice), whole numbers.
    """
    labels = np.asarray(labels)
    if count_labelings(labels) <= limit:
        sizes = np.bincount(labels)
        return np.array(list(_all(tuple(range(len(labels))), tuple(sizes), len(labels))))
    rng = np.random.default_rng(seed)
    drawn = rng.permuted(np.tile(labels, (limit - 1, 1)), axis=1)
    return np.concatenate([labels[None], drawn])


def _all(free: tuple[int, ...], sizes: tuple[int, ...], mice: int) -> Iterator[np.ndarray]:
    from itertools import combinations

    if len(sizes) == 1:
        yield np.full(mice, 0)
        return
    last = len(sizes) - 1
    for chosen in combinations(free, int(sizes[-1])):
        rest = tuple(mouse for mouse in free if mouse not in chosen)
        for labeling in _all(rest, sizes[:-1], mice):
            labeling[list(chosen)] = last
            yield labeling


def unrelated_labelings(candidates: np.ndarray, truth: np.ndarray, limit: int) -> np.ndarray:
    """Indices of the labelings that share nothing with the truth, at most `limit` of them.

    In such a labeling each group holds each true line in proportion (three and three of six mice),
    as nearly as whole mice allow, so that a true difference between the lines cannot pass for a
    difference between the groups. A labeling that only swaps the names of equally large groups is
    the same partition and the same test, and counts once.

    Args:
        candidates: (labelings, mice), whole numbers from 0.
        truth: true line of each mouse, (mice,), whole numbers from 0.
        limit: largest number returned; the indices are spread evenly over all that qualify.
    """
    groups = int(candidates.max()) + 1
    lines = int(truth.max()) + 1
    sizes = np.bincount(truth, minlength=lines)
    found, seen = [], set()
    for index, labeling in enumerate(candidates):
        together = np.zeros((groups, lines))
        np.add.at(together, (labeling, truth), 1)
        expected = np.outer(np.bincount(labeling, minlength=groups), sizes) / len(truth)
        partition = frozenset(
            tuple(np.flatnonzero(labeling == group).tolist()) for group in range(groups)
        )
        if np.abs(together - expected).max() < 1 and partition not in seen:
            seen.add(partition)
            found.append(index)
    if len(found) <= limit:
        return np.array(found, dtype=int)
    spread = np.linspace(0, len(found) - 1, limit).round().astype(int)
    return np.array(found, dtype=int)[spread]

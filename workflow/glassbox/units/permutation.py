"""Is a unit's activation independent of a label? Permutation of trials within strata."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from glassbox.units.groups import group_sums, without_group_means

TIE = 1e-5  # relative; float32 sums of the same terms in another order differ by less
NOTHING = 1e-6  # of a statistic whose mean under the null is about the number of classes − 1


def permutation_test(
    activation: np.ndarray,
    label: np.ndarray,
    strata: np.ndarray,
    permutations: int,
    seed: int,
    at_once: int = 512,
) -> np.ndarray:
    """p of each unit under permutation of the label among the trials of a stratum.

    The statistic is the sum over classes of (sum of the activation in the class)² / trials in the
    class, the activation with its stratum means taken away: an offset common to a stratum changes
    nothing. One permutation serves all units, so their dependence is kept. All permutations are
    evaluated as products of one-hot labels and activations.

    Args:
        activation: (trials, units).
        label: class of each trial, (trials,), whole numbers from 0.
        strata: stratum of each trial, (trials,): session, stimulus block, and whatever else the
            label must not be exchanged across.
        permutations: number of random permutations.
        seed: of the permutations.
        at_once: permutations evaluated in one matrix product.

    Returns:
        (units,), (1 + permutations at least as large) / (1 + permutations); 1 for a unit that is
        constant in every stratum.

    Source: Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9(1), 39 for p; Winkler et al.
        2014, NeuroImage 92 for permutation within exchangeability blocks.
    """
    rng = np.random.default_rng(seed)
    order = np.argsort(strata, kind="stable")
    label, strata = np.asarray(label)[order], np.asarray(strata)[order]
    centred = without_group_means(np.asarray(activation, dtype=float)[order], strata)
    scale = np.sqrt((centred**2).mean(axis=0))
    size = np.abs(activation).max(axis=0, initial=0.0)
    varies = scale > 1e-6 * np.maximum(size, np.finfo(np.float32).tiny)
    p = np.ones(activation.shape[1])
    if not varies.any():
        return p
    values = np.ascontiguousarray((centred[:, varies] / scale[varies]).astype(np.float32))
    classes, codes = np.unique(label, return_inverse=True)
    counts = np.bincount(codes)
    observed = _between(group_sums(values, codes, len(classes)), counts)
    threshold = observed * (1 - TIE) - NOTHING
    _, starts = np.unique(strata, return_index=True)
    bounds = np.append(starts, len(strata))
    codes = codes.astype(np.int8 if len(classes) < 128 else np.int32)
    at_least = np.zeros(values.shape[1], dtype=np.int64)
    for first in range(0, permutations, at_once):
        drawn = np.tile(codes, (min(at_once, permutations - first), 1))
        for low, high in pairwise(bounds.tolist()):
            if high - low > 1:
                drawn[:, low:high] = rng.permuted(drawn[:, low:high], axis=1)
        at_least += (_null(drawn, values, counts) >= threshold).sum(axis=0)
    p[varies] = (1 + at_least) / (1 + permutations)
    return p


def _between(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    return (sums**2 / counts[:, None]).sum(axis=0)


def _null(drawn: np.ndarray, values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The statistic for each permuted label, (permutations, units).

    Centred activations sum to 0 over all classes, so the sums of the last class need no product.
    """
    statistic = np.zeros((len(drawn), values.shape[1]), dtype=np.float32)
    rest = np.zeros_like(statistic)
    for code, count in enumerate(counts[:-1]):
        sums = (drawn == code).astype(np.float32) @ values
        rest += sums
        statistic += sums**2 / np.float32(count)
    return statistic + rest**2 / np.float32(counts[-1])

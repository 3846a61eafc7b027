"""Is a unit there again when decoder and dictionary are trained from another seed?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from glassbox.units.groups import without_group_means

CHANCE = 95  # percentile of the matched correlations under shuffled trials
Matched = tuple[np.ndarray, float]


def partner_correlations(
    activations: Mapping[int, np.ndarray], strata: np.ndarray, seed: int
) -> dict[int, Matched]:
    """Each unit's correlation with its partner in the other seeds, and what chance gives.

    Units of two seeds are matched one to one so that the sum of correlations over the same trials
    is largest (the Hungarian method). A unit without a partner, where the other seed has fewer, has
    0. Matching finds large correlations even where there are none, so the same is done with trials
    of one seed shuffled within strata.

    Args:
        activations: by seed, (trials, units) of its living units; the same trials for every seed.
        strata: session and stimulus block of each trial, (trials,).
        seed: of the shuffles.

    Returns:
        By seed, the mean over the other seeds, (units,), and the 95th percentile of the matched
        correlations under shuffled trials; nothing where there is one seed only.

    Source: matching of units, Li et al. 2016, "Convergent learning"; Paulo & Belrose 2025.
    """
    if len(activations) < 2:
        return {}
    rng = np.random.default_rng(seed)
    scaled = {key: _scaled(values, strata) for key, values in activations.items()}
    found: dict[int, list[np.ndarray]] = {key: [] for key in scaled}
    chance: dict[int, list[np.ndarray]] = {key: [] for key in scaled}
    keys = sorted(scaled)
    for i, one in enumerate(keys):
        for other in keys[i + 1 :]:
            mixed = _shuffled(strata, rng)
            for kept, second in ((found, scaled[other]), (chance, scaled[other][mixed])):
                mine, theirs = _matched(scaled[one].T @ second)
                kept[one].append(mine)
                kept[other].append(theirs)
    return {
        key: (
            np.mean(found[key], axis=0),
            float(np.percentile(np.concatenate(chance[key]), CHANCE)),
        )
        for key in keys
    }


def _scaled(values: np.ndarray, strata: np.ndarray) -> np.ndarray:
    centred = without_group_means(np.asarray(values, dtype=float), strata)
    length = np.sqrt((centred**2).sum(axis=0))
    return centred / np.where(length > 0, length, np.inf)


def _shuffled(strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Trials in random order within strata, as indices, (trials,)."""
    order = np.argsort(strata, kind="stable")
    mixed = np.empty(len(strata), dtype=int)
    mixed[order] = np.lexsort((rng.random(len(strata)), strata))
    return mixed


def _matched(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The matched correlation of each row and of each column; 0 for one that is left over."""
    from scipy.optimize import linear_sum_assignment  # half a second that one seed does not need

    rows, columns = linear_sum_assignment(correlation, maximize=True)
    first, second = np.zeros(correlation.shape[0]), np.zeros(correlation.shape[1])
    first[rows] = second[columns] = correlation[rows, columns]
    return first, second

"""Bootstrap intervals over trials, and over the mice and sessions of a cohort.

Source: Efron & Tibshirani 1993; Saravanan, Berman & Sober 2020 for the hierarchical form.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLES = 2000
LEVEL = 0.95
FEWEST = 3  # mice, or sessions: a bootstrap over fewer says nothing of others
DRAWN_AT_ONCE = 4_000_000  # trials


def trial_weights(n: int, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """How often each of `n` trials is drawn, (1 + resamples, n), f4; once each in the first row.

    So the first number of whatever is made of the rows is its value, the others are resampled.
    """
    rng = np.random.default_rng(seed)
    weights = np.ones((1 + resamples, n), dtype=np.float32)
    rows = max(DRAWN_AT_ONCE // max(n, 1), 1)
    for first in range(1, 1 + resamples, rows):
        part = weights[first : first + rows]
        drawn = rng.integers(n, size=part.shape) + n * np.arange(len(part))[:, None]
        part[:] = np.bincount(drawn.ravel(), minlength=part.size).reshape(part.shape)
    return weights


def interval(resampled: np.ndarray) -> tuple[float, float]:
    """The percentile interval of resampled values, (resamples,); NaN where none is a number."""
    known = resampled[np.isfinite(resampled)]
    if known.size == 0:
        return float("nan"), float("nan")
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(known, [tail, 100 - tail])
    return float(low), float(high)


def over_cohort(drawn: np.ndarray, mice: Sequence[str], seed: int) -> np.ndarray:
    """Resampled means over the sessions of a cohort.

    Mice are drawn with replacement, then sessions inside each drawn mouse, then trials inside each
    drawn session, whose resamples are given. Where there are fewer than 3 mice, sessions are drawn
    whatever their mouse; with fewer than 3 sessions, trials alone: the interval then speaks of
    these sessions only.

    Args:
        drawn: the value of each session in each resample of its trials, (sessions, resamples).
        mice: mouse of each session, (sessions,).

    Returns:
        (resamples,), f8.
    """
    sessions, resamples = drawn.shape
    groups = [
        [place for place, mouse in enumerate(mice) if mouse == name] for name in sorted(set(mice))
    ]
    if len(groups) < FEWEST:
        groups = [[place] for place in range(sessions)]
    if len(groups) < FEWEST:
        return drawn.mean(axis=0, dtype=np.float64)
    rng = np.random.default_rng(seed)
    sizes = np.array([len(group) for group in groups])
    members = np.zeros((len(groups), sizes.max()), dtype=np.int64)
    for row, group in zip(members, groups, strict=True):
        row[: len(group)] = group
    total, count = np.zeros(resamples), np.zeros(resamples)
    for _ in groups:
        group = rng.integers(len(groups), size=resamples)
        for place in range(sizes.max()):
            session = members[group, rng.integers(sizes[group])]
            value = drawn[session, rng.integers(resamples, size=resamples)]
            counted = place < sizes[group]
            total += np.where(counted, value, 0)
            count += counted
    return total / count

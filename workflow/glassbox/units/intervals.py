"""How sure is an effect size? Bootstrap intervals of shares of variance."""

from __future__ import annotations

import numpy as np

from glassbox.units.genotype import variance_of_lines
from glassbox.units.groups import without_group_means
from glassbox.units.mice import MouseTable, take_mice

LEVEL = 0.95


def share_interval(
    activation: np.ndarray,
    label: np.ndarray,
    strata: np.ndarray,
    estimate: np.ndarray,
    resamples: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """95% interval of the share of variance that a label explains, (units,) twice.

    Trials are drawn with replacement within their stratum. A drawn trial that stands twice adds to
    the differences between classes by chance alone, so the resampled shares lie too high as a
    whole; their spread is right, and is laid around `estimate`.

    Args:
        activation: (trials, units).
        label: class of each trial, (trials,), whole numbers from 0.
        strata: session and stimulus block of each trial, (trials,), whole numbers from 0.
        estimate: the share of each unit without its bias, (units,).
        resamples: number of resamples.
        seed: of the draws.

    Source: Efron & Tibshirani 1993, ch. 10, for taking away the bias of a bootstrap.
    """
    values = without_group_means(np.asarray(activation, dtype=float), strata).astype(np.float32)
    rng = np.random.default_rng(seed)
    weight = np.zeros((resamples, len(values)), dtype=np.float32)
    for stratum in np.unique(strata):
        here = np.flatnonzero(strata == stratum)
        weight[:, here] = rng.multinomial(len(here), np.full(len(here), 1 / len(here)), resamples)
    n = np.float32(len(values))
    whole = weight @ values
    total = weight @ values**2 - whole**2 / n
    between = -(whole**2) / n
    for one in np.unique(label):
        here = label == one
        drawn = weight[:, here]
        count = np.maximum(drawn.sum(axis=1, keepdims=True), 1)
        between += (drawn @ values[here]) ** 2 / count
    share = np.divide(between, total, out=np.zeros_like(total), where=total > 0)
    return around(share, estimate)


def line_interval(
    table: MouseTable, labels: np.ndarray, estimate: np.ndarray, resamples: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """The same of the share between groups of mice: mice are drawn within their group.

    Args:
        table: the mice.
        labels: group of each mouse, (mice,), whole numbers from 0.
        estimate: the share without what differences between mice of a group add, (units,).
    """
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(labels == group) for group in range(int(labels.max()) + 1)]
    shares = []
    for _ in range(resamples):
        drawn = np.concatenate([rng.choice(mice, len(mice)) for mice in members])
        shares.append(variance_of_lines(take_mice(table, drawn), labels[drawn])[0])
    return around(np.stack(shares), estimate)


def around(resampled: np.ndarray, estimate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The spread of resampled values, (resamples, units), laid around the estimate, (units,)."""
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(resampled, [tail, 100 - tail], axis=0)
    middle = resampled.mean(axis=0, dtype=np.float64)
    return estimate + low - middle, np.minimum(estimate + high - middle, 1.0)

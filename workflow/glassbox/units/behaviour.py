"""Which units go along with what the animal does? Series, so the null shifts them in a circle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glassbox.statistics import benjamini_hochberg
from glassbox.units.intervals import around
from glassbox.units.ranks import centred_ranks

RUN = 8  # consecutive trials that the bootstrap draws together: behaviour changes slowly
LEAST_TRIALS = 20  # of a session, below which it does not count


@dataclass(frozen=True)
class BehaviourTest:
    """The claim procedure over all units, for one series.

    Attributes:
        correlation: Spearman's, within sessions, (units,).
        share: its square, (units,).
        effect_size: the share less the mean share under shifts, (units,); may fall below 0.
        low, high: 95% interval of the effect size, (units,).
        p: of a correlation so large, in either direction, under shifts, (units,).
        q: Benjamini-Hochberg over units, (units,).
    """

    correlation: np.ndarray
    share: np.ndarray
    effect_size: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    q: np.ndarray


def behaviour_test(
    activation: np.ndarray,
    value: np.ndarray,
    session: np.ndarray,
    shifts: int,
    resamples: int,
    seed: int,
) -> BehaviourTest | None:
    """Correlate the activation with a series, against that series shifted in a circle.

    Running changes slowly, and so may an activation: two slow series correlate by chance more than
    trials in random order would. A session's series is shifted against its activations by any
    number of trials, which keeps both as slow as they are. One session of n trials has n shifts,
    all of which are looked at; of several sessions so many combinations are drawn.

    Args:
        activation: (trials, units), trials in the order in which they were shown.
        value: of the series, (trials,); NaN where unknown, and the trial does not count.
        session: of each trial, (trials,).
        shifts: number of combinations, where there are more.
        resamples: of the interval.
        seed: of shifts and resamples.

    Returns:
        None where no session has enough trials on which the series is known and changes.

    Source: Harris 2021, "Nonsense correlations in neuroscience" (bioRxiv 2020.11.29.402719).
    """
    keep = np.isfinite(value)
    for one in np.unique(session):
        here = (session == one) & keep
        if here.sum() < LEAST_TRIALS or np.ptp(value[here]) == 0:
            keep &= session != one
    if not keep.any():
        return None
    session = session[keep]
    x = centred_ranks(np.asarray(value, dtype=float)[keep, None], session)[:, 0]
    y = centred_ranks(np.asarray(activation)[keep], session)
    size = np.sqrt((x**2).sum() * (y**2).sum(axis=0))
    size[size == 0] = np.inf  # a silent unit correlates with nothing
    correlation = x @ y / size
    null = _shifted(x, y, session, shifts, seed) / size
    p = (np.abs(null) >= np.abs(correlation) * (1 - 1e-9)).mean(axis=0)
    p[np.isinf(size)] = 1.0
    effect = correlation**2 - (null**2).mean(axis=0)
    low, high = around(_resampled(x, y, session, resamples, seed), effect)
    return BehaviourTest(correlation, correlation**2, effect, low, high, p, benjamini_hochberg(p))


def _shifted(
    x: np.ndarray, y: np.ndarray, session: np.ndarray, shifts: int, seed: int
) -> np.ndarray:
    """Sums of products under shifts, (shifts, units); the first is the series as it was."""
    rng = np.random.default_rng(seed)
    products = []
    for one in np.unique(session):
        here = np.flatnonzero(session == one)
        n = len(here)
        turned = x[here][(np.arange(n) - np.arange(n)[:, None]) % n]
        products.append(turned @ y[here])
    if len(products) == 1:
        return products[0]
    total = np.zeros((shifts, y.shape[1]))
    for product in products:
        drawn = rng.integers(len(product), size=shifts)
        drawn[0] = 0
        total += product[drawn]
    return total


def _resampled(
    x: np.ndarray, y: np.ndarray, session: np.ndarray, resamples: int, seed: int
) -> np.ndarray:
    """Shares when runs of trials are drawn with replacement in each session, (resamples, units)."""
    rng = np.random.default_rng(seed)
    xy, xx, yy = np.zeros((resamples, y.shape[1])), np.zeros((resamples, 1)), 0.0
    for one in np.unique(session):
        here = np.flatnonzero(session == one)
        run = np.arange(len(here)) // RUN
        weight = rng.multinomial(
            run.max() + 1, np.full(run.max() + 1, 1 / (run.max() + 1)), resamples
        )
        weight = weight[:, run].astype(float)
        xy += weight @ (x[here, None] * y[here])
        xx += weight @ x[here, None] ** 2
        yy = yy + weight @ y[here] ** 2
    size = xx * yy
    return np.divide(xy**2, size, out=np.zeros_like(xy), where=size > 0)

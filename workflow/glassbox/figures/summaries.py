"""Numbers that figures state: means with intervals over mice, and a paired test."""

from __future__ import annotations

from itertools import product

import numpy as np

from glassbox.figures.options import FiguresOptions
from glassbox.statistics import bootstrap_interval

FEWEST_FOR_INTERVAL = 3  # of mice: a bootstrap over fewer says nothing
EXACT_UP_TO = 14  # mice: 2^14 sign flips are enumerated, more are drawn
DRAWN_FLIPS = 20_000


def mean_interval(
    values: np.ndarray, options: FiguresOptions, clusters: np.ndarray | None = None
) -> tuple[float, float, float]:
    """Mean of `values` (n,) and its 95% bootstrap interval; the interval is NaN for n < 3."""
    values = np.asarray(values, dtype=float)
    if clusters is not None and len(set(np.asarray(clusters).tolist())) == len(values):
        clusters = None
    if values.size == 0:
        return (float("nan"),) * 3
    if values.size < FEWEST_FOR_INTERVAL:
        return float(values.mean()), float("nan"), float("nan")
    low, high = bootstrap_interval(
        values, options.seed, n_resamples=options.resamples, clusters=clusters
    )
    return float(values.mean()), low, high


def sign_flip_p(differences: np.ndarray, seed: int) -> float:
    """Two-sided p of a mean paired difference, (n,), over all 2^n flips of the signs.

    Exact up to 14 pairs, from 20,000 drawn flips beyond; NaN for fewer than 2 pairs.

    Source: Fisher 1935, The Design of Experiments, section 21.
    """
    differences = np.asarray(differences, dtype=float)
    differences = differences[np.isfinite(differences)]
    n = differences.size
    if n < 2:
        return float("nan")
    if n <= EXACT_UP_TO:
        signs = np.array(list(product((1.0, -1.0), repeat=n)))
        means = np.abs(signs @ differences)
        return float((means >= abs(differences.sum()) * (1 - 1e-9)).mean())
    rng = np.random.default_rng(seed)
    signs = rng.choice((1.0, -1.0), size=(DRAWN_FLIPS, n))
    means = np.abs(signs @ differences)
    beyond = (means >= abs(differences.sum()) * (1 - 1e-9)).sum()
    return float((1 + beyond) / (1 + DRAWN_FLIPS))


def p_in_words(p: float) -> str:
    """`p = 0.031`, `p < 0.001`, or `p not defined`."""
    if not np.isfinite(p):
        return "p not defined"
    return f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"


def counted(n: int, noun: str, plural: str | None = None) -> str:
    """`1 mouse`, `12 mice`, `3 seeds`."""
    return f"{n} {noun if n == 1 else plural or noun + 's'}"

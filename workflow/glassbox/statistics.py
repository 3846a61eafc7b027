"""Small statistics that every stage shares."""

from __future__ import annotations

import numpy as np

DRAWN_AT_ONCE = 1_000_000  # values, in a bootstrap


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Adjusted p values (q), any shape flattened to (tests,); NaN stays NaN and is not counted.

    Source: Benjamini & Hochberg 1995, J. R. Stat. Soc. B 57, step-up procedure.
    """
    p = np.asarray(p, dtype=float)
    q = np.full(p.shape, np.nan)
    tested = np.isfinite(p)
    values = p[tested]
    if values.size == 0:
        return q
    order = np.argsort(values)
    ranked = values[order] * values.size / np.arange(1, values.size + 1)
    adjusted = np.minimum(np.minimum.accumulate(ranked[::-1])[::-1], 1.0)
    back = np.empty_like(adjusted)
    back[order] = adjusted
    q[tested] = back
    return q


def exact_interval(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Clopper-Pearson interval of a proportion; (nan, nan) for n = 0.

    Source: Clopper & Pearson 1934, Biometrika 26.
    """
    from scipy.special import betaincinv  # scipy.stats has the same, and takes a second to import

    if n == 0:
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(betaincinv(successes, n - successes + 1, tail))
    high = 1.0 if successes == n else float(betaincinv(successes + 1, n - successes, 1 - tail))
    return low, high


def bootstrap_interval(
    values: np.ndarray,
    seed: int,
    n_resamples: int = 2000,
    level: float = 0.95,
    clusters: np.ndarray | None = None,
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of `values`, (n,); NaN values are left out.

    Where `clusters` (n,) is given (session or mouse of each value), clusters are drawn with
    replacement first and values inside each drawn cluster second: the unit of analysis is the
    cluster.

    Source: Efron & Tibshirani 1993; Saravanan, Berman & Sober 2020 for the hierarchical form.
    """
    values = np.asarray(values, dtype=float)
    keep = np.isfinite(values)
    values = values[keep]
    if values.size == 0:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    if clusters is None:
        means = np.empty(n_resamples)
        rows = max(DRAWN_AT_ONCE // values.size, 1)
        for first in range(0, n_resamples, rows):
            part = means[first : first + rows]
            part[:] = values[rng.integers(values.size, size=(part.size, values.size))].mean(axis=1)
    else:
        clusters = np.asarray(clusters)[keep]
        members = [values[clusters == c] for c in np.unique(clusters)]
        means = np.empty(n_resamples)
        for i in range(n_resamples):
            drawn = [members[j] for j in rng.integers(len(members), size=len(members))]
            total = sum(m[rng.integers(m.size, size=m.size)].sum() for m in drawn)
            means[i] = total / sum(m.size for m in drawn)
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)


def bootstrap_weights(
    n: int, seed: int, n_resamples: int = 1000, clusters: np.ndarray | None = None
) -> np.ndarray:
    """How often each of `n` observations is drawn in each resample, (resamples, n) float32.

    `weighted_means` turns them into resampled means of many variables in one product. With
    `clusters` (n,), clusters are drawn first and observations inside each drawn cluster second.
    """
    rng = np.random.default_rng(seed)
    if clusters is None:
        return rng.multinomial(n, np.full(n, 1 / n), size=n_resamples).astype(np.float32)
    names, member_of = np.unique(np.asarray(clusters), return_inverse=True)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=n_resamples)
    weights = np.zeros((n_resamples, n), dtype=np.float32)
    for cluster in range(len(names)):
        members = np.flatnonzero(member_of == cluster)
        share = np.full(len(members), 1 / len(members))
        weights[:, members] = rng.multinomial(drawn[:, cluster] * len(members), share)
    return weights


def weighted_means(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Resampled means, (resamples, n) and (n, variables) → (resamples, variables)."""
    return (weights @ values.astype(np.float32)) / weights.sum(axis=1, keepdims=True)


def with_ties(null: np.ndarray, observed: float) -> np.ndarray:
    """Null values, those that equal the observed one but for rounding set to it.

    A labeling that says the same sums the same floats in another order; a tie must count against
    the claim.
    """
    return np.where(np.isclose(null, observed, rtol=1e-9, atol=1e-12), observed, null)


def permutation_p(observed: np.ndarray, null: np.ndarray) -> np.ndarray:
    """(1 + #null ≥ observed) / (1 + N), null values along the first axis.

    Source: Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9(1), 39.
    """
    null = np.asarray(null)
    return (1 + (null >= np.asarray(observed)[None]).sum(axis=0)) / (1 + null.shape[0])

"""Which units tell where and when a recording was made: area, depth, session?

Area and depth are the same in all trials of a mouse, so mice are what is counted and permuted; and
they may go along with the Cre line, so they are permuted among mice of one line. What a line occurs
at only once says nothing: where no line lies at two areas (depths), the variable is not estimable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from glassbox.statistics import benjamini_hochberg, permutation_p
from glassbox.units.groups import group_codes, group_sums, without_group_means
from glassbox.units.intervals import around
from glassbox.units.mice import MouseTable
from glassbox.units.permutation import permutation_test
from glassbox.units.ranks import average_ranks
from glassbox.units.variance import explained_share, explained_variance

RUN = 8  # consecutive trials that are taken together: activations drift
LEAST_MICE = 3


@dataclass(frozen=True)
class PlaceTest:
    """The claim procedure over all units, for one variable that is constant in a session.

    Attributes:
        score: share of the variance that it explains, (units,).
        effect_size: the same without the bias of few mice (trials), (units,).
        low, high: 95% interval of the effect size, (units,).
        correlation: Spearman's with the depth, (units,); None for others.
        p: permutation p, (units,); q: Benjamini-Hochberg over units, (units,).
    """

    score: np.ndarray
    effect_size: np.ndarray
    low: np.ndarray
    high: np.ndarray
    correlation: np.ndarray | None
    p: np.ndarray
    q: np.ndarray


def estimable_mice(table: MouseTable, value_of: Mapping[str, object]) -> tuple[np.ndarray, str]:
    """The mice that say something about a variable, as indices, and why there are none ('').

    Args:
        table: the mice.
        value_of: the variable's value by mouse; a mouse without one, or with several, is missing.

    Returns:
        Mice of the lines that have several values of the variable.
    """
    known = [i for i, mouse in enumerate(table.mouse) if mouse in value_of]
    values: dict[str, set] = {}
    for i in known:
        values.setdefault(table.line[i], set()).add(value_of[table.mouse[i]])
    kept = [i for i in known if len(values[table.line[i]]) > 1]
    if len(kept) < LEAST_MICE:
        held = "; ".join(
            f"{line}: {', '.join(sorted(map(str, here)))}" for line, here in sorted(values.items())
        )
        return np.array([], dtype=int), f"not estimable: no line has several values ({held})"
    return np.array(kept), ""


def area_test(
    table: MouseTable, area: np.ndarray, permutations: int, resamples: int, seed: int
) -> PlaceTest:
    """Do mice of one line differ between areas?

    Score and effect size are shares of the variance between mice of a line, not of trials.

    Args:
        table: mice of lines with several areas.
        area: of each mouse, (mice,), whole numbers from 0.
    """
    _, line = np.unique(np.array(table.line), return_inverse=True)
    mean = _unit_variance(without_group_means(table.mean, line))
    labels = _within(area, line, permutations, seed)
    null = _between(mean, labels)
    explained = explained_variance(mean, area, line)
    rng = np.random.default_rng(seed)
    draws = [_drawn(line, rng) for _ in range(resamples)]
    shares = np.stack([explained_share(mean[d], area[d], line[d]) for d in draws])
    low, high = around(shares, explained.omega2)
    p = permutation_p(null[0] * (1 - 1e-9), null[1:])
    q = benjamini_hochberg(p)
    return PlaceTest(explained.eta2, explained.omega2, low, high, None, p, q)


def depth_test(
    table: MouseTable, depth: np.ndarray, permutations: int, resamples: int, seed: int
) -> PlaceTest:
    """Does the activation rise or fall with depth, among mice of one line?

    The statistic is Spearman's correlation of what differs within lines. Score and effect size are
    shares of the variance between the mice of a line, the latter less what permuted mice give.

    Args:
        table: mice of lines with several depths.
        depth: of each mouse, (mice,), µm.
    """
    _, line = np.unique(np.array(table.line), return_inverse=True)
    y = _unit_variance(without_group_means(average_ranks(table.mean), line))
    x = _unit_variance(without_group_means(average_ranks(depth[:, None]), line))[:, 0]
    order = _within(np.arange(len(x)), line, permutations, seed)
    null = x[order] @ y
    correlation = null[0]
    p = permutation_p(np.abs(correlation) * (1 - 1e-9), np.abs(null[1:]))
    p[~y.any(axis=0)] = 1.0
    effect = correlation**2 - (null**2).mean(axis=0)
    rng = np.random.default_rng(seed)
    shares = []
    for drawn in (_drawn(line, rng) for _ in range(resamples)):
        size = (x[drawn] ** 2).sum() * (y[drawn] ** 2).sum(axis=0)
        share = (x[drawn] @ y[drawn]) ** 2
        shares.append(np.divide(share, size, out=np.zeros_like(share), where=size > 0))
    low, high = around(np.stack(shares), effect)
    return PlaceTest(correlation**2, effect, low, high, correlation, p, benjamini_hochberg(p))


def session_test(
    activation: np.ndarray,
    session: np.ndarray,
    block: np.ndarray,
    permutations: int,
    resamples: int,
    seed: int,
) -> PlaceTest:
    """Do sessions differ in a unit's activation by more than it drifts within one?

    Runs of consecutive trials are permuted over sessions, whole: trials of a run are alike.

    Args:
        activation: (trials, units), trials in the order in which they were shown.
        session, block: of each trial, (trials,), whole numbers from 0.
    """
    whole = group_codes(session, block)
    _, first, code = np.unique(whole, return_index=True, return_inverse=True)
    run = group_codes(whole, (np.arange(len(whole)) - first[code]) // RUN)
    n_runs = int(run.max()) + 1
    count = np.bincount(run)
    means = group_sums(np.asarray(activation, dtype=float), run, n_runs) / count[:, None]
    of_run = np.zeros(n_runs, dtype=int)
    of_run[run] = session
    everywhere = np.zeros(n_runs, dtype=int)
    p = permutation_test(means, of_run, everywhere, permutations, seed)
    values = np.asarray(activation, dtype=float)
    explained = explained_variance(values, session, np.zeros(len(values), dtype=int))
    rng = np.random.default_rng(seed)
    square = group_sums(values**2, run, n_runs)
    shares = []
    for drawn in (_drawn(of_run, rng) for _ in range(resamples)):
        n = count[drawn].astype(float)
        sums = means[drawn] * n[:, None]
        per = np.bincount(of_run[drawn], n)
        centre = group_sums(sums, of_run[drawn], len(per)) / np.maximum(per, 1)[:, None]
        middle = sums.sum(axis=0) / n.sum()
        between = (per[:, None] * (centre - middle) ** 2).sum(axis=0)
        total = square[drawn].sum(axis=0) - n.sum() * middle**2
        shares.append(np.divide(between, total, out=np.zeros_like(total), where=total > 0))
    low, high = around(np.stack(shares), explained.omega2)
    q = benjamini_hochberg(p)
    return PlaceTest(explained.eta2, explained.omega2, low, high, None, p, q)


def _unit_variance(values: np.ndarray) -> np.ndarray:
    size = np.sqrt((values**2).sum(axis=0))
    return values / np.where(size > 1e-12, size, np.inf)


def _between(mean: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Variance between groups, (labelings, units)."""
    total = np.zeros((len(labels), mean.shape[1]))
    for group in np.unique(labels):
        member = (labels == group).astype(float)
        total += (member @ mean) ** 2 / member.sum(axis=1, keepdims=True)
    return total


def _within(values: np.ndarray, strata: np.ndarray, permutations: int, seed: int) -> np.ndarray:
    """The values permuted within strata, (1 + permutations, n), as they are first."""
    rng = np.random.default_rng(seed)
    permuted = np.tile(values, (permutations + 1, 1))
    for stratum in np.unique(strata):
        here = np.flatnonzero(strata == stratum)
        permuted[1:, here] = rng.permuted(permuted[1:, here], axis=1)
    return permuted


def _drawn(strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Places drawn with replacement within strata, (n,)."""
    drawn = np.arange(len(strata))
    for stratum in np.unique(strata):
        here = np.flatnonzero(strata == stratum)
        drawn[here] = rng.choice(here, len(here))
    return drawn

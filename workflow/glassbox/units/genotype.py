"""Which units tell the Cre lines apart? The mouse is the unit of analysis."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from glassbox.statistics import benjamini_hochberg
from glassbox.units.labelings import labelings
from glassbox.units.mice import MouseTable, keep_mice

LEAST_MICE = 2  # of a line: below, nothing can be said about the variance between its mice


@dataclass(frozen=True)
class GenotypeTest:
    """The claim procedure over all units, for one labeling of the mice.

    Attributes:
        p: exact (or sampled) permutation p, two-sided, (units,).
        q: Benjamini-Hochberg over units, (units,).
        score: share of the trial-to-trial variance between the lines, (units,).
        effect_size: the same, less what the differences between mice of a line give, (units,).
    """

    p: np.ndarray
    q: np.ndarray
    score: np.ndarray
    effect_size: np.ndarray

    def selective(self, q: float, min_effect: float) -> np.ndarray:
        """The units that are claimed, (units,) bool."""
        return (self.q < q) & (self.effect_size >= min_effect)


def estimable(table: MouseTable) -> tuple[MouseTable, str]:
    """The mice whose lines can be compared, and what was left out and why ('' for nothing).

    A line with fewer than two mice is left out. With fewer than two lines left, no mouse is
    returned and the reason says "not estimable".
    """
    count = Counter(table.line)
    few = sorted(line for line, mice in count.items() if mice < LEAST_MICE)
    table = keep_mice(table, np.array([line not in few for line in table.line], dtype=bool))
    reason = f"fewer than {LEAST_MICE} mice of {', '.join(few)}" if few else ""
    if len(set(table.line)) < 2:
        table = keep_mice(table, np.zeros(len(table.mouse), dtype=bool))
        return table, "not estimable: " + (
            reason or f"one Cre line only ({', '.join(sorted(count))})"
        )
    return table, f"left out: {reason}" if reason else ""


def line_codes(table: MouseTable) -> tuple[tuple[str, ...], np.ndarray]:
    """The sorted names of the lines and the line of each mouse as a whole number, (mice,)."""
    names, codes = np.unique(np.array(table.line), return_inverse=True)
    return tuple(str(name) for name in names), codes


def difference_statistic(mean: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How far the groups of mice lie apart, in units of the spread inside them.

    Two groups: Welch's t squared (two-sided, studentised: unequal variances do not pass for a
    difference). More groups: Welch's F without its constant factors.

    Args:
        mean: mean activation of each mouse, (mice, units).
        labels: (labelings, mice), whole numbers from 0; groups of the same size in each labeling.

    Returns:
        (labelings, units); 0 where no mouse differs from another.

    Source: Welch 1951, Biometrika 38; studentised permutation tests: Janssen 1997, Stat. Probab.
        Lett. 36; Chung & Romano 2013, Ann. Stat. 41.
    """
    mean = np.asarray(mean, dtype=float)
    mean = mean - mean.mean(axis=0)
    spread = np.sqrt((mean**2).mean(axis=0))
    varies = spread > 0
    mean = mean / np.where(varies, spread, 1.0)
    weights, centres = [], []
    for group in range(int(labels.max()) + 1):
        member = (labels == group).astype(float)
        size = member.sum(axis=1, keepdims=True)
        centre = member @ mean / size
        variance = np.maximum(member @ mean**2 / size - centre**2, 0.0) * size / (size - 1)
        weights.append(size / np.maximum(variance, 1e-9))
        centres.append(centre)
    weight = np.stack(weights)
    centre = np.stack(centres)
    grand = (weight * centre).sum(axis=0) / weight.sum(axis=0)
    return (weight * (centre - grand) ** 2).sum(axis=0) * varies


def variance_of_lines(table: MouseTable, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share of the trial-to-trial variance of the activation that lies between the lines.

    The variance of a single trial's activation is the sum of three parts: between lines, between
    mice of a line, and within a mouse. Mice weigh the same in a line, lines the same in all.

    Args:
        table: the mice.
        labels: line of each mouse, (mice,), whole numbers from 0.

    Returns:
        The share as it is (units,), and without what differences between the mice of a line add
        to the differences between lines (units,), which can fall below 0.

    Source: as ω² (Hays 1963), with the mouse as the error term (Searle, Casella & McCulloch 1992,
        Variance Components, ch. 3).
    """
    groups = range(int(labels.max()) + 1)
    centre = np.stack([table.mean[labels == g].mean(axis=0) for g in groups])
    spread = np.stack([table.mean[labels == g].var(axis=0, ddof=1) for g in groups])
    size = np.array([(labels == g).sum() for g in groups])[:, None]
    between = centre.var(axis=0)
    by_chance = (1 - 1 / len(centre)) * (spread / size).mean(axis=0)
    from_trials = (table.within / table.trials[:, None]).mean(axis=0)
    within = table.within.mean(axis=0)
    mice = np.maximum(spread.mean(axis=0) - from_trials, 0.0)
    corrected = between - by_chance
    total = within + mice + np.maximum(corrected, 0.0)
    raw_total = within + mice + between
    return _share(between, raw_total), _share(corrected, total)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def ranks_among(statistic: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Share of all labelings whose statistic is at least that of the chosen ones.

    The chosen labelings are among all of them, so no share is below 1 / labelings.

    Args:
        statistic: (labelings, units).
        chosen: indices of labelings, (chosen,).

    Returns:
        (chosen, units).
    """
    ordered = np.sort(statistic, axis=0)
    share = np.empty((len(chosen), statistic.shape[1]))
    for unit in range(statistic.shape[1]):
        value = statistic[chosen, unit]
        below = np.searchsorted(ordered[:, unit], value * (1 - 1e-9), side="left")
        share[:, unit] = (len(ordered) - below) / len(ordered)
    return share


def claim_genotype(table: MouseTable, limit: int, seed: int) -> GenotypeTest:
    """Test every unit for a difference between the lines of the mice.

    Args:
        table: mice of at least two lines, at least two of each (see `estimable`).
        limit: all labelings are enumerated up to this number, else so many are drawn.
        seed: of the draw.
    """
    _, truth = line_codes(table)
    labels = labelings(truth, limit, seed)
    true_one = np.flatnonzero((labels == truth).all(axis=1))[:1]
    p = ranks_among(difference_statistic(table.mean, labels), true_one)[0]
    return GenotypeTest(p, benjamini_hochberg(p), *variance_of_lines(table, truth))

"""Rows of ablation.csv, controls.csv and confusion.csv."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from glassbox.dictionaries.splice import METRICS
from glassbox.interventions.ablation import KEEP
from glassbox.interventions.effects import Effects
from glassbox.statistics import permutation_p, weighted_means

CONTROL_COLUMNS = tuple(
    "cohort level seed hook dictionary intervention ablation selected_for measured_on n_units set "
    "metric drop".split()
)
Row = dict[str, Any]


def against_controls(drop: float, controls: np.ndarray | None, smaller: bool = False) -> Row:
    """p of a drop, and where the matched random sets lie: (sets,) drops, or None for no match.

    p = (1 + sets with a drop at least as large) / (1 + sets), conditional on one model; where a
    `smaller` drop is claimed, for units that are kept, with a drop at most as large.
    """
    if controls is None:
        return {"n_controls": 0}
    low, median, high = np.percentile(controls, [2.5, 50, 97.5])
    sign = -1 if smaller else 1
    return {
        "p": float(permutation_p(np.array(drop) * sign, controls * sign)),
        "control_low": float(low),
        "control_high": float(high),
        "control_median": float(median),
        "n_controls": len(controls),
    }


def ablation_rows(
    about: Row,
    effects: Effects,
    doses: Mapping[str, Sequence[int]],
    weights: np.ndarray,
    with_controls: bool,
    strength: float = 1.0,
) -> Iterator[Row]:
    """Rows of one seed, intervention and ablation: target, and what it is held against.

    Args:
        about: columns that name cohort, seed, dictionary, intervention and ablation.
        effects: of every planned set.
        doses: of each variable.
        weights: bootstrap weights of the trials, (resamples, trials).
        with_controls: matched random sets were evaluated.
        strength: of the ablation.
    """
    tasks = sorted({task for task, _ in effects.before})
    resampled = _Resampled(effects, weights)
    kept = str(about.get("ablation", "")).startswith(KEEP)
    for variable, of_one in doses.items():
        for n_units in of_one:
            sources = _sources(effects, doses, variable, n_units)
            for metric in METRICS:
                for task in tasks:
                    where = about | {
                        "selected_for": variable,
                        "measured_on": task,
                        "n_units": n_units,
                        "strength": strength,
                        "metric": metric,
                        "baseline": resampled.baseline[task, metric],
                    }
                    for control, key in sources.items():
                        row = where | {"control": control}
                        row |= resampled.effect((n_units, *key, task, metric))
                        if task == variable:
                            row["selectivity"] = resampled.selectivity(
                                (n_units, *key), task, metric
                            )
                        if control == "target" and with_controls:
                            found = effects.matched_drop.get((n_units, variable, task, metric))
                            row |= against_controls(row["drop"], found, kept)
                        yield row
                    if with_controls:
                        found = effects.matched_drop.get((n_units, variable, task, metric))
                        yield where | {"control": "matched_random"} | _matched(where, found)


def _matched(where: Row, found: np.ndarray | None) -> Row:
    """The median of the matched random sets, with the range of the middle 95% of them."""
    if found is None:
        return {"n_controls": 0}
    low, median, high = (float(v) for v in np.percentile(found, [2.5, 50, 97.5]))
    return {
        "value": where["baseline"] - median,
        "drop": median,
        "ci_low": low,
        "ci_high": high,
        "n_controls": len(found),
    }


def _sources(
    effects: Effects, doses: Mapping[str, Sequence[int]], variable: str, n_units: int
) -> dict[str, tuple[str, str]]:
    """By control, the (control, variable) under which its set was evaluated."""
    have = {(control, of) for n, control, of, _, _ in effects.drop if n == n_units}
    others = [("target", other) for other in doses if other != variable]
    others = [key for key in [("other_variable", variable), *others] if key in have]
    sources = {"target": ("target", variable)}
    if others:
        sources["other_variable"] = others[0]
    if ("shuffled_labels", variable) in have:
        sources["shuffled_labels"] = ("shuffled_labels", variable)
    for of in (variable, ""):
        if ("top_energy", of) in have:
            sources.setdefault("top_energy", ("top_energy", of))
    return sources


class _Resampled:
    """Means of the drops and their bootstrap intervals, all in a few matrix products."""

    def __init__(self, effects: Effects, weights: np.ndarray):
        self.baseline = {key: float(np.nanmean(v)) for key, v in effects.before.items()}
        self.drop: dict[tuple, float] = {}
        self.interval: dict[tuple, np.ndarray] = {}
        self.tasks = sorted({task for task, _ in effects.before})
        for task in self.tasks:
            known = np.isfinite(effects.before[task, METRICS[0]])
            keys = [key for key in effects.drop if key[3] == task]
            if not keys:
                continue
            table = np.stack([effects.drop[key][known] for key in keys], axis=1)
            means = weighted_means(weights[:, known], table)
            intervals = np.percentile(means, [2.5, 97.5], axis=0).T
            averages = table.mean(0, dtype=np.float64)
            for key, average, interval in zip(keys, averages, intervals, strict=True):
                self.drop[key], self.interval[key] = float(average), interval

    def effect(self, key: tuple) -> Row:
        task, metric = key[3:]
        low, high = (float(v) for v in self.interval[key])
        drop = self.drop[key]
        value = self.baseline[task, metric] - drop
        return {"value": value, "drop": drop, "ci_low": low, "ci_high": high}

    def selectivity(self, source: tuple, target: str, metric: str) -> float | None:
        """Drop of the target less the mean drop of the others."""
        others = [self.drop[(*source, task, metric)] for task in self.tasks if task != target]
        return self.drop[(*source, target, metric)] - float(np.mean(others)) if others else None


def control_rows(about: Row, effects: Effects) -> Iterator[Row]:
    """The drop under every matched random set."""
    for (n_units, variable, task, metric), drops in effects.matched_drop.items():
        for place, drop in enumerate(drops):
            yield about | {
                "selected_for": variable,
                "measured_on": task,
                "n_units": n_units,
                "set": place,
                "metric": metric,
                "drop": float(drop),
            }


def confusion_rows(
    about: Row,
    effects: Effects,
    labels: Mapping[str, np.ndarray],
    classes: Mapping[str, Sequence[str]],
    doses: Mapping[str, Sequence[int]],
) -> Iterator[Row]:
    """Confusion matrices before and after each variable's largest dose, zeros included."""
    for variable, of_one in doses.items():
        if not of_one:
            continue
        n_units = max(of_one)
        for task, names in classes.items():
            said = {
                "clean": effects.said_before[task],
                "ablated": effects.said_after[n_units, variable, task],
            }
            for condition, predicted in said.items():
                known = labels[task] >= 0
                counts = np.zeros((len(names), len(names)), dtype=int)
                np.add.at(counts, (labels[task][known], predicted[known]), 1)
                for true in range(len(names)):
                    for guess in range(len(names)):
                        yield about | {
                            "selected_for": variable,
                            "n_units": n_units,
                            "condition": condition,
                            "task": task,
                            "true": names[true],
                            "predicted": names[guess],
                            "count": int(counts[true, guess]),
                        }

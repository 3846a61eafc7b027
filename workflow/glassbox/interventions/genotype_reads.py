"""Genotype read on held-out mice before and after units are taken away, as rows of the tables."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from glassbox.interventions.folds_of_mice import Folds
from glassbox.interventions.plan import DosePlan
from glassbox.interventions.probe import columns_of, reads
from glassbox.interventions.rows import against_controls
from glassbox.statistics import weighted_means

GENOTYPE = "genotype"
READS = ("accuracy", "auroc", "signed_score")
Row = dict[str, Any]


class GenotypeReads:
    """Reads of genotype under one intervention and ablation."""

    def __init__(
        self, folds: Folds, plans: Sequence[list[DosePlan]], intervention: str, ablation: str
    ):
        self.folds, self.intervention, self.ablation = folds, intervention, ablation
        self.plans = [{plan.n_units: plan for plan in of_fold} for of_fold in plans]
        self.labels = [columns_of(folds.training_lines(f), folds.n_lines) for f in folds.folds]
        self.probes = [
            fold.probe().weights(labels)
            for fold, labels in zip(folds.folds, self.labels, strict=True)
        ]
        none = np.zeros((1, 0), dtype=np.int64)
        self.before = self._frozen([none] * len(folds.folds))[0]

    def _frozen(self, sets: Sequence[np.ndarray]) -> np.ndarray:
        """(sets, mice, lines) for one array of sets in each fold."""
        scores = [
            fold.frozen_scores(*probe, of_fold, self.intervention, self.ablation)
            for fold, probe, of_fold in zip(self.folds.folds, self.probes, sets, strict=True)
        ]
        return self.folds.gathered(scores)

    def _told(self, scores: np.ndarray) -> dict[str, np.ndarray]:
        lines = np.broadcast_to(self.folds.lines, scores.shape[:2])
        return reads(scores, lines, self.folds.n_lines)

    def rows(
        self,
        variable: str,
        n_units: int,
        mouse_weights: np.ndarray,
        n_controls: int,
        retrain: bool,
        confusion: bool,
    ) -> tuple[list[Row], list[Row], list[Row]]:
        """Rows of ablation.csv, controls.csv and confusion.csv of one variable and dose."""
        plans = [of_fold[n_units] for of_fold in self.plans]
        where = {"selected_for": variable, "measured_on": GENOTYPE, "n_units": n_units}
        before = {metric: float(v[0]) for metric, v in self._told(self.before[None]).items()}
        found = self._matched(plans, variable, n_controls, before)
        rows: list[Row] = []
        for control, key in self._sources(plans[0], variable).items():
            after = self._frozen([plan.named[key][None] for plan in plans])[0]
            told = {metric: float(v[0]) for metric, v in self._told(after[None]).items()}
            intervals = self._intervals(after, mouse_weights)
            for metric in READS:
                row = self._row(where, control, metric, before[metric], told[metric])
                row |= intervals.get(metric, {})
                if control == "target" and n_controls:
                    row |= against_controls(row["drop"], found.get(metric))
                rows.append(row)
            if control == "target" and retrain:
                rows += self._retrained(plans, where, key)
            if control == "target" and confusion:
                tables = self._confusion(where, after)
        if n_controls:
            rows += [self._matched_row(where, m, before[m], found.get(m)) for m in READS]
        controls = [
            where | {"set": place, "metric": metric, "drop": float(drop)}
            for metric, drops in found.items()
            for place, drop in enumerate(drops)
        ]
        return rows, controls, tables if confusion else []

    def _row(self, where: Row, control: str, metric: str, before: float, after: float) -> Row:
        return where | {
            "control": control,
            "strength": 1.0,
            "metric": metric,
            "value": after,
            "baseline": before,
            "drop": before - after,
        }

    def _sources(self, plan: DosePlan, variable: str) -> dict[str, tuple[str, str]]:
        others = [of for control, of in plan.named if control == "target" and of != variable]
        sources = {"target": ("target", variable)}
        if others:
            sources["other_variable"] = ("target", others[0])
        for control, of in (("shuffled_labels", variable), ("top_energy", "")):
            if (control, of) in plan.named:
                sources[control] = (control, of)
        return sources

    def _matched(
        self, plans: Sequence[DosePlan], variable: str, n_controls: int, before: dict[str, float]
    ) -> dict[str, np.ndarray]:
        """Drops under the matched sets by metric; none where a fold has too few."""
        if not n_controls or any(len(plan.matched[variable]) < n_controls for plan in plans):
            return {}
        told = self._told(self._frozen([plan.matched[variable] for plan in plans]))
        return {metric: before[metric] - told[metric] for metric in READS}

    def _matched_row(self, where: Row, metric: str, before: float, found: np.ndarray | None) -> Row:
        row = where | {
            "control": "matched_random",
            "strength": 1.0,
            "metric": metric,
            "baseline": before,
        }
        if found is None:
            return row | {"n_controls": 0}
        low, median, high = (float(v) for v in np.percentile(found, [2.5, 50, 97.5]))
        return row | {
            "value": before - median,
            "drop": median,
            "ci_low": low,
            "ci_high": high,
            "n_controls": len(found),
        }

    def _retrained(self, plans: Sequence[DosePlan], where: Row, key: tuple[str, str]) -> list[Row]:
        """Is the information gone, or only unused: the probe trained anew after the ablation."""

        def told(units: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
            scores = [
                fold.retrained_scores(of_fold, labels, self.intervention, self.ablation)
                for fold, labels, of_fold in zip(self.folds.folds, self.labels, units, strict=True)
            ]
            return self._told(self.folds.gathered(scores)[None])

        if not hasattr(self, "retrained_before"):
            nothing = np.zeros(0, dtype=np.int64)
            self.retrained_before = told([nothing] * len(plans))
        after = told([plan.named[key] for plan in plans])
        return [
            self._row(
                where,
                "target",
                f"{metric}_retrained",
                float(self.retrained_before[metric][0]),
                float(after[metric][0]),
            )
            for metric in READS
        ]

    def _intervals(self, after: np.ndarray, weights: np.ndarray) -> dict[str, Row]:
        """Intervals of the drop over mice, for the metrics that are means over mice."""
        mice = np.arange(len(self.folds.mice))
        lines = self.folds.lines
        drops = np.stack(
            [
                (self.before.argmax(1) == lines).astype(float) - (after.argmax(1) == lines),
                self.before[mice, lines] - after[mice, lines],
            ],
            axis=1,
        )
        low, high = np.percentile(weighted_means(weights, drops), [2.5, 97.5], axis=0)
        return {
            metric: {"ci_low": float(low[i]), "ci_high": float(high[i])}
            for i, metric in enumerate(("accuracy", "signed_score"))
        }

    def _confusion(self, where: Row, after: np.ndarray) -> list[Row]:
        """Mice by true and told line, before and after."""
        names, rows = self.folds.line_names, []
        for condition, scores in (("clean", self.before), ("ablated", after)):
            told = scores.argmax(1)
            for true, guess in product(range(len(names)), repeat=2):
                count = int(((self.folds.lines == true) & (told == guess)).sum())
                rows.append(
                    {
                        "selected_for": where["selected_for"],
                        "n_units": where["n_units"],
                        "condition": condition,
                        "task": GENOTYPE,
                        "true": names[true],
                        "predicted": names[guess],
                        "count": count,
                    }
                )
        return rows

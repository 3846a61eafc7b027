"""Tables of a small made-up run, in the exact columns, for tests of tables and figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from glassbox.tables import COLUMNS, write_table

DIRECTIONS = tuple(range(0, 360, 45))
FREQUENCIES = (1, 2, 4, 8, 15)
LINES = ("Cux2-CreERT2", "Rorb-IRES2-Cre")
CLASSES = {"direction": DIRECTIONS, "temporal_frequency": FREQUENCIES}
TRUE_ACCURACY = {"direction": 0.85, "temporal_frequency": 0.6}
ENSEMBLE = "identity_keyed_ensemble"
MEDIATORS = ("units", "pca", "ica", "random")
BASELINES = {  # by how much each is worse
    "gaussian_naive_bayes": 0.2,
    "logistic_regression": 0.05,
    "mlp": 0.06,
    "nearest_neighbours": 0.3,
    "shrinkage_lda": 0.08,
}


def _dropped(baseline, drop):
    """The columns of a fall of the accuracy."""
    ends = {"ci_low": drop - 0.02, "ci_high": drop + 0.02}
    return {
        "metric": "accuracy",
        "value": baseline - drop,
        "baseline": baseline,
        "drop": drop,
    } | ends


class Run:
    """A run over `mice` mice, with one session each; `write(folder)` writes all its tables."""

    def __init__(self, mice=12, seeds=(0,), folds=(0,), units=96, genotype=True, seed=0):
        self.rng = np.random.default_rng(seed)
        self.seeds, self.folds, self.units, self.genotype = seeds, folds, units, genotype
        self.mice = [f"M{i + 1:02d}" for i in range(mice)]
        self.line = {m: LINES[i * 2 // mice if mice > 1 else 0] for i, m in enumerate(self.mice)}
        self.session = {m: f"sim-{self.line[m][:4]}-{m[1:]}" for m in self.mice}

    def cohorts(self):
        """(cohort, level, mice) of every cohort that the pipeline would make."""
        made = [(f"mouse-{m}", "mouse", [m]) for m in self.mice]
        if len(self.mice) > 1:
            for line in LINES:
                made.append(
                    (f"genotype-{line}", "genotype", [m for m in self.mice if self.line[m] == line])
                )
            made.append(("all", "all", self.mice))
        return made

    def write(self, folder):
        folder = Path(folder)
        tables = {
            "decoding": self.decoding(),
            "comparisons": self.comparisons(),
            "insertion": self.insertion(),
            "dictionaries": self.dictionaries(),
            "dictionary_sessions": self.dictionary_sessions(),
            **self.units_and_tuning(),
            "ablation": self.ablation(),
            "confusion": self.confusion(),
            "steering": self.steering(),
            "patching": [],
            "genotype": self.genotype_beside_identity() if self.genotype else [],
            "mediators": self.mediators(),
            "descriptions": self.descriptions(),
            "rewriting": self.rewriting(),
            **self.attribution(),
            "ground_truth": [],
            "excluded": [],
        }
        for table, rows in tables.items():
            write_table(table, folder / f"{table}.csv", rows)
        return folder

    def decoding(self):
        for cohort, level, mice in self.cohorts():
            for m in mice:
                for task in TRUE_ACCURACY:
                    for s in self.seeds:
                        for fold in [*self.folds, "pooled"]:
                            about = self._session_of(cohort, level, m)
                            yield self._decoded(about, "identity_keyed", s, fold, task, level)
                    for model in BASELINES if level == "mouse" else ():
                        for fold in [*self.folds, "pooled"]:
                            about = self._session_of(cohort, level, m)
                            yield self._decoded(about, model, "", fold, task, level)
                    if len(self.seeds) > 1:
                        about = self._session_of(cohort, level, m)
                        yield self._decoded(about, ENSEMBLE, "", "pooled", task, level)
            for task in TRUE_ACCURACY:
                about = {"cohort": cohort, "level": level}
                for model in ("identity_keyed", *BASELINES):
                    yield self._decoded(about, model, "", "pooled", task, level)

    def comparisons(self):
        for cohort, level, mice in self.cohorts():
            for task in TRUE_ACCURACY:
                for baseline, worse in BASELINES.items():
                    chosen = baseline == "logistic_regression"
                    for m in mice:
                        about = self._session_of(cohort, level, m)
                        for s in ("", *self.seeds) if chosen else ("",):
                            yield self._compared(about, task, s, baseline, chosen, worse)
                        if len(self.seeds) > 1:
                            row = self._compared(about, task, "", baseline, chosen, worse)
                            yield row | {"model": ENSEMBLE}
                    about = {"cohort": cohort, "level": level}
                    yield self._compared(about, task, "", baseline, False, worse)
                about = {"cohort": cohort, "level": level}
                yield self._compared(about, task, "", "chosen", True, 0.05)

    def _session_of(self, cohort, level, m):
        return {
            "cohort": cohort,
            "level": level,
            "mouse": m,
            "genotype": self.line[m],
            "session": self.session[m],
        }

    def _decoded(self, about, model, seed, fold, task, level):
        value = np.clip(TRUE_ACCURACY[task] + self.rng.normal(0, 0.05), 0, 1)
        value += 0.03 * (level != "mouse") - BASELINES.get(model, 0)
        value = min(value, 1.0)
        n = 598 if fold == "pooled" else 120
        half = 1.96 * np.sqrt(value * (1 - value) / n)
        return {
            **about,
            "model": model,
            "seed": seed,
            "split": "crossfit",
            "fold": fold,
            "part": "test",
            "task": task,
            "metric": "accuracy",
            "value": value,
            "ci_low": value - half,
            "ci_high": min(value + half, 1.0),
            "chance": 1 / len(CLASSES[task]),
            "n": n,
        }

    def _compared(self, about, task, seed, baseline, chosen, worse):
        difference = worse + self.rng.normal(0, 0.02)
        return {
            **about,
            "split": "crossfit",
            "task": task,
            "model": "identity_keyed",
            "seed": seed,
            "baseline": baseline,
            "chosen": chosen,
            "metric": "accuracy",
            "difference": difference,
            "ci_low": difference - 0.03,
            "ci_high": difference + 0.03,
            "n": 598,
        }

    def _fit(self, cohort, level, seed, **more):
        return {
            "cohort": cohort,
            "level": level,
            "seed": seed,
            "hook": "latents",
            "dictionary": "topk",
            **more,
        }

    def insertion(self):
        for cohort, level, mice in self.cohorts():
            for s in self.seeds:
                for m in mice:
                    for task, base in TRUE_ACCURACY.items():
                        clean = base + self.rng.normal(0, 0.05)
                        cost = {
                            "clean": 0.0,
                            "spliced": 0.006,
                            "noise": 0.12,
                            "spliced_minus_clean": clean + 0.006,
                        }
                        for condition, c in cost.items():
                            half = 0.01 if c > clean else 0.03
                            value = clean - c - (c > 0) * abs(self.rng.normal(0, 0.006))
                            yield self._fit(
                                cohort,
                                level,
                                s,
                                session=self.session[m],
                                width=512,
                                k=16,
                                condition=condition,
                                task=task,
                                metric="accuracy",
                                value=value,
                                ci_low=value - half,
                                ci_high=value + half,
                                n=598,
                            )

    def dictionaries(self):
        for cohort, level, _ in self.cohorts():
            for s in self.seeds:
                for f in self.folds:
                    yield self._fit(
                        cohort,
                        level,
                        s,
                        fold=f,
                        width=512,
                        k=16,
                        fvu=0.08,
                        l0=15.6,
                        dead_fraction=0.4,
                        loss_recovered=0.99,
                        epochs=20,
                    )

    def dictionary_sessions(self):
        for row in self.dictionaries():
            for m in self.mice if row["level"] == "all" else ():
                named = {key: v for key, v in row.items() if key in COLUMNS["dictionary_sessions"]}
                yield named | {
                    "session": self.session[m],
                    "held_out": False,
                    "explained_variance": 0.92,
                    "firing_fraction": 0.6,
                    "density_p10": 0.001,
                    "density_median": 0.02,
                    "density_p90": 0.1,
                    "n": 598 * 16,
                }

    def units_and_tuning(self):
        units, tuning = [], []
        for cohort, level, mice in self.cohorts():
            for s in self.seeds:
                for f in self.folds:
                    for u in range(self.units):
                        self._one_unit(units, tuning, cohort, level, mice, s, f, u * 3)
        return {"units": units, "tuning": tuning}

    def _one_unit(self, units, tuning, cohort, level, mice, s, f, u):
        rng = self.rng
        fit = self._fit(cohort, level, s, fold=f, unit=u)
        tuned = {"direction": rng.random() < 0.5, "temporal_frequency": rng.random() < 0.3}
        preferred = rng.choice(DIRECTIONS)
        away = np.deg2rad(np.array(DIRECTIONS) - preferred)
        curve = np.exp(3 * (np.cos(away) - 1)) + rng.uniform(0, 1) * np.exp(3 * (-np.cos(away) - 1))
        peak = rng.choice(len(FREQUENCIES))
        curves = {
            "direction": curve if tuned["direction"] else np.ones(8),
            "temporal_frequency": np.exp(-((np.arange(5) - peak) ** 2) / 2)
            if tuned["temporal_frequency"]
            else np.ones(5),
        }
        for variable, values in curves.items():
            values = np.clip(values + rng.normal(0, 0.05, values.size), 0, None)
            p = 1e-4 if tuned[variable] else rng.random()
            effect = rng.uniform(0.1, 0.8) if tuned[variable] else rng.normal(0, 0.005)
            units.append(
                fit
                | {
                    "variable": variable,
                    "score": effect,
                    "preferred": CLASSES[variable][int(values.argmax())],
                    "effect_size": effect,
                    "p": p,
                    "q": min(p * 3, 1.0),
                    "selective": bool(tuned[variable]),
                    "density": rng.uniform(0.01, 0.3),
                    "osi": rng.random() if variable == "direction" else None,
                    "dsi": rng.random() if variable == "direction" else None,
                    "partner_correlation": 0.1 + u % 9 / 10,
                    "partner_chance": 0.25,
                }
            )
            for condition, response in zip(CLASSES[variable], values, strict=True):
                row = {"variable": variable, "condition": condition, "response": response}
                tuning.append(fit | row | {"sem": 0.06, "n": 15})
        if level == "all" and self.genotype:
            effect = rng.normal(0.1, 0.2)
            p = max(1 / 462, float(np.clip(rng.random() - 2 * effect, 0, 1)))
            units.append(
                fit
                | {
                    "variable": "genotype",
                    "score": abs(effect),
                    "preferred": LINES[0],
                    "effect_size": min(effect, 1.0),
                    "p": p,
                    "q": min(2 * p, 1.0),
                    "selective": 2 * p < 0.05,
                    "density": 0.1,
                }
            )
            for line in LINES:
                row = {"variable": "genotype", "condition": line, "response": rng.random()}
                tuning.append(fit | row | {"sem": 0.1, "n": len(mice) // 2})

    def ablation(self):
        for cohort, level, mice in self.cohorts():
            variables = ["direction", "temporal_frequency"]
            for s in self.seeds:
                for chosen in variables:
                    for measured in variables:
                        for n_units in (1, 2, 4, 8, 16, 32, 64):
                            for m in [*mice, ""]:
                                yield from self._drops(
                                    cohort, level, m, s, chosen, measured, n_units
                                )
        if self.genotype and len(self.mice) > 1:
            variables = ["direction", "temporal_frequency", "genotype"]
            for s in self.seeds:
                for fold in range(3):
                    for chosen in variables:
                        for measured in variables:
                            if "genotype" not in (chosen, measured):
                                continue
                            for n_units in (1, 4, 16, 64):
                                yield from self._drops(
                                    f"all-without-{fold}",
                                    "heldout",
                                    "",
                                    s,
                                    chosen,
                                    measured,
                                    n_units,
                                )

    def _drops(self, cohort, level, mouse, seed, chosen, measured, n_units):
        rng = self.rng
        strong = 0.6 if chosen == measured else 0.1
        base = TRUE_ACCURACY.get(measured, 0.8)
        kinds = [("spliced", "zero", 1.0), ("error_preserving", "zero", 1.0)]
        if chosen == measured:
            kinds.append(("spliced", "keep_mean", 1.0))
            kinds += [("error_preserving", "zero", strength) for strength in (0.5, 2.0)]
        for intervention, ablation, strength in kinds:
            for control, scale in (
                ("target", strong),
                ("other_variable", 0.12),
                ("top_energy", 0.3),
            ):
                if strength != 1 and control != "target":
                    continue
                drop = scale * base * n_units / (n_units + 12) + rng.normal(0, 0.01)
                drop *= strength
                matched = control == "target" and n_units <= 32 and strength == 1
                yield self._fit(
                    cohort,
                    level,
                    seed,
                    mouse=mouse,
                    session=self.session.get(mouse, ""),
                    intervention=intervention,
                    ablation=ablation,
                    selected_for=chosen,
                    measured_on=measured,
                    control=control,
                    n_units=n_units,
                    strength=strength,
                    metric="accuracy",
                    value=base - drop,
                    baseline=base,
                    drop=drop,
                    ci_low=drop - 0.03,
                    ci_high=drop + 0.03,
                    p=(1 / 201 if chosen == measured else 0.4) if matched else None,
                    control_low=-0.01 if matched else None,
                    control_high=0.02 + 0.001 * n_units if matched else None,
                    control_median=0.004 if matched else None,
                    n_controls=200 if matched else 0,
                    selectivity=drop - 0.1 if control == "target" else None,
                )

    def mediators(self):
        for cohort, level, _ in self.cohorts():
            for s in self.seeds:
                for variable in CLASSES:
                    for n_cells in (1, 4, 16):
                        base, drop = TRUE_ACCURACY.get(variable, 0.8), 0.03 * n_cells
                        yield {
                            "cohort": cohort,
                            "level": level,
                            "seed": s,
                            "hook": "latents",
                            "mediator": "cells",
                            "n_parts": n_cells,
                            "selected_for": variable,
                            "measured_on": variable,
                            "n": 100,
                        } | _dropped(base, drop)
                        for rank, mediator in enumerate(MEDIATORS):
                            yield from self._without_components(
                                self._fit(cohort, level, s), mediator, variable, n_cells, rank
                            )

    def _without_components(self, where, mediator, variable, n_parts, rank):
        for measured in CLASSES:
            base = TRUE_ACCURACY.get(measured, 0.8)
            drop = (0.02 if measured == variable else 0.004) * n_parts / (1 + rank)
            row = {
                "mediator": mediator,
                "n_parts": n_parts,
                "selected_for": variable,
                "measured_on": measured,
                "n": 400,
                "p": 0.05,
                "control_low": -0.01,
                "control_median": 0.0,
                "control_high": 0.01,
                "n_controls": 20,
                "available": 64,
                "variance_share": 0.01 * n_parts * (1 + rank),
            } | _dropped(base, drop)
            if measured == variable:
                row |= {"selectivity": 0.8 * drop}
                row |= {"selectivity_low": 0.8 * drop - 0.02, "selectivity_high": 0.8 * drop + 0.02}
            yield {key: value for key, value in where.items() if key != "dictionary"} | row

    def steering(self):
        for cohort, level, _ in self.cohorts():
            for s in self.seeds:
                for fold in self.folds:
                    for variable, values in CLASSES.items():
                        for control, right in (("target", 0.8), ("random", 1 / len(values))):
                            for unit in (*range(12), None):
                                yield from self._steered(
                                    self._fit(cohort, level, s, fold=fold),
                                    variable,
                                    values,
                                    control,
                                    right,
                                    unit,
                                )

    def _steered(self, where, variable, values, control, right, unit):
        asked = values[0 if unit is None else unit % len(values)]
        for dose in (0.5, 1, 4):
            moved = self.rng.random() < right
            moved_to = asked if moved else self.rng.choice([v for v in values if v != asked])
            yield where | {
                "variable": variable,
                "control": control,
                "unit": unit,
                "n_units": 3 if unit is None else 1,
                "asked": asked,
                "dose": dose,
                "before": 0.02,
                "after": 0.02 + 0.1 * dose * moved,
                "gain": 0.1 * dose if moved else -0.05,
                "moved_to": moved_to,
                "moved": bool(moved_to == asked),
                "predicted": moved_to,
                "n": 100,
            }

    def genotype_beside_identity(self):
        told = {"units": 0.9, "latents": 0.6, "mean_rate": 0.5, "chosen_identity": 0.5}
        about = {"cohort": "all-without", "level": "heldout", "metric": "standardised_score"}
        about |= {"hook": "latents", "dictionary": "topk"}
        for s in self.seeds:
            here = about | {"seed": s}
            yield here | {"source": "depth", "n": 0, "reason": "not estimable: Cux2 at 175 µm only"}
            drawn = {}
            for source, value in told.items():
                drawn[source] = value + self.rng.normal(0, 0.2, len(self.mice))
                mean = drawn[source].mean()
                ends = {"ci_low": mean - 0.1, "ci_high": mean + 0.1}
                row = {"source": source, "value": mean, "p": 0.004, "n": len(self.mice)}
                yield here | row | ends | {"relabelings": 215, "reason": ""}
                for mouse, one in zip(self.mice, drawn[source], strict=True):
                    line = self.line[mouse]
                    yield (
                        here
                        | {"source": source, "mouse": mouse, "genotype": line}
                        | {
                            "value": one,
                            "n": 1,
                        }
                    )
            for source in ("mean_rate", "chosen_identity"):
                mean = (drawn["units"] - drawn[source]).mean()
                ends = {"ci_low": mean - 0.1, "ci_high": mean + 0.1}
                row = {"source": "units", "baseline": source, "value": mean, "p": 0.02}
                yield here | row | ends | {"n": len(self.mice), "reason": "chosen: mean_rate"}

    def descriptions(self):
        """The sentence of the first unit of each cohort."""
        for cohort, level, _ in self.cohorts():
            yield self._fit(
                cohort,
                level,
                0,
                fold=0,
                unit=0,
                description="fires for gratings drifting at 0°; not otherwise",
                variables="direction",
                score=0.7,
                r2=0.45,
                auroc=0.9,
                ceiling=0.8,
                null_median=-0.1,
                null_high=0.5,
                p=0.01,
                q=0.03,
                n=120,
                content="{}",
            )

    def rewriting(self):
        for cohort, level, _ in self.cohorts():
            for condition, value in (("clean", 0.9), ("descriptions", 1.0), ("shuffled", 0.12)):
                yield self._fit(
                    cohort,
                    level,
                    0,
                    condition=condition,
                    task="direction",
                    metric="accuracy",
                    value=value,
                    ci_low=value - 0.05,
                    ci_high=min(value + 0.05, 1.0),
                    n=120,
                )

    def attribution(self):
        """Three units of each variable in the first session of the largest cohort."""
        cohort, level, mice = self.cohorts()[-1]
        tables = {"attribution": [], "attribution_check": []}
        for v, variable in enumerate(CLASSES):
            for unit in range(3 * v, 3 * v + 3):
                about = self._fit(cohort, level, 0, fold=0, unit=unit) | {
                    "session": self.session[mice[0]]
                }
                for rank in range(1, 6):
                    cell = (unit + rank) % 9
                    tables["attribution"].append(
                        about
                        | {
                            "cell": cell,
                            "cell_specimen_id": 517_000_000 + cell,
                            "weight": 0.5 / rank,
                            "share": 0.3 / rank,
                            "rank": rank,
                            "n": 8,
                        }
                    )
                for n_cells in (1, 2, 4):
                    tables["attribution_check"].append(
                        about
                        | {
                            "variable": variable,
                            "effect_size": 0.6 - unit / 20,
                            "n_cells": n_cells,
                            "activation": 0.5,
                            "drop": 0.1 * n_cells,
                            "control_low": -0.02,
                            "control_median": 0.01,
                            "control_high": 0.05,
                            "p": 0.01,
                            "n_controls": 99,
                            "n": 8,
                        }
                    )
        return tables

    def confusion(self):
        for cohort, level, _ in self.cohorts():
            for s in self.seeds:
                for task, classes in CLASSES.items():
                    for condition, right in (("clean", 0.85), ("ablated", 0.3)):
                        for true in classes:
                            counts = self.rng.multinomial(
                                75,
                                [
                                    right if c == true else (1 - right) / (len(classes) - 1)
                                    for c in classes
                                ],
                            )
                            for predicted, count in zip(classes, counts, strict=True):
                                yield self._fit(
                                    cohort,
                                    level,
                                    s,
                                    intervention="error_preserving",
                                    ablation="zero",
                                    selected_for=task,
                                    n_units=32,
                                    condition=condition,
                                    task=task,
                                    true=true,
                                    predicted=predicted,
                                    count=count,
                                )

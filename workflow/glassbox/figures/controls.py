"""Supplement to claim 3: each control of an ablation, beside the target."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from glassbox.figures.ablation import GENOTYPE, METRIC, ORDER, at_doses_of_all_fits
from glassbox.figures.choose import cohort_in_words, main_cohort, one_dictionary
from glassbox.figures.options import FiguresOptions
from glassbox.figures.read import read_tables
from glassbox.figures.summaries import counted

RANDOM, WAYS, LOG, KEEP, SEEDS, RETRAINED = "random_ ways_ log_ keep_ seeds_ retrained".split()
PRIMARY = ("error_preserving", "zero")
SUFFICIENCY = ("spliced", "keep_mean")
INTERVENTIONS = ("error_preserving", "spliced")
ABLATIONS = ("zero", "mean", "resample")
KEEPING = ("keep_mean", "keep_zero")
CONTROLS = ("target", "other_variable", "shuffled_labels", "top_energy")
LOG_PROBABILITY = "log_probability"
READ = "signed_score"  # of genotype: the margin of a held-out mouse's own line
BINS = 12
MOST_VARIABLES = 2  # drawn
NEEDED = (
    "cohort seed hook dictionary intervention ablation selected_for measured_on n_units set metric "
    "drop".split()
)


def read_controls(paths: Iterable[str]) -> pd.DataFrame:
    """The tables controls.csv of all cohorts as one: the drop under every matched random set."""
    return read_tables(paths, NEEDED, "ablate_units", ("cohort", "level"))


def numbers(
    ablation: pd.DataFrame, sets: pd.DataFrame, options: FiguresOptions
) -> Iterator[dict[str, Any]]:
    """The rows drawn of the cohort's variables, and of genotype where mice were held out."""
    cohort = main_cohort(ablation, options)
    rows = one_dictionary(ablation, options)
    genotype = rows[(rows.selected_for == GENOTYPE) & (rows.measured_on == GENOTYPE)]
    rows = rows[(rows.cohort == cohort) & (rows.strength == 1) & (rows.selected_for != GENOTYPE)]
    sets = sets[sets.cohort == cohort]
    variables = [v for v in ORDER if v in set(rows.selected_for)][:MOST_VARIABLES]
    for variable in variables:
        chosen = rows[rows.selected_for == variable]
        own = chosen[chosen.measured_on == variable]
        dose = _dose(_of(own, *PRIMARY))
        yield from _by_set(_of(own, *PRIMARY), sets, variable, dose)
        yield from _by_way(chosen, variable, dose)
        yield from _by_log_probability(_of(own, *PRIMARY, LOG_PROBABILITY), variable)
        yield from _kept(own, variable)
        yield from _by_seed(_of(own, *PRIMARY), variable, dose)
    yield from _retrained(genotype)
    if variables:
        yield {"kind": "note", "text": _note(rows, genotype)}
        yield {
            "kind": "title",
            "text": f"What is each ablation held against? ({cohort_in_words(cohort)})",
        }


def _of(rows: pd.DataFrame, intervention: str, ablation: str, metric: str = METRIC) -> pd.DataFrame:
    chosen = (rows.intervention == intervention) & (rows.ablation == ablation)
    return rows[chosen & (rows.metric == metric)]


def _dose(own: pd.DataFrame) -> float:
    """The largest dose with matched random sets in every seed, else the largest of every seed."""
    target = at_doses_of_all_fits(own[own.control == "target"])
    matched = target.groupby("n_units").n_controls.min()
    have = matched.index[matched > 0]
    return float(max(have)) if len(have) else float(target.n_units.max())


def _by_set(
    own: pd.DataFrame, sets: pd.DataFrame, variable: str, dose: float
) -> Iterator[dict[str, Any]]:
    """How many matched sets of the first seed cost how much, and where the named sets lie."""
    where = {"panel": RANDOM + variable, "variable": variable, "n_units": dose}
    its = own[own.n_units == dose]
    its = its[its.seed == its.seed.min()]
    drops = _of(sets, *PRIMARY)
    chosen = (drops.selected_for == variable) & (drops.measured_on == variable)
    drops = drops[chosen & (drops.n_units == dose) & (drops.seed == its.seed.min())]["drop"]
    if len(drops):
        count, edges = np.histogram(drops, BINS)
        for many, low, high in zip(count, edges[:-1], edges[1:], strict=True):
            yield where | {"kind": "bin", "value": many, "low": low, "high": high, "n": len(drops)}
    for control, row in its.groupby("control").mean(numeric_only=True).iterrows():
        if control in CONTROLS:
            ends = {"low": row.ci_low, "high": row.ci_high, "p": row.p}
            yield where | {"kind": "line", "control": control, "value": row["drop"]} | ends


def _by_way(chosen: pd.DataFrame, variable: str, dose: float) -> Iterator[dict[str, Any]]:
    """The drop under each form of ablation, of the variable and of the others, mean over seeds."""
    its = chosen[(chosen.control == "target") & (chosen.n_units == dose)]
    for place, way in enumerate(product(INTERVENTIONS, ABLATIONS)):
        here = _of(its, *way)
        asked, others = (here[(here.measured_on == variable) == own] for own in (True, False))
        where = {"panel": WAYS + variable, "variable": variable, "n_units": dose, "place": place}
        where["condition"] = " ".join(way)
        if len(asked):
            ends = {"low": asked.ci_low.mean(), "high": asked.ci_high.mean()}
            yield where | {"kind": "asked", "value": asked["drop"].mean(), "n": len(asked)} | ends
        if len(others):
            yield where | {"kind": "others", "value": others["drop"].mean(), "n": len(others)}


def _by_log_probability(own: pd.DataFrame, variable: str) -> Iterator[dict[str, Any]]:
    where = {"panel": LOG + variable, "variable": variable}
    for control in CONTROLS:
        its = at_doses_of_all_fits(own[own.control == control])
        for n_units, here in its.groupby("n_units"):
            row = where | {"place": n_units, "control": control, "n": len(here)}
            yield row | {"kind": "line", "value": here["drop"].mean()}
            matched = here[here.n_controls > 0]
            if len(matched):
                yield row | {
                    "kind": "band",
                    "control": "matched_random",
                    "value": matched.control_median.mean(),
                    "low": matched.control_low.mean(),
                    "high": matched.control_high.mean(),
                    "n": matched.n_controls.min(),
                }


def _kept(own: pd.DataFrame, variable: str) -> Iterator[dict[str, Any]]:
    """Accuracy with only the variable's units, in all four forms."""
    where = {"panel": KEEP + variable, "variable": variable}
    target = own[own.control == "target"]
    for way in product(("spliced", "error_preserving"), KEEPING):
        its = _of(target, *way)
        for n_units, here in at_doses_of_all_fits(its).groupby("n_units") if len(its) else ():
            row = where | {"place": n_units, "condition": " ".join(way)}
            yield row | {"kind": "line", "value": here.value.mean(), "n": len(here)}
            matched = here[here.n_controls > 0]
            if way == SUFFICIENCY and len(matched):
                yield row | {
                    "kind": "band",
                    "value": (matched.baseline - matched.control_median).mean(),
                    "low": (matched.baseline - matched.control_high).mean(),
                    "high": (matched.baseline - matched.control_low).mean(),
                    "n": matched.n_controls.min(),
                }
    clean = _of(target, *PRIMARY).baseline.mean()
    yield where | {"kind": "clean", "value": clean}


def _by_seed(own: pd.DataFrame, variable: str, dose: float) -> Iterator[dict[str, Any]]:
    """The drop in each seed of decoder and dictionary, where there are several."""
    target = own[(own.control == "target") & (own.n_units == dose)]
    if target.seed.nunique() < 2:
        return
    for seed, row in target.groupby("seed").mean(numeric_only=True).iterrows():
        where = {"panel": SEEDS + variable, "variable": variable, "n_units": dose, "place": seed}
        ends = {"low": row.ci_low, "high": row.ci_high}
        yield where | {"kind": "asked", "value": row["drop"]} | ends
        if row.n_controls > 0:
            ends = {"low": row.control_low, "high": row.control_high, "n": row.n_controls}
            yield where | {"kind": "band", "value": row.control_median} | ends


def _retrained(genotype: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """How well held-out mice are told by the probe as it was trained, and by one trained anew."""
    for kind, metric in (("read", READ), ("retrained", f"{READ}_retrained")):
        its = _of(genotype[genotype.control == "target"], *PRIMARY, metric)
        where = {"panel": RETRAINED, "variable": GENOTYPE, "kind": kind}
        for n_units, here in at_doses_of_all_fits(its).groupby("n_units") if len(its) else ():
            yield where | {"place": n_units, "value": here.value.mean(), "n": len(here)}
        if len(its):
            yield where | {"kind": f"{kind}_before", "value": its.baseline.mean()}


def _note(rows: pd.DataFrame, genotype: pd.DataFrame) -> str:
    seeds = counted(rows.seed.nunique(), "seed")
    text = (
        f"Units chosen on selection trials, read on test trials, folds pooled, {seeds} (mean, "
        "where nothing else is said). First row: drop in accuracy without random sets matched in "
        "number, energy and density (first seed; p conditional on its model) and without the named "
        "sets, units set to zero, error-preserving. Second: the same units taken away in every "
        "form; drop of the variable (filled, 95% interval) and mean drop of the others (open). "
        "Third: what the log-probability of the true class loses; grey: 95% of the matched sets. "
        "Fourth: accuracy with only the variable's units, the others set to their mean or to zero; "
        "grey: 95% of matched sets under the first form; dashed: the whole decoder. "
    )
    if rows.seed.nunique() > 1:
        text += "Seeds: of decoder and dictionary together; grey: 95% of the matched sets. "
    if genotype.empty:
        return text
    return text + (
        "Genotype: mean margin by which a held-out mouse's own line is read, by the probe as "
        "trained and by one trained after the ablation."
    )

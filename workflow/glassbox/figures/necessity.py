"""Are the units of a variable needed, and do they suffice? How much of them must go, and do they
carry more than as many cells or components of other bases?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from glassbox.figures.ablation import GENOTYPE, METRIC, ORDER, at_doses_of_all_fits
from glassbox.figures.choose import cohort_in_words, main_cohort, one_dictionary
from glassbox.figures.options import FiguresOptions
from glassbox.figures.summaries import counted

NUMBER, STRENGTH, MEDIATOR = "number_", "strength_", "mediator_"
WITHOUT, ONLY, CELLS = "without", "only", "cells"
PARTS = ("head", "latent")  # mediators of which each part is taken away by itself
WAYS = {WITHOUT: ("error_preserving", "zero"), ONLY: ("spliced", "keep_mean")}
MOST_VARIABLES = 3  # drawn


def numbers(
    ablation: pd.DataFrame,
    mediators: pd.DataFrame,
    confusion: pd.DataFrame,
    options: FiguresOptions,
) -> Iterator[dict[str, Any]]:
    """The rows drawn: accuracy by number of units and by the share taken away, with controls."""
    cohort = main_cohort(ablation, options)
    rows = one_dictionary(ablation, options)
    rows = rows[(rows.cohort == cohort) & (rows.metric == METRIC) & (rows.control == "target")]
    rows = rows[(rows.selected_for == rows.measured_on) & (rows.selected_for != GENOTYPE)]
    others = mediators[(mediators.cohort == cohort) & (mediators.metric == METRIC)]
    others = others[~others.mediator.isin(PARTS)]
    cells = others[(others.mediator == CELLS) & (others.selected_for == others.measured_on)]
    variables = [v for v in ORDER if v in set(rows.selected_for)][:MOST_VARIABLES]
    for variable in variables:
        own = rows[rows.selected_for == variable]
        for way, (intervention, kind) in WAYS.items():
            its = own[(own.intervention == intervention) & (own.ablation == kind)]
            yield from _by_number(its[its.strength == 1], variable, way)
            if way == WITHOUT:
                yield from _by_strength(its, variable)
        clean = own[own.intervention == WAYS[WITHOUT][0]].baseline.mean()
        yield from _by_cells(cells[cells.selected_for == variable], variable, clean)
        yield from _levels(own, confusion[confusion.cohort == cohort], variable)
        yield from _by_mediator(others[others.selected_for == variable], variable)
    if variables:
        yield {"kind": "note", "text": _note(rows, cells, others)}
        text = f"Are a variable's units needed, and do they suffice? ({cohort_in_words(cohort)})"
        yield {"kind": "title", "text": text}


def _summary(its: pd.DataFrame) -> dict[str, Any]:
    """Accuracy over seeds: its mean, and the mean ends of the seeds' intervals."""
    return {
        "value": its.value.mean(),
        "low": (its.baseline - its.ci_high).mean(),
        "high": (its.baseline - its.ci_low).mean(),
        "n": len(its),
    }


def _by_number(its: pd.DataFrame, variable: str, way: str) -> Iterator[dict[str, Any]]:
    where = {"panel": NUMBER + variable, "variable": variable}
    for n_units, of_one in at_doses_of_all_fits(its).groupby("n_units"):
        yield where | {"kind": way, "place": n_units} | _summary(of_one)
        matched = of_one[of_one.n_controls > 0]
        if len(matched):
            yield where | {
                "kind": f"{way}_matched",
                "place": n_units,
                "value": (matched.baseline - matched.control_median).mean(),
                "low": (matched.baseline - matched.control_high).mean(),
                "high": (matched.baseline - matched.control_low).mean(),
                "n": matched.n_controls.min(),
            }


def _by_cells(cells: pd.DataFrame, variable: str, clean: float) -> Iterator[dict[str, Any]]:
    """What the cells cost, off the whole decoder's accuracy on the units' trials.

    Cells may be read on fewer trials (`interventions.steering_trials`), where the whole decoder
    has another accuracy: only the drop is comparable.
    """
    where = {"panel": NUMBER + variable, "variable": variable}
    for n_cells, its in at_doses_of_all_fits(cells, "n_parts").groupby("n_parts"):
        yield where | {
            "kind": CELLS,
            "place": n_cells,
            "value": clean - its["drop"].mean(),
            "low": clean - its.ci_high.mean(),
            "high": clean - its.ci_low.mean(),
            "n": len(its),
        }


def _by_mediator(its: pd.DataFrame, variable: str) -> Iterator[dict[str, Any]]:
    """What as many parts of each mediator cost, the one that costs the variable most first.

    As many: the largest number that most of the mediators have; of one with fewer all that there
    are.
    """
    if its.mediator.nunique() < 2:
        return
    have = its.groupby("n_parts").mediator.nunique()
    n_parts = have.index[2 * have > its.mediator.nunique()].max()
    its = its[its.n_parts <= n_parts]
    its = its[its.n_parts == its.groupby("mediator").n_parts.transform("max")]
    asked = its[its.measured_on == variable].groupby("mediator").mean(numeric_only=True)
    others = its[its.measured_on != variable].groupby("mediator").mean(numeric_only=True)
    asked = asked.sort_values("drop", ascending=False, kind="stable")
    fits = its.seed.nunique()
    for place, (mediator, row) in enumerate(asked.iterrows()):
        where = {"panel": MEDIATOR + variable, "variable": variable, "n_units": row.n_parts}
        where |= {"place": place, "text": mediator}
        ends = {"low": row.ci_low, "high": row.ci_high}
        yield where | {"kind": "asked", "value": row["drop"], "n": fits} | ends
        if mediator in others.index:
            spared = others.loc[mediator]
            yield where | {"kind": "others", "value": spared["drop"], "n": fits}
        if row.n_controls > 0:
            ends = {"low": row.control_low, "high": row.control_high}
            controls = {"value": row.control_median, "n": row.n_controls}
            yield where | {"kind": "random"} | controls | ends
        if np.isfinite(row.variance_share):
            yield where | {"kind": "variance", "value": row.variance_share}


def _by_strength(its: pd.DataFrame, variable: str) -> Iterator[dict[str, Any]]:
    """Accuracy by the share that was taken away, at the largest number of units of all fits."""
    its = its[its.n_units.isin(its[its.strength != 1].n_units)]
    if its.empty:
        return
    n_units = at_doses_of_all_fits(its).n_units.max()
    its = its[its.n_units == n_units]
    where = {"panel": STRENGTH + variable, "variable": variable, "n_units": n_units}
    for strength, of_one in its.groupby("strength"):
        yield where | {"kind": WITHOUT, "place": strength} | _summary(of_one)
    clean = its.baseline.mean()
    yield where | {"kind": WITHOUT, "place": 0, "value": clean, "low": clean, "high": clean}


def _levels(own: pd.DataFrame, confusion: pd.DataFrame, variable: str) -> Iterator[dict[str, Any]]:
    """Accuracy of the whole decoder, and of one that says always the same."""
    clean = own[own.intervention == WAYS[WITHOUT][0]].baseline.mean()
    classes = confusion[confusion.task == variable].true.nunique()
    for panel in (NUMBER, STRENGTH):
        where = {"panel": panel + variable, "variable": variable}
        yield where | {"kind": "clean", "value": clean}
        yield where | {"kind": "chance", "value": 1 / classes if classes else np.nan}


def _note(rows: pd.DataFrame, cells: pd.DataFrame, others: pd.DataFrame) -> str:
    counts = rows[rows.n_controls > 0].n_controls
    text = (
        "Units selected on selection trials, read on test trials, fitted folds pooled; "
        f"{counted(rows.seed.nunique(), 'seed')}, mean with the seeds' mean 95% interval over "
        "trials. Without: the units set to zero, error-preserving. Only: all other units set to "
        "their mean, spliced. Bars: 95% of random sets matched in number, energy and density, "
        "dash: their median; "
    )
    if len(counts):
        text += f"at least {int(counts.min())} sets; no bar: no match. "
    if len(cells):
        text += (
            "Cells: as many of the most tuned cells of each session show their mean time course; "
            f"what that costs in {counted(int(cells.n.median()), 'trial')}, off the whole "
            "decoder's accuracy. "
        )
    text += (
        "Second row: accuracy by the share of the way from the activation to zero, above 1 the "
        "unit is turned over. Dashed: the whole decoder, and chance. "
    )
    if others.mediator.nunique() < 2:
        return text
    text += (
        "Third row: as many cells, units, or components of other bases of the latents (in "
        "brackets: where fewer are selective), chosen on selection trials, set to zero (cells: to "
        "their mean time course); drop of the variable (filled, 95% interval), mean drop of the "
        "others (open); "
    )
    drawn = others[others.n_controls > 0].n_controls
    if len(drawn):
        text += f"grey: 95% of {counted(int(drawn.min()), 'random set')} of as many; "
    return text + ("%: their share of the latents' variance (above 100% where directions overlap).")

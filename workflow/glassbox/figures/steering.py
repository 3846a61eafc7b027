"""Does a clamped unit move the decoder to what the unit stands for?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from glassbox.figures.choose import by_size, cohort_in_words, main_cohort, one_dictionary
from glassbox.figures.options import FiguresOptions
from glassbox.figures.summaries import counted
from glassbox.statistics import exact_interval

ROSE, MATRIX = "rose", "matrix"
ALONE, TOGETHER = "alone_", "together_"
ROUND = {"direction": 360.0, "orientation": 180.0}  # degrees after which values repeat
STATED_DOSE = 1.0  # the 99th percentile itself
MOST_VARIABLES = 3  # drawn


def numbers(steering: pd.DataFrame, options: FiguresOptions) -> Iterator[dict[str, Any]]:
    """The rows drawn: where units move the decoder, and how often by dose, beside the controls."""
    cohort = main_cohort(steering, options)
    rows = one_dictionary(steering, options)
    rows = rows[rows.cohort == cohort]
    if rows.empty:
        return
    dose = stated_dose(rows)
    alone = rows[rows.unit.notna()]
    here = alone[alone.dose == dose]
    variables = list(dict.fromkeys(alone.variable))
    turning = next((v for v in variables if v in ROUND), "")
    if turning:
        yield from _rose(here[here.variable == turning], turning)
    for variable in variables[:MOST_VARIABLES]:
        yield from _by_dose(rows[rows.variable == variable], variable)
    for variable in [v for v in variables if v != turning][:1]:
        yield from _moves(here[here.variable == variable], variable)
    yield {"kind": "note", "text": _note(rows, dose)}
    yield {
        "kind": "title",
        "text": "Does a clamped unit move the decoder to what the unit stands for? "
        f"({cohort_in_words(cohort)})",
    }


def stated_dose(rows: pd.DataFrame) -> float:
    """The dose nearest to the units' 99th percentile."""
    doses = sorted(set(rows.dose))
    return min(doses, key=lambda dose: abs(dose - STATED_DOSE))


def _rose(rows: pd.DataFrame, variable: str) -> Iterator[dict[str, Any]]:
    """Share of units by the angle between what was asked and what gained most."""
    turn = ROUND[variable]
    for control, its in rows.groupby("control"):
        angle = (its.moved_to.astype(float) - its.asked.astype(float)) % turn
        for place in sorted(set(rows.asked.astype(float)) | set(rows.moved_to.astype(float))):
            yield {
                "panel": ROSE,
                "kind": "petal",
                "variable": variable,
                "control": control,
                "place": place,
                "value": (angle == place).mean(),
                "n": len(its),
            }


def _by_dose(rows: pd.DataFrame, variable: str) -> Iterator[dict[str, Any]]:
    """Shares by dose: of units that move the decoder, of trials said as asked."""
    values = rows.asked.nunique()
    for panel, part in (
        (ALONE, rows[rows.unit.notna()]),
        (TOGETHER, rows[rows.unit.isna()]),
    ):
        for (control, dose), its in part.groupby(["control", "dose"]):
            where = {
                "panel": panel + variable,
                "variable": variable,
                "control": control,
                "place": dose,
                "n": len(its),
            }
            moved = int((its.moved == "true").sum())
            low, high = exact_interval(moved, len(its))
            yield where | {"kind": "moved", "value": moved / len(its), "low": low, "high": high}
            yield where | {"kind": "said", "value": its.after.mean()}
            if control == "target" and dose == part.dose.min():
                yield where | {"kind": "before", "value": its.before.mean()}
        if len(part):
            yield {
                "panel": panel + variable,
                "kind": "chance",
                "variable": variable,
                "value": 1 / max(values, part.moved_to.nunique(), 2),
            }


def _moves(rows: pd.DataFrame, variable: str) -> Iterator[dict[str, Any]]:
    """Share of units by what was asked and what gained most."""
    its = rows[rows.control == "target"]
    for asked, of_one in its.groupby("asked"):
        for moved_to in sorted(set(its.asked) | set(its.moved_to), key=by_size):
            yield {
                "panel": MATRIX,
                "kind": "cell",
                "variable": variable,
                "asked": asked,
                "moved_to": moved_to,
                "value": (of_one.moved_to == moved_to).mean(),
                "n": len(of_one),
            }


def _note(rows: pd.DataFrame, dose: float) -> str:
    alone = rows[rows.unit.notna() & (rows.dose == dose)]
    fits = len(rows[["seed", "fold"]].drop_duplicates())
    trials = int(rows.n.median())
    return (
        f"Units selective on selection trials, clamped one by one to {dose:g} times their 99th "
        "percentile there, in all latents, error-preserving, and read on test trials that showed "
        f"another value (median {trials}); {counted(fits, 'fit')} (seeds × folds), "
        f"{len(alone[alone.control == 'target'])} units. A unit moves the decoder to the value "
        "whose log-probability gains most on the mean over trials. Grey: as many units selective "
        "for none of the variables, each with a value drawn at random. By dose: solid, units that "
        "move the decoder to the value they prefer, with exact 95% intervals over units "
        "(conditional on the models); dotted, trials of which the decoder says that value; "
        "together: all units of one preference at once. Dashed: chance."
    )

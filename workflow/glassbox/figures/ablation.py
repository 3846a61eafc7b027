"""Claim 3: does the decoder lose a variable when that variable's units are taken away?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from glassbox.confounded import CONFOUNDED
from glassbox.figures.choose import cohort_in_words, main_cohort, one_dictionary
from glassbox.figures.options import FiguresOptions
from glassbox.figures.summaries import counted

ORDER = (
    "direction",
    "temporal_frequency",
    "orientation",
    "spatial_frequency",
    "phase",
    "genotype",
)
GENOTYPE = "genotype"
METRIC = "accuracy"
MATRIX = "matrix"
DOSE = "dose_"
CONFUSION = "confusion_"
BEYOND = 0.01  # a p below it lies beyond the 99th percentile of the matched random sets
MOST_CONFUSIONS = 2  # variables; two matrices each
MOST_DOSES = 3  # variables whose drops by number of units are drawn


def numbers(
    ablation: pd.DataFrame, confusion: pd.DataFrame, options: FiguresOptions
) -> Iterator[dict[str, Any]]:
    """The rows drawn: matrix of drops, dose response with controls, confusion before and after."""
    cohort = main_cohort(ablation, options)
    rows = _of_one_kind(ablation, options)
    rows = rows[(rows.metric == METRIC) & (rows.strength == 1)]
    confusion = _of_one_kind(confusion, options)
    confusion = confusion[confusion.cohort == cohort]
    rows = _of_cohorts(rows, cohort)
    variables = [v for v in ORDER if v in set(rows.selected_for) | set(rows.measured_on)]
    dose = options.dose or _dose_of_matrix(rows)
    for chosen in variables:
        for measured in variables:
            yield from _cell(rows, chosen, measured, dose)
    for measured in _drawn_by_dose(rows, variables):
        yield from _dose_response(rows, confusion, measured)
    if 0 < len(variables) < MOST_DOSES and GENOTYPE not in variables:
        text = (
            "Genotype: not testable with these data (it needs at least two lines of several mice)"
        )
        yield {"panel": DOSE + GENOTYPE, "kind": "missing", "text": text}
    for task in [t for t in ORDER if t in set(confusion.task)][:MOST_CONFUSIONS]:
        yield from _confusion(confusion, task)
    if variables:
        yield {
            "panel": MATRIX,
            "kind": "title",
            "n_units": dose,
            "text": f"{dose} units (matched random)",
        }
        yield {"kind": "note", "text": _note(rows, confusion, cohort, dose, options)}
        yield {"kind": "title", "text": _title(cohort)}


def _drawn_by_dose(rows: pd.DataFrame, variables: Sequence[str]) -> list[str]:
    """As many as there is room for: genotype, then those that units were selected for."""
    have = set(rows[rows.control == "target"].selected_for)
    first = sorted(variables, key=lambda v: (v != GENOTYPE, v not in have))[:MOST_DOSES]
    return [variable for variable in variables if variable in first]


def _title(cohort: str) -> str:
    return (
        f"What does the decoder lose without the units of a variable? ({cohort_in_words(cohort)})"
    )


def _of_one_kind(table: pd.DataFrame, options: FiguresOptions) -> pd.DataFrame:
    """The rows of one dictionary, intervention and ablation."""
    table = one_dictionary(table, options)
    return table[
        (table.intervention == options.intervention) & (table.ablation == options.ablation)
    ]


def _of_cohorts(rows: pd.DataFrame, cohort: str) -> pd.DataFrame:
    """Each pair of variables from the cohort, or from the folds of mice where it is only there."""
    main = rows[rows.cohort == cohort]
    folds = rows[(rows.level == "heldout") & (rows.cohort != cohort)]
    have = set(zip(main.selected_for, main.measured_on, strict=True))
    new = [pair not in have for pair in zip(folds.selected_for, folds.measured_on, strict=True)]
    return pd.concat([main, folds[np.array(new, dtype=bool)]])


def _dose_of_matrix(rows: pd.DataFrame) -> int:
    """The largest dose at which all variables' own drops have matched random sets; else the largest
    dose that all have; 0 where there is none. Only doses that every seed and fold has count."""
    own = rows[(rows.selected_for == rows.measured_on) & (rows.control == "target")]
    if own.empty:
        return 0
    own = pd.concat([at_doses_of_all_fits(of_one) for _, of_one in own.groupby("selected_for")])
    for candidates in (own[own.n_controls > 0], own):
        doses = [set(of_one.n_units) for _, of_one in candidates.groupby("selected_for")]
        shared = set.intersection(*doses) if len(doses) == own.selected_for.nunique() else set()
        if shared:
            return int(max(shared))
    return int(own.n_units.max())


def at_doses_of_all_fits(target: pd.DataFrame, dose: str = "n_units") -> pd.DataFrame:
    """The rows at doses that every cohort and seed has, so that a mean is over all of them.

    The largest dose is all units that were selected, and seeds differ in that. All rows where
    no dose is shared. `dose` names the column.
    """
    have = target[["cohort", "seed", dose]].drop_duplicates()
    fits = len(have[["cohort", "seed"]].drop_duplicates())
    count = have[dose].value_counts()
    shared = target[target[dose].isin(count.index[count == fits])]
    return shared if len(shared) else target


def _at(rows: pd.DataFrame, chosen: str, measured: str, control: str = "target") -> pd.DataFrame:
    return rows[
        (rows.selected_for == chosen) & (rows.measured_on == measured) & (rows.control == control)
    ]


def _cell(rows: pd.DataFrame, chosen: str, measured: str, dose: int) -> Iterator[dict[str, Any]]:
    where = {"panel": MATRIX, "selected_for": chosen, "measured_on": measured, "n_units": dose}
    target = _at(rows, chosen, measured)
    here = target[target.n_units == dose]
    if here.empty:
        none = "not tested" if chosen in set(rows.selected_for) else "no unit selected"
        text = none if target.empty else f"fewer than {dose} units"
        yield where | {"kind": "missing", "text": text}
        return
    fits = here.groupby(["cohort", "seed"]).mean(numeric_only=True)
    matched = fits[fits.n_controls > 0]
    yield where | {
        "kind": "target",
        "value": fits["drop"].mean(),
        "low": fits["drop"].min(),
        "high": fits["drop"].max(),
        "p": matched.p.max() if len(matched) == len(fits) else np.nan,
        "n": len(fits),
    }
    if len(matched):
        yield where | {
            "kind": "matched_random",
            "value": matched.control_median.mean(),
            "low": matched.control_low.mean(),
            "high": matched.control_high.mean(),
            "n": matched.n_controls.min(),
        }


def _dose_response(
    rows: pd.DataFrame, confusion: pd.DataFrame, measured: str
) -> Iterator[dict[str, Any]]:
    """Drops of one variable by dose: units of each variable, controls, and the drop to chance."""
    panel = DOSE + measured
    for chosen in ORDER:
        target = _at(rows, chosen, measured)
        where = {"panel": panel, "selected_for": chosen, "measured_on": measured}
        for fit, ((_, seed), its) in enumerate(target.groupby(["cohort", "seed"])):
            for n_units, drop in its.groupby("n_units")["drop"].mean().items():
                yield where | {
                    "kind": "fit",
                    "n_units": n_units,
                    "seed": seed,
                    "value": drop,
                    "n": fit,
                }
        for n_units, its in at_doses_of_all_fits(target).groupby("n_units"):
            matched = its[its.n_controls > 0]
            yield where | {
                "kind": "target",
                "control": "target",
                "n_units": n_units,
                "value": its["drop"].mean(),
                "p": matched.p.max() if len(matched) == len(its) else np.nan,
                "n": len(its),
            }
            if chosen == measured and len(matched):
                yield where | {
                    "kind": "band",
                    "control": "matched_random",
                    "n_units": n_units,
                    "value": matched.control_median.mean(),
                    "low": matched.control_low.mean(),
                    "high": matched.control_high.mean(),
                    "n": matched.n_controls.min(),
                }
    strong = at_doses_of_all_fits(_at(rows, measured, measured, "top_energy"))
    strong = strong.groupby("n_units")["drop"].mean()
    for n_units, drop in strong.items():
        where = {"panel": panel, "selected_for": measured, "measured_on": measured}
        yield where | {"kind": "line", "control": "top_energy", "n_units": n_units, "value": drop}
    classes = confusion[confusion.task == measured].true.nunique()
    own = rows[rows.measured_on == measured]
    if classes and len(own):
        floor = own.baseline.mean() - 1 / classes
        yield {"panel": panel, "kind": "floor", "measured_on": measured, "value": floor}


def _confusion(confusion: pd.DataFrame, task: str) -> Iterator[dict[str, Any]]:
    """Confusion before and after the largest dose of the task's own units, rows summing to 1."""
    rows = confusion[(confusion.task == task) & (confusion.selected_for == task)]
    rows = rows[rows.n_units == rows.n_units.max()]
    for condition in ("clean", "ablated"):
        counts = rows[rows.condition == condition].groupby(["true", "predicted"])["count"].sum()
        if counts.empty:
            continue
        share = counts / counts.groupby("true").transform("sum")
        right = sum(n for (true, said), n in counts.items() if true == said) / counts.sum()
        panel = f"{CONFUSION}{task}_{condition}"
        yield {
            "panel": panel,
            "kind": "title",
            "n_units": rows.n_units.max(),
            "value": right,
            "n": counts.sum() / max(rows.seed.nunique(), 1),
            "text": f"before: accuracy {right:.2f}"
            if condition == "clean"
            else f"without {counted(int(rows.n_units.max()), 'unit')}: {right:.2f}",
        }
        for (true, predicted), value in share.items():
            yield {
                "panel": panel,
                "kind": "cell",
                "measured_on": task,
                "true": true,
                "predicted": predicted,
                "value": value,
                "n": counts[true, predicted],
            }


def _note(
    rows: pd.DataFrame, confusion: pd.DataFrame, cohort: str, dose: int, options: FiguresOptions
) -> str:
    main = rows[rows.cohort == cohort]
    controls = rows[(rows.control == "target") & (rows.n_controls > 0)].n_controls
    words = {"zero": "set to zero", "mean": "set to their mean", "resample": "resampled"}
    way = f"{words[options.ablation]}, {options.intervention.replace('_', '-')}"
    seeds = counted(main.seed.nunique(), "seed")
    text = (
        f"Units selected on selection trials, ablated ({way}) and read on test trials, fitted "
        f"folds pooled; {seeds}. a: drop in accuracy, mean over seeds; in brackets: median over "
        "sets of random units matched in number, energy and density; p = (1 + sets with a drop at "
        "least as large) / (1 + sets), conditional on the model, the largest over seeds. "
    )
    if len(controls):
        text += f"Matched sets: at least {int(controls.min())}. "
    text += (
        "b and on: drop by number of units; thin lines: seeds, thick: their mean, where all have "
        "so many units; grey bars: 95% of the matched "
        f"random sets of the variable's own units, dash: their median. Filled: p < {BEYOND} in "
        "every seed (beyond the 99th percentile); open: not; cross: no match. "
    )
    if (rows.cohort != cohort).any():
        folds = rows[rows.cohort != cohort].cohort.nunique()
        text += (
            f"Genotype: a linear probe on latents, trained on training mice and read on held-out "
            f"mice ({counted(folds, 'fold')}); mean over folds. "
        )
        if rows.hook.iloc[0].startswith("queries"):
            text += f"Note: {CONFOUNDED}. "
    if len(confusion):
        text += "Confusion: rows are true classes and sum to 1, largest dose."
    return text

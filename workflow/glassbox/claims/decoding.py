"""Claims about decoding: better than a baseline, and no worse with a dictionary put in."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from glassbox.claims.claim import FAILS, HOLDS, NOT_TESTABLE, Claim
from glassbox.claims.options import ClaimOptions
from glassbox.claims.rows import in_words, over_all
from glassbox.figures.choose import main_cohort, one_dictionary
from glassbox.figures.options import FiguresOptions

ENSEMBLE = "_ensemble"
METRICS = ("accuracy", "r2")


def decoded_better(comparisons: pd.DataFrame, figures: FiguresOptions) -> Iterator[Claim]:
    """The decoder reads each task better than the baseline that selection trials chose."""
    cohort = main_cohort(comparisons, figures)
    rows = comparisons[(comparisons.cohort == cohort) & (comparisons.chosen == "true")]
    rows = rows[rows.metric.isin(METRICS) & ~rows.model.str.endswith(ENSEMBLE)]
    for task, of_task in rows.groupby("task", sort=False):
        found = over_all(of_task)
        about = {
            "claim": f"decoding_{task}",
            "statement": f"The decoder reads {in_words(task)} better than the baseline that was "
            "chosen on selection trials.",
            "cohort": cohort,
            "table": "comparisons.csv",
            "test": "The 95% interval of the difference on test trials lies above 0.",
        }
        if len(found) != 1:
            yield Claim(**about, verdict=NOT_TESTABLE, why="No row over all sessions and seeds.")
            continue
        row = found.iloc[0]
        said = f"{row.difference:+.3f} ({row.ci_low:+.3f} to {row.ci_high:+.3f}), {row.metric}."
        numbers = {name: float(row[name]) for name in ("difference", "ci_low", "ci_high")}
        yield Claim(
            **about,
            verdict=HOLDS if row.ci_low > 0 else FAILS,
            why=said,
            n={"test trials": int(row.n)},
            numbers=numbers | {"metric": row.metric},
        )


def kept_by_insertion(
    insertion: pd.DataFrame, options: ClaimOptions, figures: FiguresOptions
) -> Iterator[Claim]:
    """Putting the dictionary into the decoder changes no task's accuracy by the margin."""
    cohort = main_cohort(insertion, figures)
    rows = one_dictionary(insertion[insertion.cohort == cohort], figures)
    rows = rows[rows.metric.isin(METRICS) & (rows.condition == "spliced_minus_clean")]
    for task, of_task in rows.groupby("task", sort=False):
        found = over_all(of_task)
        about = {
            "claim": f"insertion_{task}",
            "statement": f"With the dictionary put in, the decoder reads {in_words(task)} as "
            "well as before.",
            "cohort": cohort,
            "table": "insertion.csv",
            "test": f"The 95% interval of spliced − clean on test trials lies inside "
            f"±{options.margin:g}.",
        }
        if len(found) != 1:
            yield Claim(**about, verdict=NOT_TESTABLE, why="No row over all sessions and seeds.")
            continue
        row = found.iloc[0]
        inside = -options.margin < row.ci_low and row.ci_high < options.margin
        yield Claim(
            **about,
            verdict=HOLDS if inside else FAILS,
            why=f"{row.value:+.3f} ({row.ci_low:+.3f} to {row.ci_high:+.3f}), {row.metric}.",
            n={"test trials": int(row.n)},
            numbers={
                "difference": float(row.value),
                "ci_low": float(row.ci_low),
                "ci_high": float(row.ci_high),
                "metric": row.metric,
            },
        )

"""Claims about ablation: without the units of a variable, the decoder loses that variable."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from glassbox.claims.claim import FAILS, HOLDS, NOT_TESTABLE, Claim
from glassbox.claims.options import ClaimOptions
from glassbox.claims.rows import in_words, over_sessions
from glassbox.figures.choose import main_cohort, one_dictionary
from glassbox.figures.options import FiguresOptions

GENOTYPE = "genotype"
HELD_OUT = "heldout"
PROBE = "relabelled_mice"


def impaired(
    ablation: pd.DataFrame,
    variables: tuple[str, ...],
    options: ClaimOptions,
    figures: FiguresOptions,
) -> Iterator[Claim]:
    """Zeroing the units of each variable costs its accuracy more than matched random sets do."""
    for variable in variables:
        rows = ablation[ablation.level == HELD_OUT] if variable == GENOTYPE else ablation
        cohort = main_cohort(rows, figures) if variable != GENOTYPE else _only(rows)
        rows = one_dictionary(rows[rows.cohort == cohort], figures)
        yield _of_variable(_primary(rows, variable), variable, cohort, options)


def read_on_new_mice(ablation: pd.DataFrame, figures: FiguresOptions) -> Claim:
    """Genotype is read from the latents of mice that the decoder was not trained on."""
    rows = ablation[(ablation.level == HELD_OUT) & (ablation.control == PROBE)]
    rows = one_dictionary(rows, figures)
    about = {
        "claim": "probe_genotype",
        "statement": "Genotype can be read from the latents of mice that the decoder never saw.",
        "cohort": _only(rows),
        "table": "ablation.csv",
        "test": "A linear probe, trained on other mice, tells held-out mice better than probes of "
        "relabelled mice do, in every seed.",
    }
    if rows.empty or rows.p.isna().all():
        why = "No mice of at least two lines were held out."
        return Claim(**about, verdict=NOT_TESTABLE, why=why)
    p = float(rows.p.max())
    return Claim(
        **about,
        verdict=HOLDS,  # unless its p, corrected, says otherwise
        why=f"p = {p:.3g} over relabelled mice.",
        n={"relabelings": int(rows.n_controls.min()), "seeds": rows.seed.nunique()},
        numbers={
            "signed_score": {f"{s:g}": float(v) for s, v in zip(rows.seed, rows.value, strict=True)}
        },
        p=p,
    )


def _only(rows: pd.DataFrame) -> str:
    return rows.cohort.iloc[0] if len(rows) else ""


def _primary(rows: pd.DataFrame, variable: str) -> pd.DataFrame:
    """Error-preserving, to zero: the intervention whose matched sets are always made."""
    rows = rows[
        (rows.intervention == "error_preserving")
        & (rows.ablation == "zero")
        & (rows.control == "target")
        & (rows.selected_for == variable)
        & (rows.measured_on == variable)
        & (rows.metric == "accuracy")
        & (rows.strength == 1)
    ]
    return over_sessions(rows)


def _of_variable(rows: pd.DataFrame, variable: str, cohort: str, options: ClaimOptions) -> Claim:
    word = in_words(variable)
    about = {
        "claim": f"ablation_{variable}",
        "statement": f"Without the units selected for {word}, the decoder loses {word}.",
        "cohort": cohort,
        "table": "ablation.csv",
        "test": f"With {options.units or 'so many'} units set to zero, accuracy on test trials "
        "falls more than with matched random sets of as many units, and the 95% interval of the "
        f"fall lies above 0, in every seed that has at least {options.controls} such sets; more "
        "than half of the seeds must have them."
        + ("" if options.units else " So many: the largest number for which they do."),
    }
    if rows.empty:
        return Claim(**about, verdict=NOT_TESTABLE, why=f"No units were selected for {word}.")
    seeds = rows.seed.nunique()
    n_units = options.units or _largest_dose(rows, options.controls)
    chosen = rows[rows.n_units == n_units]
    tested = chosen[chosen.n_controls >= options.controls]
    numbers = {
        "by_seed": [
            {
                "seed": int(row.seed),
                "units": int(row.n_units),
                "drop": float(row["drop"]),
                "ci_low": float(row.ci_low),
                "ci_high": float(row.ci_high),
                "p": None if pd.isna(row.p) else float(row.p),
                "matched_sets": 0 if pd.isna(row.n_controls) else int(row.n_controls),
                "median_of_matched_sets": _number(row.control_median),
            }
            for _, row in chosen.iterrows()
        ]
    }
    n = {"seeds": seeds, "seeds_with_matched_sets": len(tested)}
    if 2 * len(tested) <= seeds:
        why = (
            f"{len(tested)} of {seeds} seeds have {options.controls} random sets that match "
            f"{n_units} units."
            if n_units
            else f"At no number of units have most seeds {options.controls} matched random sets."
        )
        return Claim(**about, verdict=NOT_TESTABLE, why=why, n=n, numbers=numbers)
    p, falls = float(tested.p.max()), bool((tested.ci_low > 0).all())
    drops = tested["drop"]
    span = f"{drops.min():.3f}" if len(drops) == 1 else f"{drops.min():.3f} to {drops.max():.3f}"
    why = f"{n_units} units: accuracy falls by {span}, p = {p:.3g}"
    why += "." if falls else "; an interval of the fall reaches 0."
    return Claim(**about, verdict=HOLDS if falls else FAILS, why=why, n=n, numbers=numbers, p=p)


def _largest_dose(rows: pd.DataFrame, controls: int) -> int:
    """Units for which more than half of the seeds have matched sets; 0 where there is no such."""
    having = rows[rows.n_controls >= controls].groupby("n_units").seed.nunique()
    enough = having.index[2 * having > rows.seed.nunique()]
    return int(enough.max()) if len(enough) else 0


def _number(value: float) -> float | None:
    return None if pd.isna(value) else float(value)

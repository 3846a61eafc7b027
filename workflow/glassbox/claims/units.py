"""Claims about hidden units: some stand for a variable."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from glassbox.claims.claim import FAILS, HOLDS, NOT_TESTABLE, Claim
from glassbox.claims.rows import in_words
from glassbox.figures.choose import main_cohort, one_dictionary
from glassbox.figures.options import FiguresOptions


def selective_units(
    units: pd.DataFrame, variables: tuple[str, ...], figures: FiguresOptions
) -> Iterator[Claim]:
    """Every decoder's dictionary has units that are selective for each variable."""
    cohort = main_cohort(units, figures)
    rows = one_dictionary(units[units.cohort == cohort], figures)
    for variable in variables:
        of_one = rows[rows.variable == variable]
        about = {
            "claim": f"units_{variable}",
            "statement": f"Hidden units respond selectively to {in_words(variable)}.",
            "cohort": cohort,
            "table": "units.csv",
            "test": "Every decoder (seed and fold) has at least one unit whose permutation test "
            "passes `units.q` over all its units and whose effect passes `units.min_effect`.",
        }
        if of_one.empty:
            why = f"No unit was tested for {in_words(variable)}: these data do not vary it."
            yield Claim(**about, verdict=NOT_TESTABLE, why=why)
            continue
        if of_one.p.isna().all():
            why = f"The test of {in_words(variable)} has no p with these data."
            yield Claim(**about, verdict=NOT_TESTABLE, why=why)
            continue
        counts = (
            (of_one.selective == "true").groupby([of_one.seed, of_one.fold]).agg(["sum", "size"])
        )
        fewest, most = int(counts["sum"].min()), int(counts["sum"].max())
        span = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        yield Claim(
            **about,
            verdict=HOLDS if fewest else FAILS,
            why=f"{span} of {int(counts['size'].max())} units in {len(counts)} "
            f"decoder{'s' if len(counts) > 1 else ''}.",
            n={"units": len(of_one), "decoders": len(counts)},
            numbers={
                "selective_units": [
                    {"seed": int(seed), "fold": fold, "selective": int(a), "tested": int(b)}
                    for (seed, fold), (a, b) in zip(counts.index, counts.to_numpy(), strict=True)
                ]
            },
        )

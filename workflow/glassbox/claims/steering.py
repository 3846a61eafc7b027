"""Claims about steering: a clamped unit moves the decoder to what the unit stands for."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from glassbox.claims.claim import FAILS, HOLDS, NOT_TESTABLE, Claim
from glassbox.claims.options import ClaimOptions
from glassbox.claims.rows import in_words
from glassbox.figures.choose import main_cohort, one_dictionary
from glassbox.figures.options import FiguresOptions

DOSE = 1.0  # the 99th percentile of a unit's activations, where the configuration has it
LEAST_SHARE = 0.5  # of the units of a variable must move the decoder as asked


def steered(
    steering: pd.DataFrame, options: ClaimOptions, figures: FiguresOptions
) -> Iterator[Claim]:
    """Units of each variable, clamped one by one, against units that are selective for none."""
    cohort = main_cohort(steering, figures)
    rows = one_dictionary(steering[steering.cohort == cohort], figures)
    rows = rows[rows.unit.notna() & (rows.dose == DOSE)]
    for variable, of_one in rows.groupby("variable", sort=False):
        about = {
            "claim": f"steering_{variable}",
            "statement": f"A unit selected for {in_words(variable)}, clamped to its 99th "
            f"percentile, moves the decoder to the {in_words(variable)} that the unit prefers.",
            "cohort": cohort,
            "table": "steering.csv",
            "test": "In every seed at least half of the units do, and more than of as many units "
            "selective for nothing, each with a value drawn at random (Fisher's exact test, one "
            "side, over units: conditional on the models).",
        }
        found = []
        for seed, of_seed in of_one.groupby("seed"):
            (moved, n), (chance_moved, n_random) = (
                _counts(of_seed[of_seed.control == control]) for control in ("target", "random")
            )
            if n and n_random:
                found.append(
                    {
                        "seed": int(seed),
                        "moved": moved,
                        "units": n,
                        "random_moved": chance_moved,
                        "random_units": n_random,
                        "p": _more_often(moved, n, chance_moved, n_random),
                    }
                )
        if not found:
            why = "There are no units of the variable, or none to hold them against."
            yield Claim(**about, verdict=NOT_TESTABLE, why=why)
            continue
        p = max(one["p"] for one in found)
        shares = [one["moved"] / one["units"] for one in found]
        random = [one["random_moved"] / one["random_units"] for one in found]
        yield Claim(
            **about,
            verdict=HOLDS if min(shares) >= LEAST_SHARE and p <= options.alpha else FAILS,
            why=f"{_span(shares)} of the units, {_span(random)} of random ones, p = {p:.3g}.",
            n={"units": sum(one["units"] for one in found), "seeds": len(found)},
            numbers={"by_seed": found},
            p=p,
        )


def _counts(rows: pd.DataFrame) -> tuple[int, int]:
    return int((rows.moved == "true").sum()), len(rows)


def _span(shares: list[float]) -> str:
    low, high = (f"{end:.0%}" for end in (min(shares), max(shares)))
    return low if low == high else f"{low} to {high}"


def _more_often(a: int, n_a: int, b: int, n_b: int) -> float:
    """p of Fisher's exact test that a of n_a is a larger share than b of n_b."""
    from scipy.stats import fisher_exact

    return float(fisher_exact([[a, n_a - a], [b, n_b - b]], alternative="greater").pvalue)

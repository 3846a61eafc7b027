"""Claims about genotype, read on mice that neither decoder nor dictionary saw."""

from __future__ import annotations

import pandas as pd

from glassbox.claims.claim import FAILS, HOLDS, NOT_TESTABLE, Claim
from glassbox.figures.choose import one_dictionary
from glassbox.figures.options import FiguresOptions

PROBE, CHOSEN = "units", "chosen_identity"
SCORE = "standardised_score"
PLACES = ("area", "depth")
NOT_ESTIMABLE = "not estimable"


def read_beyond_identity(genotype: pd.DataFrame, figures: FiguresOptions) -> Claim:
    """Hidden units tell genotype, and tell more of it than identity alone does."""
    rows = one_dictionary(genotype, figures)
    about = {
        "claim": "probe_genotype_beyond_identity",
        "statement": "Hidden units tell the genotype of mice that the decoder never saw better "
        "than identity alone (unit vectors, cell count, mean rate, area, depth) does.",
        "cohort": rows.cohort.iloc[0] if len(rows) else "",
        "table": "genotype.csv",
        "test": "A linear probe of the units, trained on other mice, tells held-out mice better "
        "than probes of relabelled mice do, and better than the source of identity that was chosen "
        "on training mice: p over swaps within mice, and the 95% interval of the paired difference "
        "lies above 0. The larger p counts; in every seed.",
    }
    rows = rows[(rows.mouse == "") & (rows.metric == SCORE)]
    own = rows[(rows.source == PROBE) & (rows.baseline == "")]
    paired = rows[(rows.source == PROBE) & (rows.baseline == CHOSEN)]
    if own.empty or own.p.isna().any():
        why = "No mice of at least two lines were held out."
        return Claim(**about, verdict=NOT_TESTABLE, why=why)
    places = rows[rows.source.isin(PLACES) & rows.reason.str.startswith(NOT_ESTIMABLE)]
    if len(places):
        place, reason = places.source.iloc[0], places.reason.iloc[0]
        why = f"Genotype cannot be told from {place}, {reason}."
        return Claim(**about, verdict=NOT_TESTABLE, why=why)
    p, above = float(max(own.p.max(), paired.p.max())), bool((paired.ci_low > 0).all())
    why = (
        f"Score {_span(own.value)} (p = {own.p.max():.3g}), {_span(paired.value, '+')} beyond "
        f"identity (p = {paired.p.max():.3g})"
    )
    return Claim(
        **about,
        verdict=HOLDS if above else FAILS,  # unless its p, corrected, says otherwise
        why=why + ("." if above else "; an interval of that difference reaches 0."),
        n={
            "mice": int(own.n.min()),
            "relabelings": int(own.relabelings.min()),
            "seeds": own.seed.nunique(),
        },
        numbers={
            "by_seed": [
                {
                    "seed": int(mine.seed),
                    "score": float(mine.value),
                    "p": float(mine.p),
                    "beyond": float(more.value),
                    "ci_low": float(more.ci_low),
                    "ci_high": float(more.ci_high),
                    "p_beyond": float(more.p),
                    "identity": more.reason.removeprefix("chosen: "),
                }
                for mine, more in zip(
                    own.sort_values("seed").itertuples(),
                    paired.sort_values("seed").itertuples(),
                    strict=True,
                )
            ]
        },
        p=p,
    )


def _span(values: pd.Series, sign: str = "") -> str:
    """The value, or the least and the largest of several seeds."""
    ends = dict.fromkeys(f"{v:{sign}.3f}" for v in (values.min(), values.max()))
    return " to ".join(ends)

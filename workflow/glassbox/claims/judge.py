"""All primary claims, judged by the tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from glassbox.claims.ablation import GENOTYPE, impaired, read_on_new_mice
from glassbox.claims.claim import Claim, corrected
from glassbox.claims.decoding import decoded_better, kept_by_insertion
from glassbox.claims.genotype import read_beyond_identity
from glassbox.claims.options import ClaimOptions
from glassbox.claims.steering import steered
from glassbox.claims.units import selective_units
from glassbox.figures.options import FiguresOptions
from glassbox.files import replacing_file

TABLES = ("comparisons", "insertion", "units", "ablation", "steering", "genotype")


def judge(
    tables: Mapping[str, pd.DataFrame], options: ClaimOptions, figures: FiguresOptions
) -> list[Claim]:
    """Every primary claim with its verdict.

    Args:
        tables: those of `TABLES`, as `figures.read.read_table` gives them.
        options: thresholds.
        figures: which cohort, hook and dictionary the figures show: the claims are about those.
    """
    decoded = tuple(dict.fromkeys(tables["insertion"].task))
    variables = (*decoded, GENOTYPE)
    claims = [
        *decoded_better(tables["comparisons"], figures),
        *kept_by_insertion(tables["insertion"], options, figures),
        *selective_units(tables["units"], variables, figures),
        *impaired(tables["ablation"], variables, options, figures),
        *steered(tables["steering"], options, figures),
        read_on_new_mice(tables["ablation"], figures),
        read_beyond_identity(tables["genotype"], figures),
    ]
    return corrected(claims, options.alpha)


def write_claims(path: str | Path, claims: list[Claim], options: ClaimOptions) -> None:
    """The claims as JSON, with the thresholds that they were judged by."""
    content = {
        "thresholds": vars(options),
        "correction": "Holm, over the claims that have a p",
        "claims": [claim.as_json() for claim in claims],
    }
    with replacing_file(path) as partial:
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        partial.write_text(text + "\n", encoding="utf-8")

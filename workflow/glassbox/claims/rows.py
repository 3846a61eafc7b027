"""The rows of a table that a claim is judged by."""

from __future__ import annotations

import pandas as pd

from glassbox.figures.choose import POOLED


def over_sessions(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows over all sessions; of one session alone its own; of several alone none."""
    together = rows.session.isin(POOLED)
    if together.any():
        return rows[together]
    return rows if rows.session.nunique() == 1 else rows.iloc[:0]


def over_all(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows over all sessions and all seeds; of one of them alone, its own."""
    rows = over_sessions(rows)
    together = rows.seed.isna()
    if together.any():
        return rows[together]
    return rows if rows.seed.nunique() == 1 else rows.iloc[:0]


def in_words(variable: str) -> str:
    """A variable as a reader says it."""
    return variable.replace("_", " ")

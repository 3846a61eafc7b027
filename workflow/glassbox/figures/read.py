"""Tables as data frames, with the columns' types and nothing guessed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from glassbox.errors import UserError
from glassbox.tables import COLUMNS

NUMBERS = frozenset(
    "value ci_low ci_high chance n fvu l0 score effect_size p q density osi dsi response sem "
    "n_units strength baseline drop control_low control_high control_median n_controls "
    "selectivity count width k seed unit difference dose before after gain relabelings cell weight "
    "share rank n_parts n_cells activation auroc r2 ceiling partner_correlation "
    "partner_chance available variance_share selectivity_low selectivity_high".split()
)
# Names of columns that are numbers elsewhere.
TEXTS_OF = {"comparisons": frozenset({"baseline"}), "genotype": frozenset({"baseline"})}


def read_table(table: str, path: str | Path) -> pd.DataFrame:
    """One of the tables of `COLUMNS` as a data frame, of no row where it has its header alone.

    Columns of numbers are float64 with NaN for missing, all others texts with "" for missing.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: no such table; run the rule that makes it first.")
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except pd.errors.EmptyDataError:
        raise UserError(f"{path}: the file is empty; expected a header. Make it again.") from None
    missing = [name for name in COLUMNS[table] if name not in frame.columns]
    if missing:
        raise UserError(f"{path}: the column {missing[0]} is missing; make the table again.")
    for name in NUMBERS.intersection(frame.columns) - TEXTS_OF.get(table, frozenset()):
        frame[name] = pd.to_numeric(frame[name].replace("", None), errors="raise").astype(float)
    return frame


def read_tables(
    paths: Iterable[str | Path], needed: Sequence[str], rule: str, texts: Sequence[str]
) -> pd.DataFrame:
    """Tables of one rule, those of all cohorts, as one data frame.

    Args:
        paths: of the tables; where there are none the frame has no row.
        needed: columns that must be there.
        rule: which makes the tables, for the message where one is missing.
        texts: columns that are texts even where they look like numbers.

    Raises:
        UserError: a table is missing or empty, or lacks a column.
    """
    tables = []
    for path in paths:
        try:
            table = pd.read_csv(path, dtype=dict.fromkeys(texts, str))
        except (FileNotFoundError, pd.errors.EmptyDataError):
            raise UserError(f"{path}: no such table; run the rule {rule} first.") from None
        missing = [name for name in needed if name not in table]
        if missing:
            raise UserError(f"{path}: the column {missing[0]} is missing; make the table again.")
        tables.append(table)
    return pd.concat(tables) if tables else pd.DataFrame(columns=list(needed))

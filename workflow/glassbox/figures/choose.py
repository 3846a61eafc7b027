"""Which rows of a table a figure draws: one cohort, one dictionary, one split."""

from __future__ import annotations

import pandas as pd

from glassbox.errors import UserError
from glassbox.figures.options import FiguresOptions

POOLED = ("", "pooled", "all")


def main_cohort(table: pd.DataFrame, options: FiguresOptions) -> str:
    """The cohort that a figure draws; "" where the table has no row.

    The one of `figures.cohort`; else `all`; else a genotype; else a mouse; of several the one of
    most sessions, then the first by name. Cohorts of held-out mice stand in only where there is
    no other.
    """
    present = table[["cohort", "level"]].drop_duplicates()
    if options.cohort:
        if len(present) and options.cohort not in set(present.cohort):
            raise UserError(
                f"figures.cohort: no cohort {options.cohort!r} in the tables; "
                f"found {', '.join(sorted(set(present.cohort)))}."
            )
        return options.cohort
    if present.empty:
        return ""
    sizes = {}
    if "session" in table:
        named = table[~table.session.isin(POOLED)]
        sizes = named.groupby("cohort").session.nunique().to_dict()
    preference = ("all", "genotype", "mouse", "heldout")

    def rank(row: tuple[str, str]) -> tuple:
        cohort, level = row
        place = preference.index(level) if level in preference else len(preference)
        return place, -sizes.get(cohort, 0), cohort

    return min(present.itertuples(index=False, name=None), key=rank)[0]


def cohort_in_words(cohort: str) -> str:
    """The cohort as a reader says it: `all mice`, `mouse 222420`, `genotype Cux2-CreERT2`."""
    if cohort == "all":
        return "all mice"
    kind, _, name = cohort.partition("-")
    return f"{kind} {name}" if name and kind in ("mouse", "genotype") else cohort


def one_dictionary(table: pd.DataFrame, options: FiguresOptions) -> pd.DataFrame:
    """The rows of one hook and one dictionary: those of the options, else the first by name."""
    for column, wish in (("hook", options.hook), ("dictionary", options.dictionary)):
        if table.empty:
            return table
        present = sorted(set(table[column]))
        table = table[table[column] == (wish if wish in present else present[0])]
    return table


def one_split(table: pd.DataFrame, options: FiguresOptions) -> pd.DataFrame:
    """The rows of the split of the options, or of the only other one."""
    if table.empty:
        return table
    present = sorted(set(table.split))
    return table[table.split == (options.split if options.split in present else present[0])]


def pooled_folds(table: pd.DataFrame) -> pd.DataFrame:
    """Rows over all folds together, by cohort and model: `pooled` ones where they were written."""
    if table.empty:
        return table
    keys = [name for name in ("cohort", "model") if name in table]
    has_pooled = (table.fold == "pooled").groupby([table[key] for key in keys]).transform("any")
    return table[(table.fold == "pooled") | ~has_pooled]


def by_size(text: str) -> tuple[int, float, str]:
    """A key that sorts conditions: numbers by size, then texts."""
    try:
        return 0, float(text), text
    except ValueError:
        return 1, 0.0, text

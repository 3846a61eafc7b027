"""The tables of all cohorts in one: rows of every stage joined, checked and put in order."""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from glassbox.errors import UserError
from glassbox.files import replacing_file
from glassbox.schemas import TableSchema, schema_of
from glassbox.tables import COLUMNS

TABLES = (
    "decoding",
    "comparisons",
    "insertion",
    "dictionaries",
    "dictionary_sessions",
    "units",
    "tuning",
    "ablation",
    "confusion",
    "steering",
    "patching",
    "genotype",
    "mediators",
    "descriptions",
    "rewriting",
    "attribution",
    "attribution_check",
    "ground_truth",
    "excluded",
)


def assemble_table(table: str, sources: Iterable[str | Path], path: str | Path) -> int:
    """Join the rows of `sources` into one sorted table, and say how many there are.

    A source is a CSV with a subset of the table's columns, or a folder that holds
    `{table}.csv`. A row that breaks the table's schema, or one that stands there twice, is a
    `UserError` that names file, line and column. With no source the table has its header only.
    """
    schema = schema_of(table)
    rows_by_first: dict[str, list[list[str]]] = defaultdict(list)
    for source in sources:
        for row in _rows_of(Path(source), table, schema):
            rows_by_first[row[0]].append(row)
    with replacing_file(path) as partial, open(partial, "w", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(schema.columns)
        for first in sorted(rows_by_first):
            rows = sorted(rows_by_first[first], key=lambda row: (schema.order(row), row))
            _refuse_doubles(rows, schema)
            writer.writerows(rows)
    return sum(len(rows) for rows in rows_by_first.values())


def _rows_of(source: Path, table: str, schema: TableSchema) -> Iterable[list[str]]:
    """The checked rows of one source, in the order of the schema's columns."""
    file = source / f"{table}.csv" if source.is_dir() else source
    if not file.exists():
        raise UserError(f"{file}: no such table; run the rule that makes it first.")
    with open(file, newline="") as handle:
        reader = csv.reader(handle)
        header = next(reader, None)
        if header is None:
            raise UserError(f"{file}: the file is empty; expected a header. Make it again.")
        unknown = [name for name in header if name not in schema.columns]
        if unknown:
            raise UserError(
                f"{file}: {unknown[0]}: no such column in the table {table}; "
                f"expected {', '.join(schema.columns)}."
            )
        places = [header.index(name) if name in header else None for name in schema.columns]
        for row in reader:
            if len(row) != len(header):
                raise UserError(
                    f"{file}, line {reader.line_num}: expected {len(header)} columns; "
                    f"found {len(row)}."
                )
            ordered = ["" if place is None else sys.intern(row[place]) for place in places]
            fault = schema.fault(ordered)
            if fault:
                raise UserError(f"{file}, line {reader.line_num}: {fault}.")
            yield ordered


def _refuse_doubles(rows: Sequence[Sequence[str]], schema: TableSchema) -> None:
    """Refuse two rows of one name; `rows` are sorted, so that those would stand together."""
    for before, after in pairwise(rows):
        if schema.key(before) == schema.key(after):
            named = ", ".join(
                f"{name}={text}"
                for name, text in zip(schema.primary_key, schema.key(after), strict=True)
                if text
            )
            raise UserError(
                f"{schema.name}: two rows have the same name ({named}); expected one. "
                "A stage's table was given twice, or the stage wrote it twice."
            )


def assemble_tables(sources: dict[str, Sequence[str]], out: str | Path) -> dict[str, int]:
    """Write every table of `TABLES` into the folder `out`; the number of rows of each.

    `sources` gives for each table its files or folders; a table without any is written with its
    header alone.
    """
    unknown = set(sources) - set(COLUMNS)
    if unknown:
        raise KeyError(f"no such table: {sorted(unknown)}")
    out = Path(out)
    return {
        table: assemble_table(table, sources.get(table, ()), out / f"{table}.csv")
        for table in TABLES
    }

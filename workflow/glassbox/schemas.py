"""What each table may hold: Table Schemas (datapackage.org) in `workflow/schemas/tables`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "schemas" / "tables"

Check = Callable[[str], str | None]


@dataclass(frozen=True)
class TableSchema:
    """The columns of one table, in order, the check of each, and the columns that name a row."""

    name: str
    title: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    descriptions: tuple[str, ...]
    primary_key: tuple[str, ...]
    checks: tuple[Check, ...]

    def fault(self, row: Sequence[str]) -> str | None:
        """What is wrong with a row of texts, as half a sentence; None where nothing is."""
        if len(row) != len(self.columns):
            return f"expected {len(self.columns)} columns; found {len(row)}"
        for column, check, text in zip(self.columns, self.checks, row, strict=True):
            fault = check(text)
            if fault:
                return f"{column}: {fault}; found {text!r}"
        return None

    def order(self, row: Sequence[str]) -> tuple:
        """A key that sorts rows by the columns that name them: numbers by size, then texts."""
        return tuple(_rank(text) for text in self.key(row))

    def key(self, row: Sequence[str]) -> tuple[str, ...]:
        """The texts that name a row."""
        return tuple(row[i] for i in self._key_places)

    @property
    def _key_places(self) -> tuple[int, ...]:
        return tuple(self.columns.index(name) for name in self.primary_key)


@cache
def schema_of(table: str) -> TableSchema:
    """The schema of one of the tables of `glassbox.tables.COLUMNS`."""
    content = json.loads((FOLDER / f"{table}.json").read_text())
    fields = content["fields"]
    return TableSchema(
        name=content["name"],
        title=content["title"],
        columns=tuple(field["name"] for field in fields),
        types=tuple(field["type"] for field in fields),
        descriptions=tuple(field["description"] for field in fields),
        primary_key=tuple(content["primaryKey"]),
        checks=tuple(_check_of(field) for field in fields),
    )


def _check_of(field: dict[str, Any]) -> Check:
    """The check of one field; equal texts are checked once."""
    kind, rules = field["type"], field.get("constraints", {})
    allowed = rules.get("enum")
    pattern = re.compile(rules["pattern"]) if "pattern" in rules else None
    read = {"integer": int, "number": float}.get(kind)

    @cache
    def check(text: str) -> str | None:
        if text == "":
            return "a value is required" if rules.get("required") else None
        if kind == "boolean" and text not in ("true", "false"):
            return "expected true or false"
        if read is not None:
            try:
                number = read(text)
            except ValueError:
                return f"expected {'a whole number' if kind == 'integer' else 'a number'}"
            if number != number or not rules.get("minimum", number) <= number:
                return f"expected at least {rules.get('minimum', 'a number')}"
            if not number <= rules.get("maximum", number):
                return f"expected at most {rules['maximum']}"
        if allowed is not None and text not in allowed:
            return f"expected one of {', '.join(allowed)}"
        if pattern is not None and not pattern.fullmatch(text):
            return f"expected the form {pattern.pattern}"
        return None

    return check


@cache
def _rank(text: str) -> tuple[int, float, str]:
    if text == "":
        return 0, 0.0, ""
    try:
        return 1, float(text), text
    except ValueError:
        return 2, 0.0, text


def as_markdown(tables: Sequence[str]) -> str:
    """The reference page of the tables: a section a table, a line a column."""
    return "\n".join(_section(schema_of(table)) for table in tables)


def _section(schema: TableSchema) -> str:
    lines = [f"## `{schema.name}.csv`", "", schema.title, ""]
    lines += ["| column | type | meaning |", "|---|---|---|"]
    described = zip(schema.columns, schema.types, schema.descriptions, strict=True)
    lines += [f"| `{name}` | {kind} | {text} |" for name, kind, text in described]
    named = ", ".join(f"`{name}`" for name in schema.primary_key)
    return "\n".join([*lines, "", f"A row is named by {named}.", ""])


def write_page(path: str | Path) -> None:
    """Write the part of the reference page that the schemas hold anew, below its introduction."""
    from glassbox.files import replacing_file

    tables = sorted((p.stem for p in FOLDER.glob("*.json")), key=_place_in_house)
    introduction = Path(path).read_text().split("\n## ")[0]
    with replacing_file(path) as partial:
        partial.write_text(f"{introduction}\n{as_markdown(tables)}")


def _place_in_house(table: str) -> int:
    from glassbox.tables import COLUMNS

    return tuple(COLUMNS).index(table)

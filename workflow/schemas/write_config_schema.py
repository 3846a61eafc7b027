"""Write config.schema.yaml from the options of every stage.

The options are frozen dataclasses; their types, defaults and the comments beside their fields are
the only place where an option is described. `make schema` runs this, a test compares.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import sys
import types
import typing
from pathlib import Path
from typing import Any

import yaml
from glassbox.files import replacing_file
from glassbox.sections import SECTIONS

HERE = Path(__file__).parent
FILE = HERE / "config.schema.yaml"
OPENING = "# Made from the options of every stage by `make schema`; edit those, not this file.\n"

FLAT = {
    "nwb_dir": {
        "type": ["string", "null"],
        "default": None,
        "description": "folder of NWB files, for sessions.source: folder; relative to where the "
        "command is typed",
    },
}


def schema() -> dict[str, Any]:
    """The schema of a whole configuration."""
    properties = FLAT | {name: section(cls) for name, cls in SECTIONS.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of Glassbox",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }


def section(cls: type, filled: Any = None) -> dict[str, Any]:
    """The schema of one options dataclass; `filled` has the defaults where it is nested."""
    said, hints = comments(cls), typing.get_type_hints(cls)
    properties = {}
    for field in dataclasses.fields(cls):
        hint = hints[field.name]
        default = field.default if filled is None else getattr(filled, field.name)
        if dataclasses.is_dataclass(hint):
            part = section(hint, None if default is dataclasses.MISSING else default)
        else:
            part = value(hint)
            if default is not dataclasses.MISSING:
                part["default"] = plain(default)
        if said.get(field.name):
            part["description"] = said[field.name]
        properties[field.name] = part
    required = [
        field.name
        for field in dataclasses.fields(cls)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    return {
        "type": "object",
        "description": (inspect.getdoc(cls) or "").split("\n\n")[0].replace("\n", " "),
        "additionalProperties": False,
        **({"required": required} if required else {}),
        "properties": properties,
    }


def value(hint: Any) -> dict[str, Any]:
    """The schema of one type of a field."""
    if dataclasses.is_dataclass(hint):
        return section(hint)
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return {"enum": list(inside)}
    if origin is tuple:
        return {"type": "array", "items": value(inside[0])}
    if origin in (typing.Union, types.UnionType):
        plain_type = value(next(choice for choice in inside if choice is not type(None)))
        return plain_type | {"type": [plain_type["type"], "null"]}
    return {"type": {int: "integer", float: "number", bool: "boolean", str: "string"}[hint]}


def plain(default: Any) -> Any:
    """A default as YAML can hold it."""
    return [plain(item) for item in default] if isinstance(default, tuple) else default


def comments(cls: type) -> dict[str, str]:
    """What is said of each field of a dataclass.

    The comment behind it with the comment lines that continue it, or lines above it that open
    with `#:`.
    """
    lines = Path(inspect.getfile(cls)).read_text(encoding="utf-8").splitlines()
    tree = ast.parse("\n".join(lines))
    body = next(n for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and n.name == cls.__name__)
    found = {}
    for node in body.body:
        if isinstance(node, ast.AnnAssign):
            text = lines[node.end_lineno - 1][node.end_col_offset :].strip()
            words = [text.lstrip("# ")] if text.startswith("#") else []
            for line in lines[node.end_lineno :]:
                if not words or not line.strip().startswith("#") or line.strip().startswith("#:"):
                    break
                words.append(line.strip().lstrip("# "))
            for line in reversed(lines[: node.lineno - 1]):
                if not line.strip().startswith("#:"):
                    break
                words.insert(0, line.strip().lstrip("#: "))
            found[node.target.id] = " ".join(words)
    return found


def text() -> str:
    """The schema as it stands in the file."""
    return OPENING + yaml.safe_dump(schema(), sort_keys=False, allow_unicode=True, width=100)


def main() -> int:
    with replacing_file(FILE) as partial:
        partial.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The configuration checked against its schema, with sentences that say where a fault stands."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from glassbox.errors import UserError

_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "string": "a text",
    "array": "a list",
    "object": "a section of options",
    "null": "nothing",
}
_MISSING = object()


def read_schema(path: str | Path) -> dict[str, Any]:
    """A JSON schema written as YAML."""
    # Ten times as fast where PyYAML was built with libyaml, as its wheels are.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(Path(path).read_text(encoding="utf-8"))
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()


def checked(
    config: Mapping[str, Any], schema: Mapping[str, Any], files: Sequence[str | Path] = ()
) -> dict[str, Any]:
    """The configuration with the schema's defaults filled in.

    `files` are the configuration files in the order in which they were read; they are looked at
    only to say in which file and line a fault stands.

    Raises `UserError` for the first fault: which key, what was found, what was expected, where.
    """
    from jsonschema import Draft202012Validator

    faults = sorted(
        Draft202012Validator(schema).iter_errors(config),
        key=lambda fault: [str(part) for part in fault.absolute_path],
    )
    if faults:
        raise UserError(_sentence(faults[0], config, files))
    return with_defaults(config, schema)


def with_defaults(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration where every key that the schema gives a default for has a value."""
    filled = dict(config)
    for key, part in schema.get("properties", {}).items():
        if "properties" in part:
            filled[key] = with_defaults(filled.get(key) or {}, part)
        elif "default" in part:
            filled.setdefault(key, copy.deepcopy(part["default"]))
    return filled


def place_of(keys: Sequence[str | int], value: Any, files: Iterable[str | Path]) -> str:
    """Where a value was set: the last file that gives the key this value, or the command line."""
    for file in reversed(list(files)):
        text = Path(file).read_text(encoding="utf-8")
        node = yaml.compose(text)
        if _at(yaml.safe_load(text), keys) == value:
            for key in keys:
                node, line = _child(node, key)
            return f"{_short(file)}, line {line}"
    return "set on the command line"


def _sentence(fault: Any, config: Mapping[str, Any], files: Sequence[str | Path]) -> str:
    keys = list(fault.absolute_path)
    if fault.validator == "additionalProperties":
        known = sorted(fault.schema["properties"])
        key = next(key for key in fault.instance if key not in known)
        where = place_of([*keys, key], fault.instance[key], files)
        alike = difflib.get_close_matches(str(key), known, n=1)
        hint = f" Did you mean {alike[0]}?" if alike else ""
        return (
            f"{_dotted([*keys, key])}: no such option ({where}).{hint} Known: {', '.join(known)}."
        )
    if fault.validator == "required":
        missing = next(key for key in fault.validator_value if key not in fault.instance)
        return f"{_dotted([*keys, missing])}: this option must be given."
    where = place_of(keys, _at(config, keys), files)
    return (
        f"{_dotted(keys)}: expected {expected(fault.schema)}; found {fault.instance!r} ({where})."
    )


def expected(schema: Mapping[str, Any]) -> str:
    """What a part of the schema asks for, in words."""
    if "enum" in schema:
        return "one of " + ", ".join(str(choice) for choice in schema["enum"])
    kinds = schema.get("type", "string")
    words = " or ".join(_TYPES[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds))
    limits = [
        f"{text} {schema[key]}"
        for key, text in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        if key in schema
    ]
    if "items" in schema:
        words += f" of {schema.get('minItems', 0)} or more values, each {expected(schema['items'])}"
        if schema.get("uniqueItems"):
            words += ", none of them twice"
    return ", ".join([words, *limits])


def _at(config: Any, keys: Iterable[str | int]) -> Any:
    for key in keys:
        try:
            config = config[key]
        except (KeyError, IndexError, TypeError):
            return _MISSING
    return config


def _child(node: yaml.Node, key: str | int) -> tuple[yaml.Node, int]:
    """The node below `node` at a key or index, and its line counted from 1."""
    if isinstance(node, yaml.SequenceNode):
        child = node.value[int(key)]
        return child, child.start_mark.line + 1
    name, child = next(pair for pair in node.value if yaml.safe_load(pair[0].value) == key)
    return child, name.start_mark.line + 1


def _short(file: str | Path) -> str:
    """The file as seen from the working directory where that is shorter."""
    try:
        return str(Path(file).resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(file)


def _dotted(keys: Iterable[str | int]) -> str:
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f".{key}"
    return text.lstrip(".") or "configuration"

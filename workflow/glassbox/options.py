"""Options as frozen dataclasses, read from JSON or a configuration section."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from glassbox.errors import UserError

T = TypeVar("T")

_PLAIN_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def options_from(cls: type[T], source: str | Mapping[str, Any], section: str) -> T:
    """Build the frozen dataclass `cls` from a JSON text or a mapping.

    A nested dataclass is built from a nested mapping, a `tuple[X, ...]` from a list. A key that
    `cls` lacks or a value of the wrong type is a `UserError` that names `section.key`. A method
    `check(self, section)` of the dataclass, where there is one, is called last.
    """
    if isinstance(source, str):
        try:
            source = json.loads(source)
        except json.JSONDecodeError as error:
            raise UserError(f"{section}: expected a JSON object; found {error}.") from None
    if not isinstance(source, Mapping):
        raise UserError(f"{section}: expected a mapping of options; found {source!r}.")
    fields = {field.name: field for field in dataclasses.fields(cls)}
    unknown = sorted(set(source) - set(fields))
    if unknown:
        raise UserError(
            f"{section}.{unknown[0]}: no such option. Known: {', '.join(sorted(fields))}."
        )
    hints = typing.get_type_hints(cls)
    values = {
        key: _as(hints[key], _completed(fields[key].default, value), f"{section}.{key}")
        for key, value in source.items()
    }
    missing = [
        name
        for name, field in fields.items()
        if name not in values
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise UserError(f"{section}.{missing[0]}: this option must be given.")
    options = cls(**values)
    check = getattr(options, "check", None)
    if check is not None:
        check(section)
    return options


def to_json(options: Any) -> str:
    """The options as one line of JSON with sorted keys, for provenance and for `--options`."""
    return json.dumps(dataclasses.asdict(options), sort_keys=True)


def _completed(default: Any, value: Any) -> Any:
    """What a mapping leaves out of a nested dataclass is as in the field's own default."""
    if isinstance(value, Mapping) and dataclasses.is_dataclass(default):
        return dataclasses.asdict(default) | dict(value)
    return value


def _as(hint: Any, value: Any, where: str) -> Any:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        choices = typing.get_args(hint)
        if value is None and type(None) in choices:
            return None
        return _as(next(c for c in choices if c is not type(None)), value, where)
    if origin is typing.Literal:
        if value not in typing.get_args(hint):
            known = ", ".join(str(c) for c in typing.get_args(hint))
            raise UserError(f"{where}: expected one of {known}; found {value!r}.")
        return value
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, (list, tuple)):
            raise UserError(f"{where}: expected a list; found {value!r}.")
        inner = typing.get_args(hint)[0]
        return tuple(_as(inner, item, f"{where}[{i}]") for i, item in enumerate(value))
    if dataclasses.is_dataclass(hint):
        return options_from(hint, value, where)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if hint in _PLAIN_NAMES and (type(value) is not hint):
        raise UserError(f"{where}: expected {_PLAIN_NAMES[hint]}; found {value!r}.")
    return value

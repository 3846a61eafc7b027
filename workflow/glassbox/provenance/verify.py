"""What a results folder no longer has in common with its record.

Needs nothing but Python, so that results can be checked wherever they were copied to.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from glassbox.errors import UserError
from glassbox.files import sha256_of_file, sha256_of_folder
from glassbox.inputs import id_of_hashes, mark_of

CRATE = "ro-crate-metadata.json"
# Where nothing may lie that the record does not know; `make bench` adds its own table.
WATCHED = {"tables": ".csv", "figures": (".pdf", ".png"), "tensors": (".zarr", ".json")}
NOT_RECORDED = {"tables/benchmarks.csv"}
FIGURES = "figures/"


@dataclass(frozen=True)
class Recorded:
    """A file or folder of the record.

    Attributes:
        name: its path in the results folder, or of a source outside it as the workflow knew it.
        sha256: what it was.
        made_from: names of the tables that a figure was drawn from.
        uri: where a source outside the results folder was; "" of all others.
    """

    name: str
    sha256: str
    made_from: tuple[str, ...] = ()
    uri: str = ""


@dataclass(frozen=True)
class Verdict:
    """What was checked, and a sentence for each thing that does not match."""

    checked: int
    faults: tuple[str, ...]


def read_record(results: str | Path) -> list[Recorded]:
    """All that the record of a results folder has a hash of, sorted by name.

    Raises:
        UserError: there is no record, or the file is none.
    """
    path = Path(results) / CRATE
    try:
        graph = json.loads(path.read_text(encoding="utf-8"))["@graph"]
        found = [_recorded(entity) for entity in graph if "sha256" in entity]
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such file; `snakemake --cores 1 provenance` writes it once all is made."
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: expected an RO-Crate as `snakemake provenance` writes it; found {error!r}."
        ) from None
    return sorted(found, key=lambda one: one.name)


def verify(results: str | Path, sources: str | Path | None = None) -> Verdict:
    """Hash again what the record has a hash of, and look for what it does not know.

    Args:
        results: the results folder, wherever it is now.
        sources: the folder where the sources are now, by the names of their files; None: where
            they were.
    """
    results = Path(results)
    record = read_record(results)
    faults = [fault for one in record for fault in _fault_of(one, results, sources)]
    faults += _drawn_from_others(record, results)
    faults += _unknown(results, {one.name for one in record})
    return Verdict(len(record), tuple(faults))


def verify_figure(figure: str | Path, results: str | Path) -> str | None:
    """What speaks against a figure, wherever it is, being drawn from the tables of `results`.

    Raises:
        UserError: the file carries no id of its inputs.
    """
    mark = mark_of(figure)
    if mark is None:
        raise UserError(f"{figure}: found no id of its inputs; expected a figure of this workflow.")
    by_name = {one.name: one for one in read_record(results)}
    ids = {_inputs_of(one, by_name): one.name for one in by_name.values() if one.made_from}
    if mark in ids:
        return None
    return f"{figure}: it was drawn from other tables than those of {results}."


def _recorded(entity: dict[str, Any]) -> Recorded:
    name = entity["@id"]
    made_from = entity.get("isBasedOn", [])
    made_from = made_from if isinstance(made_from, list) else [made_from]
    outside = bool(urlsplit(name).scheme)
    return Recorded(
        name=entity["alternateName"] if outside else unquote(name).rstrip("/"),
        sha256=entity["sha256"],
        made_from=tuple(unquote(one["@id"]).rstrip("/") for one in made_from),
        uri=name if outside else "",
    )


def _fault_of(one: Recorded, results: Path, sources: str | Path | None) -> Iterator[str]:
    """The sentence that says what is wrong with one file or folder, if anything is."""
    place, what = results / one.name, f"{one.name}"
    if one.uri:
        place, what = _place_of_source(one, results, sources), f"the source {one.name}"
    if not place.exists():
        where = f" at {place}; --sources names the folder where it is now" if one.uri else ""
        yield f"{what} is missing{where}."
        return
    found = sha256_of_folder(place) if place.is_dir() else sha256_of_file(place)
    if found != one.sha256:
        yield f"{what} has changed: its SHA-256 was {one.sha256[:12]}…, now it is {found[:12]}…."


def _place_of_source(one: Recorded, results: Path, sources: str | Path | None) -> Path:
    if sources is not None:
        return Path(sources) / Path(one.name).name
    known = Path(one.name)
    beside = results.resolve().parent / known  # of a relative path: from the working directory
    if not known.is_absolute() and beside.exists():
        return beside
    return Path(unquote(urlsplit(one.uri).path))


def _drawn_from_others(record: Iterable[Recorded], results: Path) -> Iterator[str]:
    """Figures whose own metadata names other inputs than the tables that are recorded."""
    by_name = {one.name: one for one in record}
    for one in by_name.values():
        if one.made_from and (results / one.name).is_file():
            mark = mark_of(results / one.name)
            if mark is not None and mark != _inputs_of(one, by_name):
                yield (
                    f"{one.name} was drawn from other tables than the recorded "
                    f"{', '.join(one.made_from)}."
                )


def _inputs_of(figure: Recorded, by_name: dict[str, Recorded]) -> str:
    known = [by_name[name].sha256 for name in figure.made_from if name in by_name]
    return id_of_hashes(known)


def _unknown(results: Path, known: set[str]) -> Iterator[str]:
    for folder, endings in WATCHED.items():
        for path in sorted((results / folder).glob("*")):
            name = f"{folder}/{path.name}"
            if path.name.endswith(endings) and name not in known | NOT_RECORDED:
                yield (
                    f"{name} is not in the record: another target or configuration made it, or a "
                    "hand put it there."
                )

"""The catalogue: which sessions there are, one row each, made without reading a recording."""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glassbox.errors import UserError
from glassbox.files import replacing_file
from glassbox.names import cre_line_of, file_name

NWB_SUFFIX = ".nwb"
_BREAKS = re.compile("[\t\n\r\v\f\x1c-\x1f\x85\u2028\u2029]+")


@dataclass(frozen=True)
class Row:
    """A session of the catalogue.

    Attributes:
        session: the id of the session; `file_name(session)` is the wildcard `{session}`.
        file: its NWB file: a name inside the folder of sessions, or a path.
        stimuli: names of its stimuli.
        depth_um, frame_rate_hz: µm and Hz, None where unknown.
        cells, frames: shape of dF/F; 0 where unknown.
        size_bytes, mtime_ns: of the file when its header was read; 0 where there is none yet.
        problem: why the session is refused, one sentence; empty where it is not.
    """

    session: str
    file: str
    mouse: str = ""
    cre_line: str = ""
    genotype: str = ""
    session_type: str = ""
    stimuli: tuple[str, ...] = ()
    area: str = ""
    depth_um: float | None = None
    sex: str = ""
    age: str = ""
    cells: int = 0
    frames: int = 0
    frame_rate_hz: float | None = None
    size_bytes: int = 0
    mtime_ns: int = 0
    problem: str = ""


COLUMNS = tuple(field.name for field in dataclasses.fields(Row))
# What a user may state in a catalogue of their own; the rest is read from the files.
USER_COLUMNS = (
    *("session", "file", "mouse", "cre_line", "genotype"),
    *("session_type", "area", "depth_um", "sex", "age"),
)


def catalogue_folder(
    folder: str | Path, previous: Iterable[Row] = (), ignore_stimuli: Iterable[str] = ()
) -> list[Row]:
    """A row for each NWB file of a folder, in order of their names.

    Args:
        folder: listed once, not below. Files whose names start with a dot are passed over.
        previous: rows of the last catalogue; one whose file has the same name, size and time of
            change is taken over without opening the file.
        ignore_stimuli: unknown stimuli that are let pass.

    Raises:
        UserError: the folder does not exist or holds no NWB file. A fault of one file is no
            error here: it stands in the `problem` of its row.
    """
    folder = Path(folder)
    files = _nwb_files(folder)
    if not files:
        raise UserError(
            f"{folder}: no file of this folder ends in {NWB_SUFFIX}; give the folder that holds "
            "your NWB v1 sessions as nwb_dir."
        )
    known = _Known(previous, ignore_stimuli)
    return _each_session_once([known.row(path, path.name) for path in files])


def catalogue_from_table(
    table: str | Path, previous: Iterable[Row] = (), ignore_stimuli: Iterable[str] = ()
) -> list[Row]:
    """A row for each line of a user's catalogue, in order of the sessions.

    The table has tab-separated columns `session` and `file`, and any of `mouse`, `cre_line`,
    `genotype`, `session_type`, `area`, `depth_um`, `sex`, `age`, which then win over the header
    of the file. A relative `file` is looked for beside the table.

    Raises:
        UserError: the table is missing, empty, lacks a column, has one that is unknown, or names
            a session or a file twice.
    """
    table = Path(table)
    lines = read_tsv(table, required=("session", "file"), allowed=USER_COLUMNS)
    if not lines:
        raise UserError(f"{table}: the catalogue names no session; write one in each line.")
    _refuse_twice(table, lines)
    stated = []
    for number, line in lines:
        said = {key: value for key, value in line.items() if value}
        if "genotype" in said:
            said.setdefault("cre_line", cre_line_of(said["genotype"]))
        if "depth_um" in said:
            said["depth_um"] = _float(said["depth_um"], table, number, "depth_um")
        stated.append(Row(**said))
    rows = rows_of_files(stated, table.parent, previous, ignore_stimuli)
    return sorted(rows, key=lambda row: row.session)


def rows_of_files(
    stated: Iterable[Row],
    folder: str | Path,
    previous: Iterable[Row] = (),
    ignore_stimuli: Iterable[str] = (),
) -> list[Row]:
    """Rows completed from the headers of their files, which lie in a folder.

    What a row states in the columns of `USER_COLUMNS` wins over the header.
    """
    known = _Known(previous, ignore_stimuli)
    rows = []
    for row in stated:
        said = {name: getattr(row, name) for name in USER_COLUMNS if name != "file"}
        said = {name: value for name, value in said.items() if value not in ("", None)}
        rows.append(dataclasses.replace(known.row(Path(folder) / row.file, row.file), **said))
    return rows


def described(row: Row) -> dict[str, Any]:
    """What a row says of the session itself, for the job that converts it.

    It names no folder and nothing that is known only after a look at the file's data, so that a
    folder can be moved without converting its sessions again.
    """
    said = {name: getattr(row, name) for name in (*USER_COLUMNS, "stimuli")}
    said["file"] = Path(row.file).name
    return {name: value for name, value in said.items() if value not in ("", None, ())}


def path_of(row: Row, folder: str | Path) -> Path:
    """The NWB file of a row; `folder` is where the sessions, or the catalogue's table, stand."""
    return Path(folder) / row.file


def write_catalogue(path: str | Path, rows: Iterable[Row]) -> bool:
    """Write the catalogue; leave the file alone where it would not change.

    Returns:
        whether the file was written.
    """
    path = Path(path)
    text = io.StringIO()
    writer = csv.writer(
        text, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None
    )
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow([_as_text(getattr(row, column)) for column in COLUMNS])
    if path.is_file() and path.read_text() == text.getvalue():
        return False
    with replacing_file(path) as partial:
        partial.write_text(text.getvalue())
    return True


def read_catalogue(path: str | Path) -> list[Row]:
    """The rows of a catalogue that `write_catalogue` wrote.

    Raises:
        UserError: it is missing, no such table, or names a session or a file twice.
    """
    path = Path(path)
    lines = read_tsv(path, required=COLUMNS, allowed=COLUMNS)
    _refuse_twice(path, [(number, line) for number, line in lines if not line["problem"]])
    return [_row(line, path, number) for number, line in lines]


def previous_rows(path: str | Path) -> list[Row]:
    """The rows of the last catalogue, none where there is none that can be read."""
    try:
        return read_catalogue(path)
    except UserError:
        return []


class _Known:
    """Reads headers, except of files that the last catalogue has already."""

    def __init__(self, previous: Iterable[Row], ignore_stimuli: Iterable[str]):
        self.ignored = frozenset(ignore_stimuli)
        self.rows = {(row.file, row.size_bytes, row.mtime_ns): row for row in previous}

    def row(self, path: Path, file: str) -> Row:
        """The row of a file; its fault, if it has one, is in `problem`."""
        from glassbox.sessions import stimuli

        try:
            at = path.stat()
        except OSError:
            return Row(path.stem, file, problem=f"{file}: no such file. Correct the catalogue.")
        row = self.rows.get((file, at.st_size, at.st_mtime_ns))
        # A refused file is looked at again: what refused it may have been mended here.
        if row is not None and not row.problem:
            passed = all(stimuli.is_known(name) or name in self.ignored for name in row.stimuli)
            if passed:
                return row
        return self._read(path, file, at.st_size, at.st_mtime_ns)

    def _read(self, path: Path, file: str, size: int, mtime: int) -> Row:
        from glassbox.sessions.header import read_header, session_id

        try:
            header = dataclasses.asdict(read_header(path, self.ignored))
        except UserError as error:
            return Row(session_id(path), file, size_bytes=size, mtime_ns=mtime, problem=str(error))
        header.pop("missing")
        return Row(**{**header, "file": file}, size_bytes=size, mtime_ns=mtime)


def _nwb_files(folder: Path) -> list[Path]:
    try:
        found = sorted(folder.iterdir())
    except FileNotFoundError:
        raise UserError(
            f"{folder}: no such folder; give the folder that holds your NWB v1 sessions as nwb_dir."
        ) from None
    except NotADirectoryError:
        raise UserError(
            f"{folder}: this is a file; give the folder that holds your NWB v1 sessions as nwb_dir."
        ) from None
    except PermissionError:
        raise UserError(f"{folder}: the folder cannot be read, permission denied.") from None
    return [
        path
        for path in found
        if path.suffix.lower() == NWB_SUFFIX and not path.name.startswith(".") and path.is_file()
    ]


def _each_session_once(rows: list[Row]) -> list[Row]:
    """Refuse the files of a folder that claim the same session: which one is meant is unknown."""
    files: dict[str, list[str]] = {}
    for row in rows:
        if not row.problem:
            files.setdefault(file_name(row.session), []).append(row.file)
    checked = []
    for row in rows:
        same = files.get(file_name(row.session), [])
        if not row.problem and len(same) > 1:
            sentence = (
                f"{row.file}: general/session_id: {' and '.join(same)} both are session "
                f"{row.session}; leave one of them in the folder."
            )
            row = dataclasses.replace(row, problem=sentence)
        checked.append(row)
    return checked


def _refuse_twice(path: Path, lines: Iterable[tuple[int, Mapping[str, str]]]) -> None:
    lines = list(lines)
    for column in ("file", "session"):
        counts = Counter(line[column] for _, line in lines)
        twice = next((value for value, count in counts.items() if count > 1), None)
        if twice is not None:
            where = [str(number) for number, line in lines if line[column] == twice]
            raise UserError(
                f"{path}: lines {' and '.join(where)} name the {column} {twice!r}; expected each "
                f"{column} once. Delete one of the lines."
            )


def read_tsv(
    path: Path, required: Iterable[str], allowed: Iterable[str]
) -> list[tuple[int, dict[str, str]]]:
    """(line number, columns) of each line of a table that is not empty.

    Raises:
        UserError: it is missing, no text, lacks a column or has one that is not allowed.
    """
    required, allowed = tuple(required), tuple(allowed)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: no such catalogue of sessions.") from None
    except (UnicodeDecodeError, IsADirectoryError):
        raise UserError(f"{path}: expected a table of tab-separated text.") from None
    lines = [line.split("\t") for line in text.splitlines()]
    columns = [name.strip() for name in lines[0]] if lines else []
    lacking = [name for name in required if name not in columns]
    if lacking:
        raise UserError(
            f"{path}: line 1: the column {lacking[0]!r} is missing; found "
            f"{', '.join(columns) or 'nothing'}. Columns are separated by tabs."
        )
    unknown = [name for name in columns if name not in allowed]
    if unknown:
        raise UserError(
            f"{path}: line 1: the column {unknown[0]!r} is unknown; known are {', '.join(allowed)}."
        )
    return list(_lines(path, columns, lines[1:], required))


def _lines(
    path: Path, columns: list[str], lines: list[list[str]], required: tuple[str, ...]
) -> Iterator[tuple[int, dict[str, str]]]:
    for number, cells in enumerate(lines, start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(columns):
            raise UserError(
                f"{path}: line {number}: found {len(cells)} columns, expected {len(columns)} as "
                "in line 1."
            )
        line = {name: cell.strip() for name, cell in zip(columns, cells, strict=True)}
        for name in ("session", "file"):
            if name in required and not line[name]:
                raise UserError(f"{path}: line {number}: the column {name!r} is empty.")
        yield number, line


def _row(line: Mapping[str, str], path: Path, number: int) -> Row:
    def whole(name: str) -> int:
        return int(
            _float(line[name], path, number, name) if not line[name].isdigit() else int(line[name])
        )

    def real(name: str) -> float | None:
        return _float(line[name], path, number, name) if line[name] else None

    return Row(
        **{
            **line,
            "stimuli": tuple(name for name in line["stimuli"].split(";") if name),
            "depth_um": real("depth_um"),
            "frame_rate_hz": real("frame_rate_hz"),
            "cells": whole("cells"),
            "frames": whole("frames"),
            "size_bytes": whole("size_bytes"),
            "mtime_ns": whole("mtime_ns"),
        }
    )


def _float(text: str, path: Path, number: int, column: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UserError(
            f"{path}: line {number}: {column}: expected a number; found {text!r}."
        ) from None


def _as_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ";".join(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    # Spaces stay: two of them may stand in the name of a file. What ends a cell or a line does not.
    return _BREAKS.sub(" ", str(value).strip("\t\n\r"))

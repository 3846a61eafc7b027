"""Opening HDF5 files so that every fault is one sentence about the file and the field."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from glassbox.errors import UserError

DAMAGED = "Fetch or export the file again, or exclude the session with cohorts.exclude"


def fault(file: str | Path, field: str, found: str, do: str = DAMAGED) -> UserError:
    """The sentence of a fault: which file, which field, what was found, what to do."""
    where = f"{Path(file).name}: {field}" if field else Path(file).name
    return UserError(f"{where}: {found}. {do}.")


@contextmanager
def opened(path: str | Path) -> Iterator[h5py.File]:
    """An HDF5 file, open for reading without a lock: a folder of sessions may be read-only.

    Raises:
        UserError: the file is missing, not HDF5, or ends too early.
    """
    path = Path(path)
    if not path.is_file():
        raise fault(path, "", "no such file", "Give the path of an NWB v1 file")
    try:
        file = h5py.File(path, "r", locking=False)
    except OSError as error:
        raise _refusal(path, error) from None
    with file:
        yield file


def _refusal(path: Path, error: OSError) -> UserError:
    said = str(error)
    if isinstance(error, PermissionError) or "ermission denied" in said:
        return fault(path, "", "the file cannot be read, permission denied", "Make it readable")
    if "truncated" in said:
        return fault(
            path,
            "",
            f"the file is truncated; {path.stat().st_size:,} bytes are here, its HDF5 header "
            "promises more",
        )
    if not h5py.is_hdf5(path):
        return fault(
            path,
            "",
            "this is not an HDF5 file; an NWB v1 session was expected",
            "Fetch or export it again, or move it out of the folder",
        )
    return fault(path, "", f"HDF5 cannot open the file ({said.splitlines()[0]})")


def dataset(file: h5py.File, path: str) -> h5py.Dataset:
    """A dataset that must be there.

    Raises:
        UserError: it is missing, or a group stands in its place.
    """
    found = optional_dataset(file, path)
    if found is None:
        raise fault(file.filename, path, "this dataset is missing; every session needs it")
    return found


def optional_dataset(file: h5py.File, path: str) -> h5py.Dataset | None:
    """A dataset, or None where the path names none (or a link that leads nowhere)."""
    try:
        found = file.get(path)
    except (OSError, RuntimeError, KeyError):
        raise fault(file.filename, path, "this part of the file is damaged") from None
    return found if isinstance(found, h5py.Dataset) else None


def text(file: h5py.File, path: str, default: str = "") -> str:
    """A text scalar with its runs of white space made one space; `default` where it is absent."""
    found = optional_dataset(file, path)
    if found is None or found.size == 0:
        return default
    return one_line(read(found)) or default


def read(found: h5py.Dataset, where: object = ()) -> object:
    """What a dataset holds at an index; a damaged chunk becomes a `UserError`."""
    try:
        return found[where]
    except (OSError, RuntimeError) as error:
        said = str(error).splitlines()[0]
        raise fault(
            found.file.filename, found.name.lstrip("/"), f"the data cannot be read ({said})"
        ) from None


def texts(found: h5py.Dataset) -> tuple[str, ...]:
    """The texts of a one-dimensional dataset of strings."""
    return tuple(one_line(item) for item in read(found).reshape(-1))


def one_line(value: object) -> str:
    """A value read from HDF5 (bytes, text, an array of one) as one line of text."""
    if hasattr(value, "reshape"):
        value = value.reshape(-1)[0]
    if isinstance(value, bytes):
        value = value.decode("utf-8", errors="replace")
    return " ".join(str(value).split())

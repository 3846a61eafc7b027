"""Whether a file that came over a network is whole: every part of it can be read."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import h5py

from glassbox.errors import UserError
from glassbox.sessions import hdf5

BLOCK_BYTES = 16 << 20  # of a dataset read at once


def damage_of_hdf5(path: Path) -> str | None:
    """What is wrong with an HDF5 file, or None: every dataset is read to its end.

    HDF5 itself sees that a file was cut off; that a part inside differs is seen where its chunks
    are compressed or carry checksums, as those of Allen sessions are.
    """
    try:
        with hdf5.opened(path) as file:
            return _first_damage(file)
    except UserError as error:
        return _without_advice(error)


def damage_of_npz(path: Path, array: str) -> str | None:
    """What is wrong with a file of numpy arrays, or None: it has the array, all checksums hold."""
    try:
        with zipfile.ZipFile(path) as archive:
            bad = archive.testzip()
            has = f"{array}.npy" in archive.namelist()
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError) as error:
        return f"{path.name}: {str(error)[:1].lower()}{str(error)[1:]}"
    if bad:
        return f"{path.name}: the array {bad} is damaged"
    return None if has else f"{path.name}: the file has no array {array}"


def _first_damage(file: h5py.File) -> str | None:
    name, found = Path(file.filename).name, []

    def look(place: str, node: object) -> None:
        if isinstance(node, h5py.Dataset):
            _read(node)
        found.append(place)

    try:
        file.visititems(look)
    except UserError as error:
        return _without_advice(error)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        after = f" after {found[-1]}" if found else ""
        return f"{name}: HDF5 cannot go on{after} ({str(error).splitlines()[0]})"
    return None if found else f"{name}: the file is empty"


def _read(data: h5py.Dataset) -> None:
    """Read a dataset to its end, in blocks of whole chunks where it has chunks."""
    if not data.shape:
        hdf5.read(data)
        return
    if not data.size:
        return
    row_bytes = max(data.dtype.itemsize * data.size // data.shape[0], 1)
    step = max(BLOCK_BYTES // row_bytes, 1)
    if data.chunks:
        step = max(step // data.chunks[0], 1) * data.chunks[0]
    for first in range(0, data.shape[0], step):
        hdf5.read(data, slice(first, first + step))


def _without_advice(error: UserError) -> str:
    """A fault without what to do about it, which is different here."""
    return str(error).removesuffix(f". {hdf5.DAMAGED}.").rstrip(".")

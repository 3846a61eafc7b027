"""Detected events in the place of dF/F: the npz files that the Allen Institute gives beside NWB.

Such a file has one array `ev`, (cells, frames), as many of both as dF/F: the size of the calcium
event in each frame, mostly 0 (L0-penalised deconvolution; de Vries et al. 2020, Nat. Neurosci. 23).
It is unpacked cell by cell to a plain file on the disk, from which blocks of frames are read.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from glassbox.sessions.hdf5 import fault
from glassbox.sessions.nwb import NwbSession
from glassbox.tensors.spool import Frames, Spooled

ARRAY = "ev"


@contextmanager
def events_by_frames(npz: str | Path, session: NwbSession, beside: Path) -> Iterator[Frames]:
    """The events of a session, to be read by blocks of frames.

    Args:
        npz: the file of its events.
        beside: a path; the plain copy stands beside it and is removed at the end.

    Raises:
        UserError: the file is damaged, is no such file, or is of another session.
    """
    npz, path = Path(npz), beside.with_name(f"{beside.name}.spool")
    shape = (session.n_cells, session.n_frames)
    try:
        try:
            with path.open("wb") as handle:
                for row in _rows(npz, shape):
                    handle.write(row.tobytes())
        except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ValueError) as error:
            raise fault(npz, ARRAY, f"the events cannot be read ({str(error)[:120]})") from None
        yield Spooled(shape, path, lambda block: np.ascontiguousarray(block.T))
    finally:
        path.unlink(missing_ok=True)


def _rows(npz: Path, shape: tuple[int, int]) -> Iterator[np.ndarray]:
    """The events of each cell, (frames,), f4, checked; one cell in memory at a time."""
    with zipfile.ZipFile(npz) as archive, archive.open(f"{ARRAY}.npy") as member:
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        found, by_columns, dtype = read(member)
        if found != shape:
            said = f"found {found}, expected {shape} as dF/F of the session"
            raise fault(npz, ARRAY, said, "Give the events of this session")
        if dtype.kind != "f":
            raise fault(npz, ARRAY, f"found type {dtype}, expected sizes of events as floats")
        if by_columns:  # whole: the cells do not stand one after another
            with np.load(npz, allow_pickle=False) as arrays:
                rows = iter(arrays[ARRAY])
        else:
            size = shape[1] * dtype.itemsize
            rows = (np.frombuffer(member.read(size), dtype) for _ in range(shape[0]))
        for cell, row in enumerate(rows):
            if len(row) != shape[1] or not np.isfinite(row).all():
                raise fault(npz, ARRAY, f"cell {cell} has values that are no numbers, or too few")
            yield row.astype(np.float32)

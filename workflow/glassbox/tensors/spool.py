"""A recording laid out so that blocks of frames can be read without reading it all again.

HDF5 unpacks a compressed chunk whole. Where the chunks of a file reach over many blocks of frames
(a chunk for each cell, say), reading block by block would unpack every chunk once a block: the
time would grow with the square of the length. Such a recording is unpacked once to a plain file
on the disk, from which blocks are then read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np

from glassbox.sessions.nwb import NwbSession

# A chunk is unpacked this often before unpacking all to the disk is the cheaper way.
MOST_TIMES_UNPACKED = 2
VALUE_BYTES = 4


class Frames(Protocol):
    """Whatever gives dF/F of all cells in the frames first..last, (frames, cells), f4."""

    def dff_frames(self, first: int, last: int) -> np.ndarray: ...


@contextmanager
def readable_by_frames(session: NwbSession, block: int, beside: Path) -> Iterator[Frames]:
    """The session itself, or a plain copy of its dF/F where its chunks are longer than blocks.

    Args:
        block: frames that will be read at once.
        beside: a path; the copy stands beside it and is removed at the end.
    """
    chunk = session.dff_chunk
    if chunk is None or chunk[1] <= MOST_TIMES_UNPACKED * block:
        yield session
        return
    path = beside.with_name(f"{beside.name}.spool")
    try:
        _unpack(session, chunk, path)
        yield Spooled((session.n_cells, session.n_frames), path, session.checked)
    finally:
        path.unlink(missing_ok=True)


def _unpack(session: NwbSession, chunk: tuple[int, int], path: Path) -> None:
    """Write dF/F as plain f4 (cells, frames), chunk by chunk."""
    cells, frames = session.n_cells, session.n_frames
    with open(path, "wb") as handle:
        for i in range(0, cells, chunk[0]):
            for j in range(0, frames, chunk[1]):
                values = session.dff_values(
                    i, min(i + chunk[0], cells), j, min(j + chunk[1], frames)
                )
                for k, row in enumerate(values):
                    handle.seek(((i + k) * frames + j) * VALUE_BYTES)
                    handle.write(row.tobytes())


class Spooled:
    """Reads blocks of frames from a plain copy, f4 (cells, frames)."""

    def __init__(
        self,
        shape: tuple[int, int],
        path: Path,
        turned: Callable[[np.ndarray], np.ndarray],
    ):
        """`turned` makes (frames, cells) of a block of (cells, frames), and checks it."""
        self.shape, self.path, self.turned = shape, path, turned

    def dff_frames(self, first: int, last: int) -> np.ndarray:
        cells, frames = self.shape
        block = np.empty((cells, last - first), dtype=np.float32)
        with open(self.path, "rb") as handle:
            for cell, row in enumerate(block):
                handle.seek((cell * frames + first) * VALUE_BYTES)
                handle.readinto(memoryview(row).cast("B"))
        return self.turned(block)

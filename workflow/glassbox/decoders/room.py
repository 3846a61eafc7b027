"""Room for the windows of a cohort: memory first, then a file that nobody has to delete."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np


class WindowsRoom:
    """Hands out arrays: in memory as long as they fit, then mapped from a file without a name.

    The file has no entry in its folder: it is gone when the process ends, killed or not. What is
    read from it stays in the page cache where the machine has memory to spare.

    Args:
        memory_bytes: memory that the arrays may take altogether.
        folder: where files are made; None: all arrays are in memory.
    """

    def __init__(self, memory_bytes: int, folder: str | Path | None):
        self._left = memory_bytes
        self._folder = None if folder is None else Path(folder)

    def take(self, shape: tuple[int, ...]) -> np.ndarray:
        """An array of float32, not filled."""
        size = 4 * int(np.prod(shape, dtype=np.int64))
        if self._folder is None or size <= self._left or size == 0:
            self._left -= size
            return np.empty(shape, dtype=np.float32)
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self._folder) as file:
            return np.memmap(file, dtype=np.float32, mode="w+", shape=shape)

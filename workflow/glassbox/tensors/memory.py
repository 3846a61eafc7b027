"""Keeping the memory of a long stream flat."""

from __future__ import annotations

import ctypes

M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
BLOCK_BYTES = 128 << 10  # glibc's own threshold at the start of a process


def give_large_blocks_back() -> None:
    """Let glibc return every freed block of 128 kB or more to the system at once.

    By default the threshold rises to the largest block freed so far; arrays then come from the
    heap, which falls into pieces: converting ten times the frames took 10% more memory. It is a
    hint for this process; where the C library is another one, nothing happens.
    """
    try:
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, BLOCK_BYTES)
    except (AttributeError, OSError, TypeError):
        return

"""The id of what a figure was drawn from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from glassbox.files import sha256_of_file

MARK = "glassbox inputs sha256:"
_DIGITS = re.compile(rb"[0-9a-f]{64}")


def id_of_inputs(paths: Iterable[str | Path]) -> str:
    """SHA-256 over the contents of files: not over their names, nor the order they are given in."""
    return id_of_hashes(sha256_of_file(path) for path in paths)


def id_of_hashes(hashes: Iterable[str]) -> str:
    """The same of files whose SHA-256 are known."""
    return hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()


def mark_of(figure: str | Path) -> str | None:
    """The id that a PDF or PNG of this workflow carries in its metadata; None without one."""
    content = Path(figure).read_bytes()
    start = content.find(MARK.encode())
    digits = content[start + len(MARK) : start + len(MARK) + 64] if start >= 0 else b""
    return digits.decode() if _DIGITS.fullmatch(digits) else None

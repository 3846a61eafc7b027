"""Files that another machine wrote a moment ago."""

from __future__ import annotations

import time
from pathlib import Path


def await_file(path: str | Path, longest_s: float, pause_s: float = 0.5) -> None:
    """Return as soon as a file is seen, and after `longest_s` seconds at the latest.

    Network file systems show a new file to other nodes late. Who reads the file afterwards says
    so if it is still missing.
    """
    deadline = time.monotonic() + longest_s
    while not Path(path).exists() and time.monotonic() < deadline:
        time.sleep(pause_s)

"""Progress that reads well on a terminal and in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


class Progress:
    """A bar on a terminal; in a log, a line at most every ten seconds."""

    def __init__(self, total: int, what: str, unit: str = "step", every_s: float = 10.0):
        self.total, self.what, self.unit, self.every_s = total, what, unit, every_s
        self.done, self.started, self.said = 0, time.monotonic(), time.monotonic()
        self.bar = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(total=total, desc=what, unit=unit, leave=False)

    def step(self, n: int = 1, note: str = "") -> None:
        """Count `n` more units done; `note` is shown behind the count (loss, accuracy, ...)."""
        self.done += n
        if self.bar is not None:
            self.bar.update(n)
            self.bar.set_postfix_str(note)
            return
        now = time.monotonic()
        if now - self.said < self.every_s:
            return
        self.said = now
        left = (now - self.started) / max(self.done, 1) * max(self.total - self.done, 0)
        print(
            f"{self.what}: {self.done}/{self.total} {self.unit} · {note} · {left:.0f} s left",
            file=sys.stderr,
            flush=True,
        )

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def track(items: Iterable[T], total: int, what: str, unit: str = "step") -> Iterator[T]:
    """Yield the items while showing progress."""
    progress = Progress(total, what, unit)
    try:
        for item in items:
            yield item
            progress.step()
    finally:
        progress.close()

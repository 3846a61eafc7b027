"""Trying again what a server did not give, later each time."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """How often something is tried and how long is waited in between.

    The pauses double up to the longest; each is drawn between half of itself and the whole, so
    that many jobs that failed at once do not come back at once.
    """

    attempts: int = 8
    first_pause_s: float = 1.0
    longest_pause_s: float = 120.0
    timeout_s: float = 60.0  # without a byte
    sleep: Callable[[float], None] = time.sleep

    def pauses(self, what: str) -> Iterator[float]:
        """Seconds before each further attempt, drawn anew for each `what` and always the same."""
        draw = random.Random(what)
        for attempt in range(self.attempts - 1):
            pause = min(self.first_pause_s * 2**attempt, self.longest_pause_s)
            yield pause * draw.uniform(0.5, 1.0)

    def wait(self, pause_s: float, why: str, asked_s: float | None = None) -> None:
        """Say why, and wait; as long as the server asked for, if that is longer."""
        pause_s = max(pause_s, min(asked_s or 0.0, self.longest_pause_s))
        print(f"{why}; trying again in {pause_s:.1f} s", file=sys.stderr, flush=True)
        self.sleep(pause_s)

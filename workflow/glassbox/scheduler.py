"""A fault of Snakemake (9.27) worked around: timers of its scheduler that add up.

Each finished job starts a chain of timers, one a second until the end of the run, that look at all
waiting jobs anew. With n jobs done that is n looks a second, a tenth of all CPU time of the demo.
"""

from __future__ import annotations

import threading


def keep_one_timer(scheduler: type) -> None:
    """Let a scheduler have one timer at any time, however often it asks for one.

    Args:
        scheduler: Snakemake's class. One without the method in question stays as it is, and one
            that was changed before, by a workflow that uses this one as a module.
    """
    set_timer = getattr(scheduler, "_schedule_reevalutation", None)
    if set_timer is None or hasattr(set_timer, "pending"):
        return
    pending = set()  # schedulers whose timer has yet to fire

    def set_one_timer(self, delay: float) -> None:
        def look() -> None:
            pending.discard(self)  # first: the look that follows may set the next timer
            self._open_jobs.release()

        if self not in pending:
            pending.add(self)
            timer = threading.Timer(delay, look)
            timer.daemon = True  # the end of the run need not wait for it
            timer.start()

    set_one_timer.pending = pending
    scheduler._schedule_reevalutation = set_one_timer

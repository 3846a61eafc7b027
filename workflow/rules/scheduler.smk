# A fault of Snakemake (9.27) worked around: each finished job starts a chain of timers, one a second
# until the end of the run, that look at all waiting jobs anew. With n jobs done that is n looks a
# second, a tenth of all CPU time of the demo. Here at most one timer is pending at any time.
# In a Snakemake whose scheduler has no such method, nothing happens.

import threading

from snakemake.scheduling.job_scheduler import JobScheduler


def one_look_at_a_time(scheduler: type) -> None:
    """Let the timers of a scheduler's looks at waiting jobs not add up."""
    set_timer = getattr(scheduler, "_schedule_reevalutation", None)
    if set_timer is None or hasattr(set_timer, "pending"):
        return
    pending = set()  # schedulers with a timer that has yet to fire

    def set_one_timer(self, delay):
        def look():
            pending.discard(self)  # first: the look that follows may set the next timer
            self._open_jobs.release()

        if self not in pending:
            pending.add(self)
            timer = threading.Timer(delay, look)
            timer.daemon = True  # the end of the run need not wait for it
            timer.start()

    set_one_timer.pending = pending
    scheduler._schedule_reevalutation = set_one_timer


one_look_at_a_time(JobScheduler)

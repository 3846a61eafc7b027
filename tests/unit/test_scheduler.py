"""Laws of the scheduler's timers: one at a time, and always another one after it has fired."""

from __future__ import annotations

import threading

from glassbox.scheduler import keep_one_timer
from snakemake.scheduling.job_scheduler import JobScheduler

LONGEST_S = 30.0


class Scheduler:
    """As Snakemake's: a timer lets its loop run once more, and the loop may set the next."""

    def __init__(self):
        self._open_jobs = threading.Semaphore(0)

    def _schedule_reevalutation(self, delay: float) -> None:
        threading.Timer(delay, self._open_jobs.release).start()


def changed() -> type[Scheduler]:
    one = type("Changed", (Scheduler,), {})
    keep_one_timer(one)
    return one


def test_timers_that_are_asked_for_at_once_fire_once():
    one = changed()()
    for _ in range(5):
        one._schedule_reevalutation(0.05)
    assert one._open_jobs.acquire(timeout=LONGEST_S)
    assert not one._open_jobs.acquire(timeout=0.5)


def test_a_timer_can_be_set_again_as_soon_as_one_has_fired():
    one = changed()()
    for _ in range(20):
        one._schedule_reevalutation(0.001)
        assert one._open_jobs.acquire(timeout=LONGEST_S)


def test_schedulers_do_not_share_a_timer():
    scheduler = changed()
    first, second = scheduler(), scheduler()
    first._schedule_reevalutation(0.01)
    second._schedule_reevalutation(0.01)
    assert first._open_jobs.acquire(timeout=LONGEST_S)
    assert second._open_jobs.acquire(timeout=LONGEST_S)


def test_a_scheduler_is_changed_once_and_one_without_the_method_not_at_all():
    scheduler = changed()
    method = scheduler._schedule_reevalutation
    keep_one_timer(scheduler)
    assert scheduler._schedule_reevalutation is method
    other = type("Other", (), {})
    keep_one_timer(other)
    assert not hasattr(other, "_schedule_reevalutation")


def test_the_scheduler_of_this_snakemake_has_the_method_that_is_changed():
    assert callable(JobScheduler._schedule_reevalutation)

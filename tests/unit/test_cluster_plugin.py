"""The workarounds for jobs that the SLURM executor plugin forgets."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace

import pytest
from glassbox.cluster_plugin import work_around_faults

ARRAY = "measure_units"


@pytest.fixture
def pinned(monkeypatch):
    """The plugin itself, put back after the test."""
    plugin = pytest.importorskip("snakemake_executor_plugin_slurm")
    for name in ("query_job_status", "pending_jobs_for_rule"):
        monkeypatch.setattr(plugin, name, getattr(plugin, name))
    return plugin


def plugin_that_is_told(*answers):
    """A stand-in for the plugin's module, and the answers of the cluster in turn."""
    given = iter(answers)

    async def query_job_status(command, logger):
        return next(given)

    return SimpleNamespace(query_job_status=query_job_status)


def asked(plugin):
    return asyncio.run(plugin.query_job_status("squeue", None))


class Job(SimpleNamespace):
    """A job of a rule; a group of jobs has none."""

    __hash__ = object.__hash__

    def is_group(self):
        return not hasattr(self, "rule")


def jobs(number):
    return [Job(rule=SimpleNamespace(name=ARRAY)) for _ in range(number)]


def submitted(plugin, given, ready):
    """What the plugin submits of the jobs that it is given, one by one or as arrays."""
    made = []
    executor = SimpleNamespace(
        workflow=SimpleNamespace(dag=SimpleNamespace(ready_jobs=set(ready))),
        array_jobs={ARRAY},
        max_array_size=200,
        logger=logging.getLogger("silent"),
        _main_event_loop=None,
        _submit_job=lambda one: made.append([one]),
        _submit_array_jobs=lambda many: made.append(list(many)),
    )
    plugin.Executor.run_jobs(executor, given)
    return made


def test_no_answer_is_no_news_and_an_answer_is_passed_on():
    plugin = plugin_that_is_told((None, None), ({"7": "RUNNING"}, 0.5))
    work_around_faults(plugin)
    assert asked(plugin) == ({}, 0.0)
    assert asked(plugin) == ({"7": "RUNNING"}, 0.5)


def test_a_plugin_is_changed_once_and_none_or_another_kind_is_let_be():
    plugin = plugin_that_is_told()
    work_around_faults(plugin)
    changed = plugin.query_job_status
    work_around_faults(plugin)
    assert plugin.query_job_status is changed
    work_around_faults(None)
    other = SimpleNamespace()
    work_around_faults(other)
    assert not vars(other)


def test_the_plugin_that_is_pinned_has_the_functions_in_question(pinned):
    assert asyncio.iscoroutinefunction(pinned.query_job_status)
    # Where this fails the plugin was mended: take the workaround out.
    assert not submitted(pinned, jobs(1), ready=jobs(3)), "it submits what it is given"
    with pytest.raises(AttributeError):
        submitted(pinned, jobs(1), ready=[Job()])


@pytest.mark.parametrize("n_given", [1, 2])
@pytest.mark.parametrize("ready", [jobs(4), [Job()]], ids=["more of the rule", "a group"])
def test_jobs_of_an_array_are_submitted_whatever_else_is_ready(pinned, n_given, ready):
    work_around_faults(pinned)
    given = jobs(n_given)
    assert submitted(pinned, given, ready) == [given]

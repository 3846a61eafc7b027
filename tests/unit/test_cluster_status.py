"""The workaround for jobs that the SLURM executor plugin forgets."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from glassbox.cluster_status import keep_unanswered_jobs


def plugin_that_is_told(*answers):
    """A stand-in for the plugin's module, and the answers of the cluster in turn."""
    given = iter(answers)

    async def query_job_status(command, logger):
        return next(given)

    return SimpleNamespace(query_job_status=query_job_status)


def asked(plugin):
    return asyncio.run(plugin.query_job_status("squeue", None))


def test_no_answer_is_no_news_and_an_answer_is_passed_on():
    plugin = plugin_that_is_told((None, None), ({"7": "RUNNING"}, 0.5))
    keep_unanswered_jobs(plugin)
    assert asked(plugin) == ({}, 0.0)
    assert asked(plugin) == ({"7": "RUNNING"}, 0.5)


def test_a_plugin_is_changed_once_and_none_or_another_kind_is_let_be():
    plugin = plugin_that_is_told()
    keep_unanswered_jobs(plugin)
    changed = plugin.query_job_status
    keep_unanswered_jobs(plugin)
    assert plugin.query_job_status is changed
    keep_unanswered_jobs(None)
    other = SimpleNamespace()
    keep_unanswered_jobs(other)
    assert not vars(other)


def test_the_plugin_that_is_pinned_has_the_function_in_question():
    plugin = pytest.importorskip("snakemake_executor_plugin_slurm")
    assert asyncio.iscoroutinefunction(plugin.query_job_status)

"""Two faults of the SLURM executor plugin (2.8.0) worked around; each lets a run wait for ever.

An outage: where the cluster does not answer (slurmctld restarts), the plugin neither finishes its
jobs nor keeps them to ask again.

Arrays: of a rule that is submitted in arrays the plugin holds back the jobs that it is given while
more of the rule are ready, to submit them together. It is never given them again: Snakemake counts
them as running. More are ready wherever `jobs` or a resource lets only some of them go. Where one
of those that wait is a group of jobs, it ends with an AttributeError.
"""

from __future__ import annotations

import sys
from types import ModuleType

PLUGIN = "snakemake_executor_plugin_slurm"


def loaded_plugin() -> ModuleType | None:
    """The plugin, where this run of Snakemake has loaded it."""
    return sys.modules.get(PLUGIN)


def work_around_faults(plugin: ModuleType | None) -> None:
    """Change what the plugin does in an outage and with arrays.

    Args:
        plugin: the plugin's module; None where it is not installed. One without the functions in
            question stays as it is, and one that was changed before.
    """
    _keep_unanswered_jobs(plugin)
    _submit_arrays_of_what_is_given(plugin)


def _keep_unanswered_jobs(plugin: ModuleType | None) -> None:
    """Let a question without an answer mean "no news of any job", which is asked for again."""
    ask = getattr(plugin, "query_job_status", None)
    if ask is None or hasattr(ask, "keeps_jobs"):
        return

    async def ask_and_keep(command, logger):
        states, seconds = await ask(command, logger)
        return ({}, 0.0) if states is None else (states, seconds)

    ask_and_keep.keeps_jobs = True
    plugin.query_job_status = ask_and_keep


def _submit_arrays_of_what_is_given(plugin: ModuleType | None) -> None:
    """Let no other job be worth waiting for: what is given together is submitted together."""
    if hasattr(plugin, "pending_jobs_for_rule"):
        plugin.pending_jobs_for_rule = nothing_to_wait_for


def nothing_to_wait_for(dag: object, rule_name: str) -> int:
    """The number of a rule's jobs that are ready beside those given to the plugin: 0."""
    return 0

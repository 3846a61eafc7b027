"""A fault of the SLURM executor plugin (2.8.0) worked around: jobs forgotten in an outage.

Where the cluster does not answer (slurmctld restarts), the plugin neither finishes its jobs nor
keeps them to ask again, and the run waits for ever for jobs that were done long ago.
"""

from __future__ import annotations

import sys
from types import ModuleType

PLUGIN = "snakemake_executor_plugin_slurm"


def loaded_plugin() -> ModuleType | None:
    """The plugin, where this run of Snakemake has loaded it."""
    return sys.modules.get(PLUGIN)


def keep_unanswered_jobs(plugin: ModuleType | None) -> None:
    """Let a question without an answer mean "no news of any job", which the plugin asks again for.

    Args:
        plugin: the plugin's module; None where it is not installed. One without the function in
            question stays as it is, and one that was changed before.
    """
    ask = getattr(plugin, "query_job_status", None)
    if ask is None or hasattr(ask, "keeps_jobs"):
        return

    async def ask_and_keep(command, logger):
        states, seconds = await ask(command, logger)
        return ({}, 0.0) if states is None else (states, seconds)

    ask_and_keep.keeps_jobs = True
    plugin.query_job_status = ask_and_keep

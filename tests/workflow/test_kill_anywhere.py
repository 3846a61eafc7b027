"""Runs killed at random moments, each time recovered as the README says: the same bytes are there.

A kill is SIGKILL, of Snakemake alone or of its whole process group. Recovery: end what it left
behind, `--unlock`, the same command again.
"""

from __future__ import annotations

import csv
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict

import psutil
import pytest
from workflow_files import Checkout, bytes_of, environment

CONFIG = ("--configfile", "tiny.yaml")
LOST = 2  # jobs whose results a run that is killed has to make again
# Times and dates; the rest has none.
NEVER_THE_SAME = ("logs/", "benchmarks/", "provenance/", "ro-crate-metadata.json")
LONGEST_S = 1200
TRIES = 4  # a run may be over before the moment at which it was to be killed


class Killed:
    """A run of Snakemake in a process group of its own, killed at a moment."""

    def __init__(self, checkout: Checkout, *targets: str):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "snakemake", "--cores", "2", *targets, *CONFIG],
            cwd=checkout.root,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def kill(self, whole_group: bool) -> bool:
        """Kill it; False where it was over before. What it left behind is ended."""
        if self.process.poll() is not None:
            return False
        family = psutil.Process(self.process.pid).children(recursive=True)
        if whole_group:
            os.killpg(self.process.pid, signal.SIGKILL)
        else:
            self.process.kill()
        self.process.wait()
        for orphan in family:
            if orphan.is_running():
                orphan.kill()
        psutil.wait_procs(family, timeout=60)
        return True


def results_of(checkout: Checkout) -> dict[str, bytes]:
    """Every result but for logs, times and the notes of where and when it was made."""
    return {
        name: content
        for name, content in bytes_of(checkout.results).items()
        if not name.startswith((*NEVER_THE_SAME, ".")) and not name.endswith("provenance.json")
    }


def outputs_by_job(checkout: Checkout) -> list[list[str]]:
    """The results of each job of a finished run."""
    run = checkout.made("--summary", *CONFIG)
    jobs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in csv.DictReader(run.stdout.splitlines(), delimiter="\t"):
        jobs[row["rule"], row["log-file(s)"]].append(row["output_file"])
    return list(jobs.values())


def recovered(checkout: Checkout, *targets: str) -> None:
    """As the README says."""
    checkout.made("--unlock", *CONFIG)
    checkout.made(*targets, *CONFIG)


@pytest.fixture(scope="module")
def jobs(tiny_run) -> list[list[str]]:
    return outputs_by_job(tiny_run.checkout)


@pytest.fixture(scope="module")
def startup_s(tiny_run) -> float:
    """Seconds until Snakemake has planned; the jobs that were lost take about twice as long."""
    started = time.monotonic()
    assert not tiny_run.checkout.jobs(*CONFIG)
    return time.monotonic() - started


def killed_while_making(
    checkout: Checkout, targets: list[str], rng: random.Random, startup_s: float
) -> bool:
    """Make results again and kill the run at a random moment; whether it was still running."""
    for name in targets:
        path = checkout.root / name
        path.unlink() if path.is_file() else shutil.rmtree(path)
    run = Killed(checkout, *targets)
    time.sleep(startup_s * rng.uniform(0.5, 2.5))
    return run.kill(whole_group=rng.random() < 0.5)


@pytest.mark.parametrize(
    "seed", [*range(2), *(pytest.param(s, marks=pytest.mark.slow) for s in range(2, 50))]
)
def test_results_killed_while_they_are_made_again_come_out_the_same(
    tiny_copy, tiny_run, jobs, startup_s, seed
):
    """The results of random jobs of the whole path are lost; their making is killed.

    What lay between them, was begun again and killed too, stays away where nothing needs it any
    more: Snakemake compares what it would be made of by content.
    """
    rng = random.Random(seed)
    before = results_of(tiny_run.checkout)
    for _ in range(TRIES):
        lost = rng.sample(jobs, LOST)
        targets = [name for outputs in lost for name in outputs]
        alive = killed_while_making(tiny_copy, targets, rng, startup_s)
        recovered(tiny_copy, *targets)
        assert all((tiny_copy.root / name).exists() for name in targets)
        unlike_before = results_of(tiny_copy).items() - before.items()
        assert not unlike_before, {name for name, _ in unlike_before}
        if alive:
            return
    pytest.fail(f"{TRIES} runs were over before they were to be killed")


@pytest.mark.slow
def test_the_whole_path_killed_again_and_again_comes_out_the_same(checkout, tiny_run):
    """From nothing, killed some seconds after each start until it ends by itself."""
    rng = random.Random(0)
    deadline = time.monotonic() + LONGEST_S
    kills = 0
    while True:
        run = Killed(checkout)
        try:
            assert run.process.wait(rng.uniform(10, 60)) == 0
            break
        except subprocess.TimeoutExpired:
            kills += run.kill(whole_group=rng.random() < 0.5)
            checkout.made("--unlock", *CONFIG)
        assert time.monotonic() < deadline, f"not made in {LONGEST_S} s and {kills} kills"
    assert kills
    assert results_of(checkout) == results_of(tiny_run.checkout)

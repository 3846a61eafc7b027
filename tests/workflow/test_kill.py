"""A killed run: unlock, run again, and the same bytes are there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest
from workflow_files import Checkout, bytes_of, environment

CONFIG = ("--configfile", "tiny.yaml")
SCRIPT = "train_decoder.py"
LONGEST_WAIT_S = 300


def started(checkout: Checkout, *targets: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "2", *targets, *CONFIG],
        cwd=checkout.root,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def script_of(run: subprocess.Popen) -> psutil.Process:
    """The process of the script, once Snakemake has started it."""
    deadline = time.monotonic() + LONGEST_WAIT_S
    while time.monotonic() < deadline:
        assert run.poll() is None, "Snakemake ended before its job was seen"
        for child in psutil.Process(run.pid).children(recursive=True):
            try:
                line = child.cmdline()
            except psutil.Error:
                continue
            if any(part.endswith(SCRIPT) for part in line[1:2]):
                return child
        time.sleep(0.05)
    raise AssertionError(f"{SCRIPT} was not started")


@pytest.mark.parametrize("orphan", [True, False], ids=["its job lives on", "its job dies too"])
def test_a_killed_run_unlocked_and_run_again_gives_the_same_bytes(tiny_copy, orphan):
    folder = tiny_copy.results / "decoders" / "all"
    target = "results/decoders/all/decoder.json"
    before = bytes_of(folder)
    shutil.rmtree(folder)
    shutil.rmtree(tiny_copy.results / ".cache", ignore_errors=True)
    run = started(tiny_copy, target)
    script = script_of(run)
    tree = [] if orphan else psutil.Process(run.pid).children(recursive=True)
    os.kill(run.pid, signal.SIGKILL)
    for process in tree:
        process.kill()
    run.wait()
    locked = tiny_copy.snakemake(target, *CONFIG)
    assert locked.returncode != 0 and "unlock" in locked.stdout + locked.stderr
    tiny_copy.made("--unlock", *CONFIG)
    tiny_copy.made(target, *CONFIG)
    psutil.wait_procs([script], timeout=LONGEST_WAIT_S)
    assert bytes_of(folder) == before
    assert not tiny_copy.jobs(target, *CONFIG)

"""Runs of the workflow through `profiles/slurm`, and faults planted in their scripts."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workflow_files import Checkout, environment

SHORT_WAITS = (
    "--slurm-no-account",  # the cluster keeps none
    *("--slurm-init-seconds-before-status-checks", "2"),
)
LONGEST_S = 1800
SESSION = "sim-Cux2-01"
MANIFEST = f"results/tensors/{SESSION}.json"

PLANTED = """
# The first time that one script runs, and only then, something happens to it.
import os, sys, time
from pathlib import Path

def _happens():
    script = next((Path(a).stem for a in sys.orig_argv if a.endswith(".py")), "")
    notes = Path({notes!r})
    if script:
        with open(notes / "ran", "a") as file:
            file.write(script + "\\n")
        with open(notes / "prefixes", "a") as file:
            file.write(sys.prefix + "\\n")
    if script != {script!r} or (notes / "held").exists():
        return
    (notes / "held").touch()
    while not (notes / "released").exists():
        time.sleep(0.1)

_happens()
{more}
"""


@dataclass
class SlurmRun:
    """A controller that submits to the cluster, and what it said so far."""

    process: subprocess.Popen
    output: Path

    def said(self) -> str:
        return self.output.read_text(errors="replace")

    def status(self) -> int:
        """Wait for its end."""
        try:
            return self.process.wait(LONGEST_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"the run hangs: {self.said()[-4000:]}") from None

    def ends_well(self) -> str:
        """What it said, once it has ended with status 0."""
        status = self.status()
        assert status == 0, f"status {status}: {self.said()[-8000:]}"
        return self.said()

    def name(self) -> str:
        """The name of all its jobs, which it says at its start."""
        return re.search(r"SLURM run ID: (\S+)", self.said()).group(1)


@dataclass
class Planted:
    """A fault in a checkout: its script is held until it is killed or released."""

    notes: Path

    def reached(self) -> None:
        until((self.notes / "held").exists, "the script was never reached")

    def release(self) -> None:
        (self.notes / "released").touch()

    def runs_of(self, script: str) -> int:
        """How often a script was started."""
        return (self.notes / "ran").read_text().split().count(script)

    def prefixes(self) -> set[str]:
        """The environments that scripts ran in."""
        return set((self.notes / "prefixes").read_text().splitlines())


def plant(checkout: Checkout, script: str, more: str = "") -> Planted:
    """Hold the first run of a script, and run `more` in all scripts of the checkout."""
    notes = checkout.root.parent / "notes"
    notes.mkdir()
    text = PLANTED.format(notes=str(notes), script=script, more=more)
    (checkout.root / "workflow" / "sitecustomize.py").write_text(text)
    return Planted(notes)


def submitted(checkout: Checkout, *arguments: str, jobs: int = 6, **variables: str) -> SlurmRun:
    """Start a run on the cluster with the profile that users are given."""
    return as_documented(checkout, "--jobs", str(jobs), *SHORT_WAITS, *arguments, **variables)


def as_documented(checkout: Checkout, *arguments: str, **variables: str) -> SlurmRun:
    """The command of the README, and nothing that it does not say."""
    output = checkout.root.parent / f"said-{time.monotonic_ns()}.txt"
    command = [sys.executable, "-m", "snakemake", "--profile", "profiles/slurm"]
    with output.open("w") as file:
        process = subprocess.Popen(
            [*command, *arguments, "--configfile", "tiny.yaml"],
            cwd=checkout.root,
            env=environment(**variables),
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    return SlurmRun(process, output)


def jobs_in_queue(*states: str, name: str | None = None) -> list[str]:
    """Ids of the jobs in these states (all that are not over), or of one run alone."""
    command = ["squeue", "--noheader", "--format=%A", *(["--name", name] if name else [])]
    if states:
        command.append(f"--states={','.join(states)}")
    return subprocess.check_output(command, text=True, timeout=60).split()


def until(condition: Callable[[], object], complaint: str, longest_s: float = 300) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + longest_s
    while not condition():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.1)

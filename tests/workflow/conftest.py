"""Copies of the workflow that tests may edit, run and break."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "workflow" / "tiny.yaml"
PARTS = ("Snakefile", "workflow", "config", "profiles", "envs", "report")
LONGEST_S = 900  # a run that hangs fails its test instead of stopping all of them


@dataclass
class Checkout:
    """A copy of the workflow's files; `results/` is made inside it."""

    root: Path

    @property
    def results(self) -> Path:
        return self.root / "results"

    def snakemake(self, *arguments: str | Path, cwd: Path | None = None, **variables: str):
        """Run Snakemake in the copy, with the python of the tests first on the PATH."""
        return subprocess.run(
            [sys.executable, "-m", "snakemake", "--cores", "2", *map(str, arguments)],
            cwd=cwd or self.root,
            env=environment(**variables),
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
        )

    def made(self, *arguments: str | Path, **variables: str) -> subprocess.CompletedProcess:
        """Run Snakemake and demand that it succeeds."""
        run = self.snakemake(*arguments, **variables)
        assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-8000:]
        return run

    def jobs(self, *arguments: str | Path) -> Counter[str]:
        """The jobs of a dry run as `rule` or `rule:value,value` of its wildcards, target rules left out."""
        run = self.made("--dry-run", "--quiet", "reason", *arguments)
        return jobs_of(run.stdout + run.stderr)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that must be there."""
        file = self.root / path
        text = file.read_text()
        assert old in text, f"{path} has no {old!r}"
        file.write_text(text.replace(old, new, 1))

    def copy(self, root: Path) -> Checkout:
        """Another copy with its results and Snakemake's memory of them, times kept."""
        shutil.copytree(self.root, root, symlinks=True)
        return Checkout(root)


TARGET_RULES = frozenset(
    "all sessions tensors decoders dictionaries units interventions tables figures".split()
)
_JOB = re.compile(r"^(?:local)?rule (\w+):\n((?:    .*\n)*)", re.MULTILINE)


def jobs_of(text: str) -> Counter[str]:
    """The jobs that a dry run prints."""
    found: Counter[str] = Counter()
    for rule, body in _JOB.findall(text):
        wildcards = re.search(r"^    wildcards: (.*)$", body, re.MULTILINE)
        values = re.findall(r"\w+=([^,\n]+)", wildcards.group(1)) if wildcards else []
        if rule not in TARGET_RULES:
            found[":".join([rule, ",".join(values)]) if values else rule] += 1
    return found


def rules_of(jobs: Counter[str]) -> set[str]:
    """The names of the rules among jobs."""
    return {job.split(":")[0] for job in jobs}


def environment(**variables: str) -> dict[str, str]:
    """The variables of a run: the tests' python first, no profile of the user."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SNAKEMAKE", "PYTHONPATH"))}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
    return kept | {"PATH": path} | variables


def fresh_checkout(root: Path) -> Checkout:
    """A copy of the workflow's files without results."""
    root.mkdir(parents=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, root / part, ignore=shutil.ignore_patterns("__pycache__"))
        elif source.exists():
            shutil.copy2(source, root / part)
    shutil.copy2(TINY, root / "tiny.yaml")
    return Checkout(root)


@pytest.fixture
def checkout(tmp_path) -> Checkout:
    """A copy without results."""
    return fresh_checkout(tmp_path / "checkout")


LISTENER = """
# Each script of the tiny run says at its end which modules of the library it had loaded.
import atexit, os, sys

def _say():
    folder, script = os.environ.get("GLASSBOX_LOADED"), os.path.basename(sys.argv[0])
    if folder and script.endswith(".py"):
        names = sorted(name for name in list(sys.modules) if name.split(".")[0] == "glassbox")
        with open(os.path.join(folder, f"{script}.{os.getpid()}"), "w") as file:
            file.write("\\n".join(names))

atexit.register(_say)
"""


@dataclass
class TinyRun:
    """The finished run of the tiny configuration, and what each of its scripts loaded."""

    checkout: Checkout
    loaded: dict[str, set[str]]
    run: subprocess.CompletedProcess


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory) -> TinyRun:
    """One real run of the tiny configuration. Tests that change it work on a copy of it."""
    folder = tmp_path_factory.mktemp("tiny")
    checkout = fresh_checkout(folder / "checkout")
    (checkout.root / "workflow" / "sitecustomize.py").write_text(LISTENER)
    (folder / "loaded").mkdir()
    run = checkout.made("--configfile", "tiny.yaml", GLASSBOX_LOADED=str(folder / "loaded"))
    loaded: dict[str, set[str]] = {}
    for file in (folder / "loaded").iterdir():
        loaded.setdefault(file.name.split(".")[0], set()).update(file.read_text().split())
    return TinyRun(checkout, loaded, run)


@pytest.fixture
def tiny_copy(tiny_run, tmp_path) -> Checkout:
    """A copy of the finished run to edit."""
    return tiny_run.checkout.copy(tmp_path / "checkout")

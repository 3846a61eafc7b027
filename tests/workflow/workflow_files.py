"""Copies of the workflow that tests may edit, run and break."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from glassbox.sessions import layout

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "workflow" / "tiny.yaml"
PARTS = ("Snakefile", "workflow", "config", "profiles", "envs", "report")
# Of a cohort of one mouse; genotype needs several.
FIGURES = tuple("decoding insertion units ablation necessity controls steering".split())
LONGEST_S = 2400  # a run that hangs fails its test instead of stopping all of them

sys.path.append(str(ROOT / "tests" / "unit"))
from tiny_nwb import tiny_nwb  # noqa: E402


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
        said = run.stdout[-4000:] + run.stderr[-8000:]
        assert run.returncode == 0, f"status {run.returncode}: {said}"
        return run

    def jobs(self, *arguments: str | Path) -> Counter[str]:
        """The jobs of a dry run but for target rules, as `rule` or `rule:wildcard,wildcard`."""
        run = self.made("--dry-run", *arguments, "--quiet", "reason")
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


# And the record of the results, which follows whatever is made.
TARGET_RULES = frozenset(
    "all sessions tensors decoders dictionaries units interventions tables figures claims "
    "provenance record_provenance".split()
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


def folder_of_sessions(folder: Path, names: Iterable[str], **options) -> Path:
    """A folder of small NWB sessions, each of a mouse of its own."""
    folder.mkdir(parents=True)
    for name in names:
        add_session(folder, name, **options)
    return folder


def add_session(folder: Path, name: str, **options) -> Path:
    """One more small session in a folder."""
    about = {layout.SESSION_ID: name, layout.SUBJECT_ID: name}
    return tiny_nwb(folder / f"{name}.nwb", metadata=about, **options)


def bytes_of(folder: Path) -> dict[str, bytes]:
    """The content of each file below a folder, but for Snakemake's stamps and hidden files."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }

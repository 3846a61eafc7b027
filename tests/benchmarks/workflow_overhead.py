"""What the workflow costs beside its jobs, against a bare Snakemake workflow of the same size.

    python tests/benchmarks/workflow_overhead.py [--out rows.csv] [--rounds 3] [--sizes 2000 20000]
        [--jobs 500]

`workflow_plan` is the time from typing the command to the finished plan (`--dry-run --quiet`): all
imports, the configuration, the catalogue, the DAG. `workflow_job` is the time of a run whose jobs
make empty files, over the number of jobs; `workflow_again` the time of the same command once all is
made. Ours is the simulated cohort of as many mice as give that many jobs, its scripts replaced
by the shell's `touch`; all else of a rule stays. The peer has one input and one output a job,
in chains of six, and a last rule that asks for all. Both run in turns; the value is the median of
the rounds (sizes of 10,000 and more: one round). CPU time counts Snakemake and all its children.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))

from benchmark_rows import row, write  # noqa: E402

PARTS = ("Snakefile", "workflow", "config", "profiles", "envs", "report")
CHAIN = "abcdef"
LONGEST_S = 3600
SHELL = re.compile(r"^    shell:\n(?:        .*\n)+", re.MULTILINE)
TOUCH = """    shell:
        'for path in {output:q}; do case "$path" in *.zarr | */provenance) mkdir -p "$path" ;;'
        ' *) touch "$path" ;; esac; done 2>&1 | tee {log:q}'
"""


@dataclass(frozen=True)
class Spent:
    """What a command took, its children included."""

    cpu_s: float
    wall_s: float


class Ours:
    """This workflow, its jobs making empty files."""

    def __init__(self, folder: Path):
        self.house, self.folder = folder / "house", folder
        for part in PARTS:
            source = ROOT / part
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            self.house.mkdir(exist_ok=True)
            copy(source, self.house / part)
        for rules in (self.house / "workflow" / "rules").glob("*.smk"):
            rules.write_text(SHELL.sub(lambda _: TOUCH, rules.read_text()))
        few, more = self.jobs(6), self.jobs(10)
        self.per_mouse = (more - few) / 4
        self.base = few - 6 * self.per_mouse

    def jobs(self, mice: int) -> int:
        """Jobs of a cohort with so many mice a line."""
        directory = self.folder / f"count{mice}"
        said = snakemake(directory, *self.arguments(mice), "--dry-run", "--quiet", "rules")[1]
        return int(re.search(r"^total +(\d+)", said, re.MULTILINE).group(1))

    def sized(self, jobs: int) -> tuple[int, tuple[str, ...]]:
        """About so many jobs: how many, and the arguments that ask for them."""
        mice = max(round((jobs - self.base) / self.per_mouse), 6)
        return round(self.base + mice * self.per_mouse), self.arguments(mice)

    def arguments(self, mice: int) -> tuple[str, ...]:
        config = self.folder / f"mice{mice}.yaml"
        config.write_text(f"sessions: {{simulate: {{mice_per_line: {mice}}}}}\n")
        return ("--snakefile", str(self.house / "Snakefile"), "--configfile", str(config))


class Bare:
    """As many jobs with nothing but an input, an output and `touch`."""

    def __init__(self, folder: Path):
        self.file = folder / "bare"
        rules = [
            f'rule all:\n    input: expand("r/{CHAIN[-1]}/{{i}}", i=range(config["chains"]))\n'
        ]
        for place, name in enumerate(CHAIN):
            needs = f'    input: "r/{CHAIN[place - 1]}/{{i}}"\n' if place else ""
            made = f'    output: "r/{name}/{{i}}"\n'
            rules.append(f'rule {name}:\n{needs}{made}    shell: "touch {{output}}"\n')
        self.file.write_text("\n".join(rules))

    def sized(self, jobs: int) -> tuple[int, tuple[str, ...]]:
        chains = max(jobs // len(CHAIN), 1)
        asked = ("--snakefile", str(self.file), "--config", f"chains={chains}")
        return chains * len(CHAIN) + 1, asked


def snakemake(directory: Path, *arguments: str) -> tuple[Spent, str]:
    """Run Snakemake in a folder: what it took, and what it said."""
    directory.mkdir(exist_ok=True)
    clean = {key: value for key, value in os.environ.items() if not key.startswith("SNAKEMAKE")}
    clean["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{clean.get('PATH', '')}"
    command = [sys.executable, "-m", "snakemake", "--cores", "2", "--directory", str(directory)]
    before, began = cpu_of_children(), time.perf_counter()
    done = subprocess.run(
        [*command, *arguments],
        cwd=directory,
        env=clean,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    spent = Spent(cpu_of_children() - before, time.perf_counter() - began)
    if done.returncode:
        raise SystemExit(f"error: {' '.join(command)}: {done.stderr[-4000:]}")
    return spent, done.stdout + done.stderr


def cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def rows(rounds: int, sizes: list[int], jobs: int) -> Iterator[dict[str, Any]]:
    """The rows of benchmarks.csv."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        both = {"ours": Ours(folder), "bare": Bare(folder)}
        for size in sizes:
            found: dict[str, list[Spent]] = {who: [] for who in both}
            counts = {}
            for turn in range(rounds if size < 10_000 else 1):
                for who, workflow in both.items():
                    counts[who], arguments = workflow.sized(size)
                    # A folder is used again: a plan is made in a folder with some history.
                    place = folder / f"plan-{who}-{size}"
                    if turn == 0 and size < 10_000:
                        snakemake(place, *arguments, "--dry-run", "--quiet")
                    found[who].append(snakemake(place, *arguments, "--dry-run", "--quiet")[0])
            yield from compared("workflow_plan", found, counts, 1)
        runs: dict[str, list[Spent]] = {who: [] for who in both}
        again: dict[str, list[Spent]] = {who: [] for who in both}
        counts = {}
        for turn in range(rounds):
            for who, workflow in both.items():
                counts[who], arguments = workflow.sized(jobs)
                place = folder / f"run-{who}-{turn}"
                runs[who].append(snakemake(place, *arguments, "--quiet", "all")[0])
                again[who].append(snakemake(place, *arguments, "--quiet", "all")[0])
                shutil.rmtree(place)
        yield from compared("workflow_job", runs, counts, None)
        yield from compared("workflow_again", again, counts, 1)


def compared(
    benchmark: str, found: dict[str, list[Spent]], counts: dict[str, int], over: int | None
) -> Iterator[dict[str, Any]]:
    """CPU and wall time of both, as they are or over the number of jobs."""
    for clock, unit in (("cpu_s", "CPU-s"), ("wall_s", "s")):
        middle = {
            who: median(getattr(spent, clock) for spent in spents) / (over or counts[who])
            for who, spents in found.items()
        }
        ours, theirs = middle["ours"], middle["bare"]
        about = f"{len(found['ours'])} rounds; the peer has {counts['bare']:,} jobs"
        if over is None:
            about += f"; ours − peer {ours - theirs:.4f}"
        peer = ("bare workflow", f"snakemake {version('snakemake')}", theirs)
        subject = f"{counts['ours']:,} jobs"
        unit = unit if over else f"{unit}/job"
        yield row(benchmark, subject, unit, ours, about, peer, less_is_better=True)


def main(argv: list[str] | None = None) -> int:
    cli = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cli.add_argument("--out", type=Path, help="the table; standard output without it")
    cli.add_argument("--rounds", type=int, default=3)
    cli.add_argument("--sizes", type=int, nargs="+", default=[2000, 20000], help="jobs of a plan")
    cli.add_argument("--jobs", type=int, default=500, help="jobs of a run")
    args = cli.parse_args(argv)
    write(args.out, rows(args.rounds, args.sizes, args.jobs))
    return 0


if __name__ == "__main__":
    sys.exit(main())

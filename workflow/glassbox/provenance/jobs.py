"""The jobs behind some files, back to what no job has made."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from glassbox.provenance.records import Record, Records

LOGS, BENCHMARKS = "results/logs/", "results/benchmarks/"
# Columns of a benchmark. Snakemake samples the CPU time of a job, which misses most of a short one.
WALL, MEMORY = "s", "max_rss"


@dataclass(frozen=True)
class Job:
    """A job that was run.

    Attributes:
        name: rule and wildcards, as in the names of its log and its benchmark.
        inputs: paths of all that it was given, sorted.
        outputs: paths of what it made, of those that something here was made from, sorted.
        wall_s, memory_mb: seconds and peak resident memory of its benchmark, MB; None without one.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    record: Record
    wall_s: float | None
    memory_mb: float | None


@dataclass(frozen=True)
class Lineage:
    """The jobs behind some files, sorted by the time they started, and what they started from."""

    jobs: tuple[Job, ...]
    given: tuple[str, ...]


def lineage(targets: Iterable[str], records: Records, directory: str | Path = ".") -> Lineage:
    """Follow the records back from the targets.

    Args:
        targets: paths as Snakemake knows them, relative to the working directory.
        directory: the working directory, where the benchmarks are.
    """
    made: dict[str, list[str]] = {}
    record_of: dict[str, Record] = {}
    given, waiting, seen = set(), list(targets), set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        record = records.of(path)
        if record is None:
            given.add(path)
            continue
        name = _name_of(record)
        made.setdefault(name, []).append(path)
        record_of[name] = record
        waiting += record.inputs
    jobs = [
        Job(name, record_of[name].inputs, tuple(sorted(made[name])), record_of[name], *used)
        for name in made
        for used in [_used(Path(directory, f"{BENCHMARKS}{name}.tsv"))]
    ]
    return Lineage(
        tuple(sorted(jobs, key=lambda job: (job.record.started, job.name))), tuple(sorted(given))
    )


def _name_of(record: Record) -> str:
    log = next((path for path in record.log if path.startswith(LOGS)), "")
    return log.removeprefix(LOGS).removesuffix(".log") or record.rule


def _used(benchmark: Path) -> tuple[float | None, float | None]:
    """Wall time in seconds and peak memory in MB; None where they were not measured."""
    try:
        with benchmark.open(newline="") as handle:
            row = list(csv.DictReader(handle, delimiter="\t"))[-1]
    except (OSError, IndexError):
        return None, None
    return _number(row.get(WALL)), _number(row.get(MEMORY))


def _number(text: str | None) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):  # NA or "-": the job was over before it was sampled
        return None

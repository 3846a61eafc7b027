"""What the benchmarks share: the rows of benchmarks.csv, the clock, the memory of a process."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

sys.path.append(str(Path(__file__).resolve().parents[2] / "workflow"))

from glassbox.tables import COLUMNS as OF_TABLES

COLUMNS = OF_TABLES["benchmarks"]
CLOCKS: dict[str, Callable[[], float]] = {"cpu": time.process_time, "wall": time.perf_counter}
# How a second of a clock is called in a unit.
SECOND = {"cpu": "CPU-s", "wall": "s"}


def rounded(value: float | None) -> float | None:
    """Four significant digits."""
    return None if value is None else float(f"{value:.4g}")


def row(
    benchmark: str,
    subject: str,
    unit: str,
    value: float | None,
    notes: str,
    peer: tuple[str, str, float] | None = None,
    less_is_better: bool = False,
) -> dict[str, Any]:
    """One row.

    Args:
        benchmark, subject, unit: what was measured, of what, in what.
        value: ours; None where it was never reached.
        notes: the circumstances.
        peer: name, version and value of the peer.
        less_is_better: the ratio is turned over, so that more is better.
    """
    made = {"benchmark": benchmark, "subject": subject, "unit": unit, "value": rounded(value)}
    if peer is not None:
        name, version, theirs = peer
        made |= {"peer": name, "peer_version": version, "peer_value": rounded(theirs)}
        if value:
            made["ratio"] = rounded(theirs / value if less_is_better else value / theirs)
    return made | {"notes": notes}


@contextmanager
def table(out: str | Path | None) -> Iterator[TextIO]:
    """The file that is named, or standard output."""
    if out is None:
        yield sys.stdout
    else:
        with open(out, "w", newline="", encoding="utf-8") as handle:
            yield handle


def write(out: str | Path | None, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as they come, each at once."""
    with table(out) as handle:
        writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for one in rows:
            writer.writerow(one)
            handle.flush()


def peak_mb() -> float:
    """Peak resident memory of this process, MB. Linux: /proc tells it."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024

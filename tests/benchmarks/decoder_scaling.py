"""How the cost of the identity-keyed decoder grows with cells, sessions and depth.

    python tests/benchmarks/decoder_scaling.py [--out rows.csv] [--threads 2] [--most-sessions 400]

Each size runs in a process of its own, whose peak memory is read from the kernel. The trials are
noise with the classes of drifting gratings: speed does not depend on what is in them. An exponent
is the slope of log time over log size, fitted to the sizes at which a step no longer costs the same
whatever it holds (500 cells and more, 25 sessions and more).
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

HOUSE = Path(__file__).resolve().parents[2] / "workflow"
COLUMNS = "benchmark subject unit value peer peer_version peer_value ratio notes".split()
CELLS = (50, 150, 500, 1500, 5000)
SESSIONS = (1, 5, 25, 100, 400)
DEPTHS = (0, 1, 2, 4)
TRIALS_OF_CELLS = 300
CELLS_OF_SESSIONS, TRIALS_OF_SESSIONS = 60, 600
ASYMPTOTIC = {"cells": 500, "sessions": 25}


def measure(
    cells: int, sessions: int, trials: int, depth: int, threads: int, spool: str
) -> dict[str, float]:
    """One epoch after a first short one: seconds, and the peak memory of this process."""
    import torch
    from glassbox.decoders.checkpoint import Checkpoint
    from glassbox.decoders.data import CohortData, TrialSet
    from glassbox.decoders.devices import local
    from glassbox.decoders.fit import Run, fit
    from glassbox.decoders.options import DecoderOptions
    from glassbox.decoders.room import WindowsRoom
    from glassbox.decoders.train import new_model

    torch.set_num_threads(threads)
    options = DecoderOptions(depth=depth, min_cells=cells, device="cpu")
    room = WindowsRoom(options.memory_mb << 20, spool)
    classes = {"direction": np.arange(8.0), "temporal_frequency": np.arange(5.0)}
    rng = np.random.default_rng(0)
    stimulus = options.stimuli[0]
    parts = np.zeros(trials, np.int8)
    parts[: min(20, trials // 5)] = 1  # a small selection block: what is timed is training
    sets = []
    for place in range(sessions):
        windows = room.take((trials, cells, options.n_samples(stimulus)))
        for first in range(0, trials, 100):
            windows[first : first + 100] = rng.standard_normal(
                windows[first : first + 100].shape, dtype=np.float32
            )
        sets.append(
            TrialSet(
                session=f"s{place}",
                mouse=f"m{place}",
                cre_line="",
                stimulus=stimulus,
                store="",
                content_sha256="",
                trial=np.arange(trials),
                windows=windows,
                labels={task: rng.integers(len(v), size=trials) for task, v in classes.items()},
                parts={0: parts},
                cell_specimen_id=np.arange(cells),
            )
        )
    data = CohortData(tuple(sets), (), classes, tuple(classes))
    model = new_model(options, data)
    model.draw(0)
    for one in sets:
        model.scaling(one.session).fit([one.windows[:100]])
    moments = [time.monotonic()]
    run = Run("bench", 0, 0, data.body, tuple(n for n, _ in model.named_parameters()), 2)

    def report(epochs: int, note: str) -> None:
        moments.append(time.monotonic())

    fit(model, run, options, Checkpoint(None, "bench", "", 1e9), report, local(model.device))
    seconds = min(np.diff(moments[1:4]))
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    return {
        "seconds": float(seconds),
        "peak_mb": peak,
        "trials": sessions * int((parts == 0).sum()),
    }


def apart(threads: int, spool: str, **size: int) -> dict[str, float]:
    """The measure in a process of its own."""
    command = [sys.executable, __file__, "--one", json.dumps(size | {"threads": threads})]
    done = subprocess.run([*command, "--spool", spool], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def rows(threads: int, most_sessions: int, spool: str) -> Iterator[dict[str, Any]]:
    """The rows of benchmarks.csv."""
    for what, sizes in (("cells", CELLS), ("sessions", SESSIONS), ("depth", DEPTHS)):
        times = {}
        for size in sizes:
            if what == "sessions" and size > most_sessions:
                continue
            shape = {
                "cells": {"cells": size, "sessions": 1, "trials": TRIALS_OF_CELLS, "depth": 1},
                "sessions": {
                    "cells": CELLS_OF_SESSIONS,
                    "sessions": size,
                    "trials": TRIALS_OF_SESSIONS,
                    "depth": 1,
                },
                "depth": {"cells": 250, "sessions": 1, "trials": TRIALS_OF_CELLS, "depth": size},
            }[what]
            found = apart(threads, spool, **shape)
            times[size] = found["seconds"]
            about = (
                f"{shape['cells']} cells, {shape['sessions']} sessions of {shape['trials']} "
                f"trials, depth {shape['depth']}, {threads} threads"
            )
            name = f"decoder_scaling_{what}"
            yield _row(name, size, "s/epoch", found["seconds"], about)
            yield _row(name, size, "trials/s", found["trials"] / found["seconds"], about)
            yield _row(name, size, "MB peak", found["peak_mb"], about)
        if what in ASYMPTOTIC:
            fitted = [size for size in times if size >= ASYMPTOTIC[what]]
            if len(fitted) > 1:
                slope = np.polyfit(np.log(fitted), np.log([times[s] for s in fitted]), 1)[0]
                about = f"slope of log time over log {what}, from {fitted[0]} {what}"
                yield _row(f"decoder_scaling_{what}", "exponent", "1", slope, about)


def _row(benchmark: str, size: object, unit: str, value: float, notes: str) -> dict[str, Any]:
    subject = f"identity_keyed {size}"
    return {
        "benchmark": benchmark,
        "subject": subject,
        "unit": unit,
        "value": float(f"{value:.6g}"),
        "notes": notes,
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", help="CSV to write; without it rows are printed")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--most-sessions", type=int, default=max(SESSIONS))
    parser.add_argument("--spool", default="/tmp", help="folder for windows beyond 1 GB")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    sys.path.insert(0, str(HOUSE))
    if args.one:
        print(json.dumps(measure(**json.loads(args.one), spool=args.spool)))
        return 0
    with open(args.out, "w", newline="") if args.out else nullcontext(sys.stdout) as handle:
        writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in rows(args.threads, args.most_sessions, args.spool):
            writer.writerow(row)
            handle.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())

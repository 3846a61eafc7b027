"""How fast a TopK dictionary learns, and how much memory that takes, beside other implementations.

    for peer in saelens sparsify overcomplete; do sh tests/peers/make_env.sh $peer; done    # once
    python tests/benchmarks/dictionary_speed.py [--out rows.csv] [--threads 1] [--rounds 4] \\
        [--size DIM WIDTH K]

What is compared stands in dictionary_steps.py. Each implementation lives in a process of its own,
in its own environment, and takes a few steps when it is its turn (one at the largest size): one
after the other in each round, the first round to warm up. Time is CPU time of the process, which
others on the machine disturb least; a rate is that of the median round. Peak memory is what a
process grows by from before the model is made.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(Path(__file__).resolve().parent))

from dictionary_steps import BATCH, ENVIRONMENTS, import_of, new_step, version_of  # noqa: E402

SUBJECTS = tuple(ENVIRONMENTS)
SIZES = ((64, 512, 8), (128, 1024, 16), (64, 2048, 32), (256, 8192, 32))


def steps_of(size: tuple[int, int, int]) -> int:
    """In a turn."""
    return 4 if size[1] < 8192 else 1


class Worker:
    """One implementation in a process of its own, that takes its turns and waits in between."""

    def __init__(self, subject: str, size: tuple[int, int, int], forced: bool, threads: int):
        wanted = json.dumps({"subject": subject, "size": size, "forced": forced})
        python = ROOT / f".venv-{ENVIRONMENTS[subject]}" / "bin" / "python"
        environment = os.environ | {
            "PYTHONPATH": str(ROOT / "workflow"),
            "OMP_NUM_THREADS": str(threads),
            "WANDB_MODE": "disabled",
        }
        self._process = subprocess.Popen(
            [str(python), __file__, "--worker", wanted, "--threads", str(threads)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, what: str) -> Any:
        """`version`, `seconds` of a few steps, or `peak`, MB."""
        self._process.stdin.write(what + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f"error: a process ended with {self._process.wait()}; see above.")
        return json.loads(answer)

    def end(self) -> None:
        """Wait until it is gone."""
        self._process.stdin.close()
        self._process.wait()


def work(subject: str, size: list[int], forced: bool, threads: int) -> None:
    """Answer one question a line, until there are no more."""
    import resource

    import torch

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints is no answer
    torch.set_num_threads(threads)
    torch.ones(64, 64).mm(torch.ones(64, 64))
    import_of(subject)
    gc.collect()
    before = int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0])
    step = new_step(subject, *size, forced)
    for question in sys.stdin:
        if question.strip() == "version":
            answer: Any = version_of(subject)
        else:
            start = time.process_time()
            for _ in range(steps_of(size)):
                step()
            answer = time.process_time() - start
        if question.strip() == "peak":
            answer = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        print(json.dumps(answer), file=answers, flush=True)


def measured(
    size: tuple[int, int, int], forced: bool, threads: int, rounds: int
) -> dict[str, dict[str, Any]]:
    """By subject: its version, its activations per CPU-second, and its peak memory, MB."""
    workers = {subject: Worker(subject, size, forced, threads) for subject in SUBJECTS}
    seconds: dict[str, list[float]] = {subject: [] for subject in SUBJECTS}
    for number in range(rounds + 1):
        for subject, worker in workers.items():
            found = worker.ask("seconds")
            if number:
                seconds[subject].append(found)
    made = {
        subject: {
            "version": worker.ask("version"),
            "rate": steps_of(size) * BATCH / statistics.median(seconds[subject]),
            "peak": worker.ask("peak"),
        }
        for subject, worker in workers.items()
    }
    for worker in workers.values():
        worker.end()
    return made


def rows(
    sizes: Sequence[tuple[int, int, int]], threads: int, rounds: int
) -> Iterator[dict[str, Any]]:
    """The rows of benchmarks.csv."""
    from benchmark_rows import row

    for size in sizes:
        for forced in (False, True):
            found = measured(size, forced, threads, rounds)
            notes = f"AuxK {'forced' if forced else 'idle'}, batch {BATCH}, threads {threads}"
            for benchmark, unit, key in (
                ("dictionary_step", "activations/CPU-s", "rate"),
                ("dictionary_memory", "MB peak", "peak"),
            ):
                for name in SUBJECTS[1:]:
                    peer = name, found[name]["version"], found[name][key]
                    subject = "topk d{} n{} k{}".format(*size)
                    value = found["ours"][key]
                    yield row(benchmark, subject, unit, value, notes, peer, key == "peak")


def main(argv: list[str] | None = None) -> int:
    cli = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cli.add_argument("--out", type=Path, help="CSV to write; without it rows are printed")
    cli.add_argument("--threads", type=int, default=1)
    cli.add_argument("--rounds", type=int, default=4)
    cli.add_argument("--size", type=int, nargs=3, help="of one alone")
    cli.add_argument("--worker", type=json.loads, help=argparse.SUPPRESS)
    args = cli.parse_args(argv)
    if args.worker:
        work(**args.worker, threads=args.threads)
        return 0
    for peer in sorted(set(ENVIRONMENTS.values())):
        if not (ROOT / f".venv-{peer}").exists():
            print(
                f"error: no {peer} here; first: sh tests/peers/make_env.sh {peer}", file=sys.stderr
            )
            return 2
    from benchmark_rows import write

    sizes = [tuple(args.size)] if args.size else SIZES
    write(args.out, rows(sizes, args.threads, args.rounds))
    return 0


if __name__ == "__main__":
    sys.exit(main())

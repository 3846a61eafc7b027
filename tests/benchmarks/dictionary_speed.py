"""How fast a TopK dictionary learns, and how much memory that takes, beside other implementations.

    sh tests/peers/make_env.sh saelens     # once
    python tests/benchmarks/dictionary_speed.py [--out rows.csv] [--threads 1] [--rounds 7]

A step is the loss, its gradient and an Adam step of one batch; AuxK is idle (no unit is dead) or
forced (every other unit is). All runs in the environment of SAELens, which has the same torch, one
implementation after the other in each round. Time is CPU time of the process, which other
processes on the machine disturb least; a rate is that of the median round. Peak memory is what a
process of its own grows by from before the model is made, over a few steps.

`plain` is dense torch as one writes it: linear, topk, scatter into zeros, matmul. SAELens is
TopKTrainingSAE by its own defaults: it looks at dim/2 dead units, where ours and plain look at 32.
"""

from __future__ import annotations

import argparse
import csv
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PEER = ROOT / ".venv-saelens" / "bin" / "python"
COLUMNS = "benchmark subject unit value peer peer_version peer_value ratio notes".split()
SIZES = ((64, 512, 8), (128, 1024, 16), (64, 2048, 32), (256, 8192, 32))
TIMED, OF_MEMORY = SIZES[:3], SIZES[3:]
BATCH, K_AUX = 4096, 32
SUBJECTS = ("ours", "plain", "saelens")


def new_step(subject: str, dim: int, width: int, k: int, forced: bool) -> Callable[[], float]:
    """A function that takes one training step of a fresh model, and returns its loss."""
    import torch

    generator = torch.Generator().manual_seed(0)
    x = torch.randn(BATCH, dim, generator=generator)
    dead = torch.arange(width) % 2 == 1 if forced else torch.zeros(width, dtype=torch.bool)
    make = {"ours": _ours, "plain": _plain, "saelens": _saelens}[subject]
    parameters, loss = make(x, width, k, dead)
    optimiser = torch.optim.Adam(parameters, lr=1e-4)

    def step() -> float:
        optimiser.zero_grad(set_to_none=True)
        total = loss()
        total.backward()
        optimiser.step()
        return float(total.detach())

    return step


def _ours(x, width, k, dead):
    import torch
    from glassbox.dictionaries.topk import TopKDictionary

    dictionary = TopKDictionary(x.shape[1], width, k, K_AUX)
    dictionary.initialise(x, torch.Generator().manual_seed(1))
    return dictionary.parameters(), lambda: dictionary.loss(x, dead).total


def _plain(x, width, k, dead):
    import torch
    from torch.nn.functional import linear, normalize

    rows = torch.randn(width, x.shape[1], generator=torch.Generator().manual_seed(1))
    rows = normalize(rows, dim=1)
    weights = [rows / 2, torch.zeros(width), rows.clone(), torch.zeros(x.shape[1])]
    encoder, threshold, decoder, bias = (w.requires_grad_() for w in weights)
    n_dead = int(dead.sum())

    def loss():
        pre = linear(x - bias, encoder, threshold)
        values, units = pre.topk(k, dim=1)
        z = torch.zeros_like(pre).scatter(1, units, values.relu())
        residual = x - (z @ decoder + bias)
        total = residual.square().mean() / x.var(0).mean()
        if n_dead:
            left = residual.detach()
            values, units = pre.masked_fill(~dead, -torch.inf).topk(min(K_AUX, n_dead), dim=1)
            z = torch.zeros_like(pre).scatter(1, units, values)
            total = total + (z @ decoder - left).square().mean() / left.var(0).mean() / 32
        return total

    return [encoder, threshold, decoder, bias], loss


def _saelens(x, width, k, dead):
    import torch
    from sae_lens import TopKTrainingSAE, TopKTrainingSAEConfig
    from sae_lens.saes.sae import TrainStepInput

    torch.manual_seed(1)
    sae = TopKTrainingSAE(TopKTrainingSAEConfig(d_in=x.shape[1], d_sae=width, k=k))
    given = TrainStepInput(
        sae_in=x,
        coefficients={},
        dead_neuron_mask=dead if bool(dead.any()) else None,
        n_training_steps=1,
        is_logging_step=False,
    )
    return sae.parameters(), lambda: sae.training_forward_pass(given).loss


def in_turns(size: tuple[int, int, int], forced: bool, rounds: int, steps: int) -> dict[str, Any]:
    """Activations per CPU-second by subject: the median of rounds."""
    rates: dict[str, list[float]] = {subject: [] for subject in SUBJECTS}
    takes = {subject: new_step(subject, *size, forced) for subject in SUBJECTS}
    for number in range(rounds + 1):
        for subject, take in takes.items():
            start = time.process_time()
            for _ in range(steps):
                take()
            if number:  # the first round warms up
                rates[subject].append(steps * BATCH / (time.process_time() - start))
    return {subject: statistics.median(found) for subject, found in rates.items()}


def peak(subject: str, size: tuple[int, int, int], forced: bool) -> float:
    """MB by which this process grows at most, from before the model is made."""
    import resource

    import torch

    torch.ones(64, 64).mm(torch.ones(64, 64))
    if subject == "saelens":
        import sae_lens  # noqa: F401
    elif subject == "ours":
        import glassbox.dictionaries.topk  # noqa: F401
    gc.collect()
    now = int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0])
    step = new_step(subject, *size, forced)
    for _ in range(3):
        step()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - now) / 1024


def measured(threads: int, **wanted: Any) -> Any:
    """One measure in a process of its own, in the environment of the peer."""
    command = [str(PEER), __file__, "--one", json.dumps(wanted), "--threads", str(threads)]
    environment = os.environ | {
        "PYTHONPATH": str(ROOT / "workflow"),
        "OMP_NUM_THREADS": str(threads),
        "WANDB_MODE": "disabled",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def rows(threads: int, rounds: int) -> Iterator[dict[str, Any]]:
    """The rows of benchmarks.csv."""
    versions = measured(threads, versions=True)
    for sizes, unit in ((TIMED, "activations/CPU-s"), (OF_MEMORY, "MB peak")):
        memory = unit == "MB peak"
        for size in sizes:
            for forced in (False, True):
                if memory:
                    found = {
                        s: measured(threads, subject=s, size=size, forced=forced) for s in SUBJECTS
                    }
                else:
                    found = measured(threads, size=size, forced=forced, rounds=rounds)
                for peer in SUBJECTS[1:]:
                    more = found["ours"] / found[peer]
                    yield {
                        "benchmark": "dictionary_memory"
                        if unit == "MB peak"
                        else "dictionary_step",
                        "subject": "topk d{} n{} k{}".format(*size),
                        "unit": unit,
                        "value": float(f"{found['ours']:.4g}"),
                        "peer": peer,
                        "peer_version": versions[peer],
                        "peer_value": float(f"{found[peer]:.4g}"),
                        "ratio": float(f"{(1 / more if memory else more):.3g}"),
                        "notes": f"AuxK {'forced' if forced else 'idle'}, batch {BATCH}, "
                        f"{threads} threads",
                    }


def _one(wanted: dict[str, Any], threads: int) -> Any:
    if "versions" in wanted:
        from importlib.metadata import version

        return {"plain": "torch " + version("torch"), "saelens": version("sae-lens")}
    import torch

    torch.set_num_threads(threads)
    size, forced = tuple(wanted["size"]), wanted["forced"]
    if "subject" in wanted:
        return peak(wanted["subject"], size, forced)
    return in_turns(size, forced, wanted["rounds"], steps=4)


def main(argv: list[str] | None = None) -> int:
    cli = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cli.add_argument("--out", type=Path, help="CSV to write; without it rows are only printed")
    cli.add_argument("--threads", type=int, default=1)
    cli.add_argument("--rounds", type=int, default=7)
    cli.add_argument("--one", type=json.loads, help=argparse.SUPPRESS)
    args = cli.parse_args(argv)
    if args.one:
        print(json.dumps(_one(args.one, args.threads)))
        return 0
    if not PEER.exists():
        print("error: no SAELens here; first: sh tests/peers/make_env.sh saelens", file=sys.stderr)
        return 2
    found = []
    for row in rows(args.threads, args.rounds):
        found.append(row)
        print(*(f"{row[c]}" for c in COLUMNS), sep=" | ", flush=True)
    if args.out:
        with open(args.out, "w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(found)
    return 0


if __name__ == "__main__":
    sys.exit(main())

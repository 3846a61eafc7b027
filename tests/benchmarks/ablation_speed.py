"""How long many ablations take, beside a forward pass of the decoder with a hook for each.

    python tests/benchmarks/ablation_speed.py [--out rows.csv] [--sets 1000] [--threads 1]

The session is 527745328 of REAL_NWB_DIR, or a simulated one of 254 cells where that is not set; all
of its trials are evaluated. Random sets of units of a TopK dictionary of default size are taken
away error-preserving at twelve doses and in three ways, which is what one decoder's control sets
cost; the sets of all doses are asked for together. The peer is what users of hook libraries do: the
whole decoder again for each set, with a forward hook on the last processor block in which the
dictionary encodes, units are set, and the difference is decoded. Of it one pass is timed for each
way at three doses; the rest is their mean times the number of sets. Of ours --timed sets of each
dose and way are timed, by default all. Both are held to the same logits. Weights are drawn, not
trained: time depends on them only through how often a set meets an active unit. CPU time, which
other processes disturb least.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "workflow")]

from benchmark_rows import row, write  # noqa: E402
from decoder_speed import convert, options_of, session_file  # noqa: E402

DOSES = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128)
PEER_DOSES = (1, 24, 128)
WAYS = ("zero", "mean", "resample")
CLASSES = {"direction": 8, "temporal_frequency": 5}
INTERVENTION = "error_preserving"


def made(folder: Path) -> dict[str, Any]:
    """A decoder, its dictionary and the clean pass of all trials of the session."""
    import torch
    from glassbox.decoders.data import open_cohort
    from glassbox.decoders.train import new_model
    from glassbox.dictionaries.options import DictionaryOptions
    from glassbox.dictionaries.topk import TopKDictionary
    from glassbox.interventions.ablation import CleanPass
    from glassbox.interventions.suffix import Suffix

    options = options_of("identity_keyed")
    nwb, name = session_file(folder)
    cohort = open_cohort([convert(nwb, folder)], [], options)
    (data,) = cohort.body
    model = new_model(options, cohort)
    model.draw(0)
    model.scaling(data.session).fit([data.windows[data.in_part(0, 0)]])
    model.requires_grad_(False).eval()
    windows = torch.as_tensor(data.windows)

    def latents() -> torch.Tensor:
        return torch.cat([model.encode(*data.key, piece) for piece in windows.split(64)])

    found = latents()
    generator = torch.Generator().manual_seed(0)
    size = DictionaryOptions()
    dictionary = TopKDictionary(found.shape[2], size.width, size.k)
    dictionary.initialise(found.flatten(0, 1), generator)
    dictionary.requires_grad_(False)
    clean = CleanPass.of(dictionary, found, dictionary.encode(found).mean(0))
    donors = np.roll(np.arange(len(found)), 1)
    return {
        "name": name,
        "model": model,
        "latents": latents,
        "clean": clean.with_donors(clean, donors),
        "donors": donors,
        "suffix": Suffix(model, tuple(CLASSES)),
    }


def ours(made: dict[str, Any], sets: list[np.ndarray], way: str, some: list[int]) -> dict[str, Any]:
    """Logits of some of the sets, by task, after all sets were evaluated and scored."""
    import torch
    from glassbox.dictionaries.splice import scored
    from glassbox.interventions.ablation import logits_of_sets

    clean = made["clean"]
    labels = np.zeros(len(clean.latents), dtype=np.int64)
    kept = {task: torch.empty(len(labels), len(some), n) for task, n in CLASSES.items()}
    for trials, of_sets, logits in logits_of_sets(clean, made["suffix"], sets, INTERVENTION, way):
        for task, values in logits.items():
            scored(values, labels[trials])
            for i, place in enumerate(some):
                if of_sets.start <= place < of_sets.stop:
                    kept[task][trials, i] = values[:, place - of_sets.start]
    return kept


def hooked(made: dict[str, Any], units: np.ndarray, way: str) -> dict[str, Any]:
    """Logits by task of one pass of the whole decoder with a hook."""
    import torch

    model, clean = made["model"], made["clean"]
    dictionary, at = clean.dictionary, 0
    donated = (
        dictionary.encode(clean.latents[made["donors"]])[..., units] if way == "resample" else 0
    )

    def take_away(_module, _inputs, output):
        nonlocal at
        z = dictionary.encode(output)
        changed = z.clone()
        if way == "zero":
            changed[..., units] = 0.0
        elif way == "mean":
            changed[..., units] = clean.mean[:, units]
        else:
            changed[..., units] = donated[at : at + len(output)]
        at += len(output)
        return output + (changed - z) @ dictionary.W_dec

    handle = model.processor[-1].register_forward_hook(take_away)
    try:
        with torch.no_grad():
            return model.readout(made["latents"]())
    finally:
        handle.remove()


def rows(n_sets: int, timed: int, threads: int) -> Iterator[dict[str, Any]]:
    """The rows of benchmarks.csv."""
    import torch

    torch.set_num_threads(threads)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        subject = made(Path(folder))
    n_trials, dictionary = len(subject["clean"].latents), subject["clean"].dictionary
    units = np.tile(np.arange(dictionary.width), (timed, 1))
    sets = [drawn[:dose] for dose in DOSES for drawn in rng.permuted(units, axis=1)]
    some = [timed * DOSES.index(dose) for dose in PEER_DOSES]
    mine, waited, worst = 0.0, 0.0, 0.0
    passes: list[float] = []
    for way in WAYS:
        start, begun = time.process_time(), time.perf_counter()
        found = ours(subject, sets, way, some)
        mine += time.process_time() - start
        waited += time.perf_counter() - begun
        for i, place in enumerate(some):
            start = time.process_time()
            logits = hooked(subject, sets[place], way)
            passes.append(time.process_time() - start)
            worst = max(worst, *(float((found[t][:, i] - logits[t]).abs().max()) for t in found))
    if worst > 1e-3:
        raise SystemExit(f"error: the two differ by {worst:.2g} in a logit.")
    many = n_sets * len(WAYS) * len(DOSES)
    part = "" if timed == n_sets else f"extrapolated from {timed:,} sets of each; "
    yield row(
        "ablation_sets",
        f"{n_sets:,} sets × {len(WAYS)} ablations × {len(DOSES)} doses",
        "CPU-s",
        mine * n_sets / timed,
        f"{subject['name']}, {n_trials} trials, {dictionary.width} units, {dictionary.k} active, "
        f"threads: {threads}; {part}{waited * n_sets / timed:.0f} s by the clock; the peer from "
        f"{len(passes)} passes; logits differ by at most {worst:.0e}",
        (
            "one hooked forward pass each",
            "torch " + torch.__version__,
            many * sum(passes) / len(passes),
        ),
        less_is_better=True,
    )


def main(argv: list[str] | None = None) -> int:
    cli = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cli.add_argument("--out", type=Path, help="CSV to write; printed without it")
    cli.add_argument("--sets", type=int, default=1000)
    cli.add_argument("--timed", type=int, help="of these, for a quick look (default: all)")
    cli.add_argument("--threads", type=int, default=1)
    args = cli.parse_args(argv)
    write(args.out, rows(args.sets, args.timed or args.sets, args.threads))
    return 0


if __name__ == "__main__":
    sys.exit(main())

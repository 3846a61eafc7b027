"""What each choice in the design of the identity-keyed decoder does, on selection blocks alone.

    REAL_NWB_DIR=FOLDER python tests/benchmarks/decoder_design.py [--only NAME ...] [--out rows.csv]

FOLDER holds real sessions of drifting gratings or static gratings, as NWB v1. Each row changes the
default design in one thing, trains on the training blocks, stops on the selection blocks, and says
how those are decoded: accuracy and mean natural logarithm of the probability of the true class. No
test trial is read. Drifting gratings: five folds of `crossfit`; static gratings: the published
split. The table of docs/decoder.md is made of these rows.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np

HOUSE = Path(__file__).resolve().parents[2] / "workflow"
COLUMNS = "session variant task seeds folds accuracy log_probability trials_per_cpu_s".split()

GRATINGS = {"tasks": ["direction", "temporal_frequency"], "folds": [0, 1, 2, 3, 4]}
FLASHED = {
    "tasks": ["orientation", "spatial_frequency"],
    "split": "poyo",
    "epochs": 40,
    "batch_trials": 64,
}


def window(stimulus: str, **changes: Any) -> dict[str, Any]:
    """A change of the window of one stimulus."""
    return {"windows": {stimulus: changes}}


VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "drifting_gratings": {
        "default": {},
        "window from the onset": window("drifting_gratings", start_s=0.0),
        "window of 3 s": window("drifting_gratings", start_s=0.0, length_s=3.0),
        "30 samples a second": window("drifting_gratings", samples_per_s=30.0),
        "clip at -5 and 10": {"clip_low": -5.0, "clip_high": 10.0},
        "one patch": window("drifting_gratings", patch_s=2.0),
        "unit vectors as slow as the body": {"unit_learning_rate": 2e-3},
        "no dropout": {"dropout": 0.0},
        "dropout 0.5": {"dropout": 0.5},
        "all cells in each batch": {"min_cells": 100_000},
        "no label smoothing": {"label_smoothing": 0.0},
        "no processor": {"depth": 0},
        "two processor blocks, 96 dimensions": {"depth": 2, "dim": 96},
        "32 latents": {"latents": 32},
    },
    "static_gratings": {
        "default": {},
        "window from the onset": window(
            "static_gratings", start_s=0.0, length_s=0.6, patch_s=0.6, before_s=[0.0, 0.1]
        ),
        "window from 0.5 s before": window(
            "static_gratings", start_s=-0.5, length_s=1.5, patch_s=1.5
        ),
        "filters near the mean": window("static_gratings", response_s=[], before_s=[]),
        "patches of 0.2 s": window("static_gratings", patch_s=0.2, response_s=[], before_s=[]),
        "30 samples a second": window("static_gratings", samples_per_s=30.0),
        "clip at -5 and 10": {"clip_low": -5.0, "clip_high": 10.0},
        "dropout 0.5": {"dropout": 0.5},
    },
}


def measured(tensor: Path, stimulus: str, name: str, seeds: list[int]) -> Iterator[dict[str, Any]]:
    """The rows of one variant on one session."""
    import torch
    from glassbox.decoders.checkpoint import Checkpoint
    from glassbox.decoders.data import open_cohort
    from glassbox.decoders.devices import local
    from glassbox.decoders.metrics import scores_of
    from glassbox.decoders.options import DecoderOptions
    from glassbox.decoders.predict import predicted
    from glassbox.decoders.train import fit_decoder, new_model
    from glassbox.options import options_from
    from glassbox.tensors.splits import SELECTION, TRAIN

    class Unkept:
        """No state is kept: a variant is run whole."""

        def checkpoint(self, name: str, *_: Any) -> Checkpoint:
            return Checkpoint(None, name, "", float("inf"))

    base = GRATINGS if stimulus == "drifting_gratings" else FLASHED
    changed = base | VARIANTS[stimulus][name] | {"device": "cpu"}
    options = options_from(DecoderOptions, json.dumps(changed), "decoders")
    data = open_cohort([tensor], [], options)
    (trials,) = data.body
    fabric, found, began, seen = local(torch.device("cpu")), {}, time.process_time(), 0
    for seed in seeds:
        for fold in options.folds:
            model = new_model(options, data)
            fits = fit_decoder(model, data, options, seed, fold, Unkept(), lambda *_: None, fabric)
            seen += len(trials.in_part(fold, TRAIN)) * len({r["epoch"] for r in fits["body"].curve})
            windows = torch.from_numpy(trials.windows)
            for task, answer in predicted(model, *trials.key, windows).items():
                scores = scores_of(answer, trials.labels[task], trials.parts[fold])
                chosen = scores.part == SELECTION
                found.setdefault(task, []).append(
                    (scores.correct[chosen], scores.log_probability[chosen])
                )
    spent = time.process_time() - began
    for task, parts in found.items():
        yield {
            "session": trials.session,
            "variant": name,
            "task": task,
            "seeds": len(seeds),
            "folds": len(options.folds),
            "accuracy": f"{np.concatenate([part[0] for part in parts]).mean():.4f}",
            "log_probability": f"{np.concatenate([part[1] for part in parts]).mean():.4f}",
            "trials_per_cpu_s": f"{seen / spent:.0f}",
        }


def tensors(folder: Path, out: Path) -> Iterator[tuple[Path, str]]:
    """The folder's sessions as tensors, with the stimulus whose design is looked at."""
    from glassbox.errors import UserError
    from glassbox.sessions.header import read_header
    from glassbox.tensors.convert import convert_session
    from glassbox.tensors.options import TensorOptions

    for nwb in sorted(folder.glob("*.nwb")):
        made = out / f"{nwb.stem}.zarr"
        try:
            stimuli = read_header(nwb).stimuli
            for stimulus in VARIANTS:
                if stimulus in stimuli:
                    convert_session(nwb, made, made.with_suffix(".json"), TensorOptions())
                    yield made, stimulus
        except UserError as error:
            print(f"left out: {error}", file=sys.stderr)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="*", default=[], help="variants; all where none is named")
    parser.add_argument("--stimulus", default="", help="one stimulus; all where none is named")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", help="CSV to write; without it rows are printed")
    args = parser.parse_args(argv)
    folder = os.environ.get("REAL_NWB_DIR")
    if not folder:
        parser.error("REAL_NWB_DIR is not set; it names a folder of real sessions.")
    sys.path.insert(0, str(HOUSE))
    import torch

    torch.set_num_threads(args.threads)
    with (
        tempfile.TemporaryDirectory() as scratch,
        open(args.out, "w", newline="") if args.out else nullcontext(sys.stdout) as handle,
    ):
        writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for tensor, stimulus in tensors(Path(folder), Path(scratch)):
            if args.stimulus not in ("", stimulus):
                continue
            for name in VARIANTS[stimulus]:
                if not args.only or name in args.only:
                    writer.writerows(measured(tensor, stimulus, name, args.seeds))
                    handle.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Training the decoders of a cohort: every seed and fold, then held-out mice's unit vectors."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning_fabric
import numpy as np
import safetensors
import torch
from lightning_fabric import Fabric
from safetensors.torch import save_file

from glassbox.code import code_of_script
from glassbox.decoders.checkpoint import Checkpoint, key_of
from glassbox.decoders.data import CohortData, TrialSet, by_session
from glassbox.decoders.devices import launched
from glassbox.decoders.fit import Fit, Report, Run, fit
from glassbox.decoders.hook_names import depth_of, hooks_of
from glassbox.decoders.metrics import Scores, ValueScores, rows_of, scores_of, together
from glassbox.decoders.model import Decoder, new_decoder
from glassbox.decoders.options import SECTION, DecoderOptions
from glassbox.decoders.predict import predicted
from glassbox.decoders.predictions import Prediction, write_predictions
from glassbox.decoders.targets import labels_of_training, targets_of
from glassbox.errors import UserError
from glassbox.files import replacing_folder
from glassbox.progress import Progress
from glassbox.tables import write_rows, write_table
from glassbox.tensors.splits import TRAIN

CURVE_COLUMNS = tuple(
    "cohort seed fold fitted epoch loss task selection_accuracy selection_log_probability "
    "selection_r2".split()
)
# Options that change no weight of a run of given seed and fold.
NOT_IN_THE_KEY = (
    "folds",
    "seeds",
    "checkpoint_every_s",
    "device",
    "unit_epochs",
    "baselines",
    "few_trials",
    "memory_mb",
    "tensorboard",
)
HOUSE = Path(__file__).resolve().parents[2]
DEFAULT_THREADS = 1


@dataclass(frozen=True)
class CohortName:
    """What a cohort is called, and what it spans: mouse, genotype, all or heldout."""

    name: str
    level: str


def train_cohort(
    cohort: CohortName,
    data: CohortData,
    options: DecoderOptions,
    out: str | Path,
    cache: str | Path | None,
    threads: int = DEFAULT_THREADS,
    logs: str | Path | None = None,
) -> None:
    """Train a decoder for each seed and fold and write them with their tables into `out`.

    Args:
        cohort: its name and level, for the tables.
        data: sessions of the body and held-out ones.
        options: how they are trained.
        out: folder to make: decoder.json, seed{S}-fold{F}.safetensors, decoding.csv,
            predictions.npz, training.csv, provenance.json.
        cache: folder of checkpoints, outside the declared outputs; None: no checkpoints.
        threads: CPU threads; results depend on them in the last digits.
        logs: folder of TensorBoard events, written where the options ask for them.

    Raises:
        UserError: no CUDA device where one is asked for, memory is short, or the loss is no
            longer a number.
    """
    torch.set_num_threads(threads)
    fabric = launched(options, logs)
    jobs = [(seed, fold) for seed in options.seeds for fold in options.folds]
    epochs = options.epochs + options.unit_epochs * len(by_session(data.held_out))
    title = f"train_decoder {cohort.name}"
    progress = Progress(len(jobs) * epochs if fabric.is_global_zero else 0, title, "epoch")
    report = progress.step if fabric.is_global_zero else _unheard
    sessions = by_session(data.trial_sets)
    scores: dict[tuple[str, int], dict[int, dict[str, Scores | ValueScores]]] = {}
    answers: list[Prediction] = []
    curves: list[dict[str, Any]] = []
    chosen: dict[str, dict[str, int]] = {}
    with _memory_errors(options), _made_by_one(fabric, out) as folder:
        for seed, fold in jobs:
            model = new_model(options, data).to(fabric.device)
            keep = _Keeper(cache, data, options, seed, fold, threads, fabric.device)
            fits = fit_decoder(model, data, options, seed, fold, keep, report, fabric)
            if folder is None:
                continue
            save_file(_state_of(model), folder / weights_name(seed, fold))
            chosen[f"seed{seed}-fold{fold}"] = {name: f.best_epoch for name, f in fits.items()}
            for name, done in fits.items():
                about = {"cohort": cohort.name, "seed": seed, "fold": fold, "fitted": name}
                curves += [{**about, **row} for row in done.curve]
            for name, sets in sessions.items():
                its_answers = answers_of_session(model, sets, data.classes, options, seed, fold)
                answers += its_answers
                scores.setdefault((name, seed), {})[fold] = score_session(its_answers)
        if folder is None:
            return
        rows = [
            row
            for name, sets in sessions.items()
            for seed in options.seeds
            for row in rows_of(
                sets[0],
                cohort.name,
                cohort.level,
                options.decoder,
                seed,
                options.split,
                scores[name, seed],
            )
        ]
        write_table("decoding", folder / "decoding.csv", rows)
        write_predictions(folder / "predictions.npz", answers)
        write_rows(folder / "training.csv", CURVE_COLUMNS, curves)
        _write_json(folder / "decoder.json", describe(cohort, data, options, chosen))
        _write_json(folder / "provenance.json", provenance(data, threads, fabric.device))
    progress.close()


def weights_name(seed: int, fold: int) -> str:
    """File name of the weights of one decoder."""
    return f"seed{seed}-fold{fold}.safetensors"


def new_model(options: DecoderOptions, data: CohortData) -> Decoder:
    """A decoder for these sessions, held-out ones included, its weights not drawn yet."""
    cells = {name: sets[0].cell_specimen_id for name, sets in by_session(data.trial_sets).items()}
    classes = {task: len(values) for task, values in data.classes.items()}
    sharing = by_session(data.body) if options.share_units else ()
    return new_decoder(options, cells, targets_of(options, data.tasks, classes), sharing)


def fit_decoder(
    model: Decoder,
    data: CohortData,
    options: DecoderOptions,
    seed: int,
    fold: int,
    keep: _Keeper,
    report: Report,
    fabric: Fabric,
) -> dict[str, Fit]:
    """Fit body and unit vectors to the body's sessions, then the unit vectors of each other one.

    The scaling of a session comes from its training trials. A held-out session is fitted by
    itself: body and other sessions stay as they are, and no genotype is used.
    """
    model.draw(seed)
    for name, sets in by_session(data.trial_sets).items():
        model.scaling(name).fit(s.windows[s.in_part(fold, TRAIN)] for s in sets)
    model.targets.fit(labels_of_training(data.body, fold, TRAIN))
    names = model.body_parameters()
    for session in by_session(data.body):
        names += model.cell_parameters(session)
    names = tuple(dict.fromkeys(names))  # sessions may share their cells' vectors
    run = Run("body", seed, fold, data.body, names, options.epochs)
    fits = {"body": fit(model, run, options, keep.checkpoint("body", data.body), report, fabric)}
    for name, sets in by_session(data.held_out).items():
        run = Run(name, seed, fold, sets, model.cell_parameters(name), options.unit_epochs)
        kept = keep.checkpoint(name, (*data.body, *sets), options.unit_epochs)
        fits[name] = fit(model, run, options, kept, report, fabric)
    return fits


def answers_of_session(
    model: Decoder,
    sets: Sequence[TrialSet],
    classes: Mapping[str, np.ndarray],
    options: DecoderOptions,
    seed: int,
    fold: int,
) -> list[Prediction]:
    """What the model answers to each usable trial of a session, by stimulus and task."""
    found = []
    for data in sets:
        windows = torch.from_numpy(data.windows).to(model.device)
        for task, table in predicted(model, *data.key, windows).items():
            found.append(
                Prediction(
                    session=data.session,
                    stimulus=data.stimulus,
                    model=options.decoder,
                    task=task,
                    seed=seed,
                    fold=fold,
                    classes=classes.get(task),
                    trial=data.trial,
                    part=data.parts[fold],
                    labels=data.labels[task],
                    answers=table,
                )
            )
    return found


def score_session(answers: Sequence[Prediction]) -> dict[str, Scores | ValueScores]:
    """How the trials of a session are decoded, by task, its stimuli together."""
    found: dict[str, list[Scores | ValueScores]] = {}
    for p in answers:
        found.setdefault(p.task, []).append(scores_of(p.answers, p.labels, p.part))
    return {task: together(parts) for task, parts in found.items() if len(parts[0].part)}


def describe(
    cohort: CohortName,
    data: CohortData,
    options: DecoderOptions,
    chosen: Mapping[str, Mapping[str, int]],
) -> dict[str, Any]:
    """What later stages must know of the decoders of a cohort: `decoder.json`."""
    held_out = {trials.session for trials in data.held_out}
    return {
        "cohort": cohort.name,
        "level": cohort.level,
        "model": options.decoder,
        "hooks": list(hooks_of(options.decoder, depth_of(options))),
        "options": asdict(options),
        "split": options.split,
        "seeds": list(options.seeds),
        "folds": list(options.folds),
        "tasks": list(data.tasks),
        "classes": {task: values.tolist() for task, values in data.classes.items()},
        "sessions": [
            {
                "session": name,
                "mouse": sets[0].mouse,
                "cre_line": sets[0].cre_line,
                "cells": sets[0].cell_specimen_id.tolist(),
                "stimuli": [trials.stimulus for trials in sets],
                "store": sets[0].store,
                "held_out": name in held_out,
            }
            for name, sets in by_session(data.trial_sets).items()
        ],
        "best_epoch": chosen,
    }


def provenance(data: CohortData, threads: int, device: torch.device) -> dict[str, Any]:
    """What the decoders were made of and with; nothing that changes from run to run."""
    return {
        "code": _code(),
        "tensors": {trials.store: trials.content_sha256 for trials in data.trial_sets},
        "threads": threads,
        "device": device.type,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "lightning_fabric": lightning_fabric.__version__,
        "safetensors": safetensors.__version__,
    }


class _Keeper:
    """Makes the checkpoint of each run of one decoder."""

    def __init__(
        self,
        folder: str | Path | None,
        data: CohortData,
        options: DecoderOptions,
        seed: int,
        fold: int,
        threads: int,
        device: torch.device,
    ):
        self.folder, self.options, self.seed, self.fold = folder, options, seed, fold
        plain = {k: v for k, v in asdict(options).items() if k not in NOT_IN_THE_KEY}
        classes = {task: values.tolist() for task, values in data.classes.items()}
        self.common = [
            _code(),
            plain,
            classes,
            list(data.tasks),
            threads,
            device.type,
            torch.__version__,
        ]

    def checkpoint(self, name: str, trial_sets: Sequence[TrialSet], *more: Any) -> Checkpoint:
        inputs = [(*trials.key, trials.content_sha256) for trials in trial_sets]
        key = key_of(self.common, inputs, *more)
        made = Checkpoint(
            self.folder,
            f"{name}-seed{self.seed}-fold{self.fold}",
            key,
            self.options.checkpoint_every_s,
        )
        made.forget_others()
        return made


def _code() -> str:
    """Hash of the code that weights depend on."""
    return code_of_script(Path(__file__), HOUSE)


def _state_of(model: Decoder) -> dict[str, torch.Tensor]:
    return {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


def _unheard(epochs: int, note: str) -> None:
    """Only one of several processes speaks."""


@contextmanager
def _made_by_one(fabric: Fabric, out: str | Path) -> Iterator[Path | None]:
    """The folder to fill in the first process; None in the others, which wait for it."""
    if fabric.is_global_zero:
        with replacing_folder(out) as folder:
            yield folder
    else:
        yield None
    fabric.barrier()


@contextmanager
def _memory_errors(options: DecoderOptions) -> Iterator[None]:
    """Say which setting to change where memory is short."""
    try:
        yield
    except (MemoryError, torch.cuda.OutOfMemoryError, RuntimeError) as error:
        cpu_is_full = "DefaultCPUAllocator" in str(error)
        if type(error) is RuntimeError and not cpu_is_full:
            raise
        raise UserError(
            f"{SECTION}.batch_trials: memory ran out in training; found {options.batch_trials} "
            f"trials a batch and {options.batches_per_step} batches a step. Choose fewer, or a "
            "machine with more memory."
        ) from None

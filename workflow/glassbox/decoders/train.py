"""Training the decoders of a cohort: every seed and fold, then held-out mice's unit vectors."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import torch
from safetensors.torch import save_file

from glassbox.code import code_of_script
from glassbox.decoders.checkpoint import Checkpoint, key_of
from glassbox.decoders.data import CohortData, SessionData
from glassbox.decoders.fit import Fit, Report, Run, fit
from glassbox.decoders.identity_keyed import IdentityKeyedDecoder
from glassbox.decoders.metrics import Scores, rows_of, scores_of
from glassbox.decoders.options import SECTION, DecoderOptions
from glassbox.decoders.predict import log_probabilities
from glassbox.errors import UserError
from glassbox.files import replacing_folder
from glassbox.progress import Progress
from glassbox.tables import write_rows, write_table
from glassbox.tensors.splits import TRAIN

MODEL = "identity_keyed"
CURVE_COLUMNS = tuple(
    "cohort seed fold fitted epoch loss task selection_accuracy selection_log_probability".split()
)
# Options that change no weight of a run of given seed and fold.
NOT_IN_THE_KEY = ("folds", "seeds", "checkpoint_every_s", "device", "unit_epochs")
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
) -> None:
    """Train a decoder for each seed and fold and write them with their tables into `out`.

    Args:
        cohort: its name and level, for the tables.
        data: sessions of the body and held-out ones.
        options: how they are trained.
        out: folder to make: decoder.json, seed{S}-fold{F}.safetensors, decoding.csv,
            training.csv, provenance.json.
        cache: folder of checkpoints, outside the declared outputs; None: no checkpoints.
        threads: CPU threads; results depend on them in the last digits.

    Raises:
        UserError: no CUDA device where one is asked for, memory is short, or the loss is no
            longer a number.
    """
    device = device_of(options)
    torch.set_num_threads(threads)
    jobs = [(seed, fold) for seed in options.seeds for fold in options.folds]
    epochs = options.epochs + options.unit_epochs * len(data.held_out)
    progress = Progress(len(jobs) * epochs, f"train_decoder {cohort.name}", "epoch")
    scores: dict[tuple[str, int], dict[int, dict[str, Scores]]] = {}
    curves: list[dict[str, Any]] = []
    chosen: dict[str, dict[str, int]] = {}
    with _memory_errors(options), replacing_folder(out) as folder:
        for seed, fold in jobs:
            model = new_model(options, data, device)
            keep = _Keeper(cache, data, options, seed, fold, threads, device)
            fits = fit_decoder(model, data, options, seed, fold, keep, progress.step)
            save_file(_state_of(model), folder / weights_name(seed, fold))
            chosen[f"seed{seed}-fold{fold}"] = {name: f.best_epoch for name, f in fits.items()}
            for name, done in fits.items():
                about = {"cohort": cohort.name, "seed": seed, "fold": fold, "fitted": name}
                curves += [{**about, **row} for row in done.curve]
            for session in data.sessions:
                by_fold = scores.setdefault((session.session, seed), {})
                by_fold[fold] = score_session(model, session, fold)
        rows = [
            row
            for session in data.sessions
            for seed in options.seeds
            for row in rows_of(
                session,
                cohort.name,
                cohort.level,
                MODEL,
                seed,
                options.split,
                scores[session.session, seed],
            )
        ]
        write_table("decoding", folder / "decoding.csv", rows)
        write_rows(folder / "training.csv", CURVE_COLUMNS, curves)
        _write_json(folder / "decoder.json", describe(cohort, data, options, chosen))
        _write_json(folder / "provenance.json", provenance(data, threads, device))
    progress.close()


def weights_name(seed: int, fold: int) -> str:
    """File name of the weights of one decoder."""
    return f"seed{seed}-fold{fold}.safetensors"


def device_of(options: DecoderOptions) -> torch.device:
    """The device that the options ask for; `auto` is CUDA where there is any."""
    if options.device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            f"{SECTION}.device: found cuda, but PyTorch sees no CUDA device here; "
            "choose auto or cpu."
        )
    wanted = options.device
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)


def new_model(
    options: DecoderOptions, data: CohortData, device: torch.device
) -> IdentityKeyedDecoder:
    """A decoder for these sessions, held-out ones included, its weights not drawn yet."""
    cells = {session.session: session.n_cells for session in data.sessions}
    classes = {task: len(values) for task, values in data.classes.items()}
    return IdentityKeyedDecoder(options, cells, classes).to(device)


def fit_decoder(
    model: IdentityKeyedDecoder,
    data: CohortData,
    options: DecoderOptions,
    seed: int,
    fold: int,
    keep: _Keeper,
    report: Report,
) -> dict[str, Fit]:
    """Fit body and unit vectors to the body's sessions, then the unit vectors of each other one.

    The scaling of a session comes from its training trials. A held-out session is fitted by
    itself: body and other sessions stay as they are, and no genotype is used.
    """
    model.draw(seed)
    for session in data.sessions:
        train = session.windows[session.in_part(fold, TRAIN)]
        model.cells_of(session.session).fit_scaling(train)
    names = model.body_parameters()
    for session in data.body:
        names += model.cell_parameters(session.session)
    run = Run("body", seed, fold, data.body, names, options.epochs)
    fits = {"body": fit(model, run, options, keep.checkpoint("body", data.body), report)}
    for session in data.held_out:
        name = session.session
        run = Run(name, seed, fold, (session,), model.cell_parameters(name), options.unit_epochs)
        kept = keep.checkpoint(name, (*data.body, session), options.unit_epochs)
        fits[name] = fit(model, run, options, kept, report)
    return fits


def score_session(
    model: IdentityKeyedDecoder, session: SessionData, fold: int
) -> dict[str, Scores]:
    """How each usable trial of a session is decoded, by task."""
    windows = torch.from_numpy(session.windows).to(model.device)
    tables = log_probabilities(model, session.session, windows)
    return {
        task: scores_of(table, session.labels[task], session.parts[fold])
        for task, table in tables.items()
    }


def describe(
    cohort: CohortName,
    data: CohortData,
    options: DecoderOptions,
    chosen: Mapping[str, Mapping[str, int]],
) -> dict[str, Any]:
    """What later stages must know of the decoders of a cohort: `decoder.json`."""
    held_out = {session.session for session in data.held_out}
    return {
        "cohort": cohort.name,
        "level": cohort.level,
        "model": MODEL,
        "hooks": ["latents"],
        "options": asdict(options),
        "stimulus": options.stimulus,
        "split": options.split,
        "seeds": list(options.seeds),
        "folds": list(options.folds),
        "tasks": {task: values.tolist() for task, values in data.classes.items()},
        "sessions": [
            {
                "session": session.session,
                "mouse": session.mouse,
                "cre_line": session.cre_line,
                "n_cells": session.n_cells,
                "store": session.store,
                "held_out": session.session in held_out,
            }
            for session in data.sessions
        ],
        "best_epoch": chosen,
    }


def provenance(data: CohortData, threads: int, device: torch.device) -> dict[str, Any]:
    """What the decoders were made of and with; nothing that changes from run to run."""
    return {
        "code": _code(),
        "tensors": {session.store: session.content_sha256 for session in data.sessions},
        "threads": threads,
        "device": device.type,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
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
        self.common = [_code(), plain, classes, threads, device.type, torch.__version__]

    def checkpoint(self, name: str, sessions: Sequence[SessionData], *more: Any) -> Checkpoint:
        inputs = [(session.session, session.content_sha256) for session in sessions]
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


def _state_of(model: IdentityKeyedDecoder) -> dict[str, torch.Tensor]:
    return {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items()}


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


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

"""The baselines of one session: fitted to its training trials, chosen on its selection trials."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from glassbox.decoders.baselines import OF_CLASSES, OF_VALUES
from glassbox.decoders.choice import Chosen, choose
from glassbox.decoders.data import CohortData, TrialSet, is_counted
from glassbox.decoders.features import TrialFrames, read_frames
from glassbox.decoders.metrics import Scores, ValueScores, rows_of, scores_of, together
from glassbox.decoders.options import DecoderOptions
from glassbox.decoders.predictions import Prediction, write_predictions
from glassbox.files import replacing_file
from glassbox.tables import write_table
from glassbox.tensors.splits import SELECTION, TRAIN
from glassbox.tensors.store import SessionTensor

LEVEL = "mouse"


def fit_reference(
    data: CohortData,
    tensor: SessionTensor,
    options: DecoderOptions,
    out: str | Path,
    predictions: str | Path,
    choices: str | Path,
) -> None:
    """Fit each baseline to each fold of one session.

    Args:
        data: the one session.
        tensor: of that session; features have their own windows.
        options: tasks, folds and baselines.
        out: table to make: rows of decoding.csv. A baseline has no seed: the network's is fixed.
        predictions: file to make: the answers to selection and test trials.
        choices: JSON to make: the setting that selection trials chose, by baseline, task, stimulus
            and fold.
    """
    frames = {
        trials.stimulus: read_frames(tensor, trials.stimulus, trials.trial) for trials in data.body
    }
    fitted = [
        (trials, fold, task, model, chosen)
        for trials in data.body
        for fold in options.folds
        for task, model, chosen in fit_trials(data, trials, frames[trials.stimulus], fold, options)
    ]
    write_table("decoding", out, _rows(data, options, fitted))
    write_predictions(
        predictions,
        (
            Prediction(
                session=trials.session,
                stimulus=trials.stimulus,
                model=model,
                task=task,
                seed=None,
                fold=fold,
                classes=data.classes.get(task),
                trial=trials.trial,
                part=trials.parts[fold],
                labels=trials.labels[task],
                answers=chosen.answers,
            )
            for trials, fold, task, model, chosen in fitted
        ),
    )
    settings: dict[str, Any] = {}
    for trials, fold, task, model, chosen in fitted:
        of_task = settings.setdefault(model, {}).setdefault(task, {})
        of_task.setdefault(trials.stimulus, {})[fold] = chosen.setting
    with replacing_file(choices) as partial:
        partial.write_text(json.dumps(settings, indent=1) + "\n")


def fit_trials(
    data: CohortData,
    trials: TrialSet,
    frames: TrialFrames,
    fold: int,
    options: DecoderOptions,
) -> Iterator[tuple[str, str, Chosen]]:
    """Fit the baselines of each task of one stimulus in one fold: task, model, what was chosen.

    A task that too few trials have a label for, as behaviour that was not recorded, is left out of
    all folds.
    """
    clip = (options.clip_low, options.clip_high)
    inputs = frames.features(trials.parts[fold] == TRAIN, clip)
    for task, labels in trials.labels.items():
        if not all(_is_fittable(trials, labels, each) for each in trials.parts):
            continue
        classes = data.classes.get(task)
        n_classes = None if classes is None else len(classes)
        known = OF_VALUES if classes is None else OF_CLASSES
        for model in (name for name in options.baselines if name in known):
            chosen = choose(known[model], inputs, labels, trials.parts[fold], n_classes)
            yield task, model, chosen


def _is_fittable(trials: TrialSet, labels: np.ndarray, fold: int) -> bool:
    return all(is_counted(labels[trials.in_part(fold, part)]).any() for part in (TRAIN, SELECTION))


def _rows(
    data: CohortData, options: DecoderOptions, fitted: list[tuple[TrialSet, int, str, str, Chosen]]
) -> Iterator[dict[str, Any]]:
    """Rows of decoding.csv of each baseline, the stimuli of a task together."""
    found: dict[str, dict[int, dict[str, list[Scores | ValueScores]]]] = {}
    for trials, fold, task, model, chosen in fitted:
        scores = scores_of(chosen.answers, trials.labels[task], trials.parts[fold])
        by_task = found.setdefault(model, {}).setdefault(fold, {})
        by_task.setdefault(task, []).append(scores)
    about = data.body[0]
    for model, folds in found.items():
        by_fold = {
            fold: {task: together(parts) for task, parts in by_task.items()}
            for fold, by_task in folds.items()
        }
        yield from rows_of(
            about, f"mouse-{about.mouse}", LEVEL, model, None, options.split, by_fold
        )

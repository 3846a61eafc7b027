"""Choosing among the settings of a baseline, on selection trials alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from glassbox.decoders.baselines import Answers, Baseline, Setting
from glassbox.decoders.data import is_counted
from glassbox.tensors.splits import SELECTION, TRAIN

# What a class gets that the training trials never showed: no float32 probability is smaller.
LEAST_LOG_PROBABILITY = float(np.log(np.finfo(np.float32).tiny))


@dataclass(frozen=True)
class Chosen:
    """A baseline of one task and fold, with the setting that selection trials prefer.

    Attributes:
        setting: the choice of features and the settings of the model.
        score: on selection trials: accuracy and mean log probability, of a value −(mean squared
            error), which orders settings as r2 does.
        answers: of all trials, log probabilities (trials, classes) or values (trials,), f8.
    """

    setting: Setting
    score: tuple[float, ...]
    answers: np.ndarray


def choose(
    baseline: Baseline,
    features: Mapping[str, np.ndarray],
    labels: np.ndarray,
    part: np.ndarray,
    classes: int | None,
) -> Chosen:
    """Fit each setting with each choice of features to the training trials, and keep the best.

    The best has the highest accuracy on selection trials, the highest mean log probability among
    equals, and stands first among equals in both. No label of a test trial is looked at.

    Args:
        features: scaled inputs by choice, (trials, inputs).
        labels: (trials,), class indices or values.
        part: part code of each trial, (trials,).
        classes: of the task; None for a value.
    """
    counted = is_counted(labels)
    train, selection = (np.flatnonzero(counted & (part == code)) for code in (TRAIN, SELECTION))
    seen, target = np.unique(labels[train], return_inverse=True)
    if classes is None:
        seen, target = None, labels[train].astype(np.float64)
    elif len(seen) == 1:
        baseline = _the_only_class
    best: Chosen | None = None
    for name, inputs in features.items():
        for setting, answers in baseline(inputs[train], target, inputs):
            if classes is not None:
                answers = _of_all_classes(answers, seen, classes)
            score = _score(answers[selection], labels[selection])
            if best is None or score > best.score:
                best = Chosen({"features": name, **setting}, score, answers)
    return best


def _the_only_class(train: np.ndarray, labels: np.ndarray, trials: np.ndarray) -> Answers:
    """Nothing can be learnt where training trials show one class."""
    yield {}, np.zeros((len(trials), 1))


def _of_all_classes(answers: np.ndarray, seen: np.ndarray, classes: int) -> np.ndarray:
    """Log probabilities of all classes from those of the classes that training trials showed."""
    table = np.full((len(answers), classes), LEAST_LOG_PROBABILITY)
    table[:, seen] = np.maximum(answers, LEAST_LOG_PROBABILITY)
    return table


def _score(answers: np.ndarray, labels: np.ndarray) -> tuple[float, ...]:
    """How good answers are, the larger the better; (-inf,) where no trial has a label."""
    if len(labels) == 0:
        return (-np.inf,)
    if answers.ndim == 1:
        return (-float(np.mean((answers - labels) ** 2)),)
    of_truth = answers[np.arange(len(labels)), labels]
    return float(np.mean(answers.argmax(axis=1) == labels)), float(np.mean(of_truth))

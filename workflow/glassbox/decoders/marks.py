"""How a model did trial by trial, and what resampled trials make of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from glassbox.decoders.predictions import Prediction

TRIAL = np.dtype([("stimulus", "U64"), ("fold", "i8"), ("trial", "i8")])
LARGEST = 64 << 20  # bytes of the weights of resamples that are multiplied at once


@dataclass(frozen=True)
class Marks:
    """What one model made of the trials of one session, task and part, all folds together.

    Attributes:
        trials: which they are, (trials,) of `TRIAL`, sorted; of two folds they count twice.
        truth: the class's value or the value, (trials,), f8.
        classes: number of classes; 0 where a value is predicted.
        by_metric: for classes `accuracy` (1 where right) and `log_probability` (of the truth), for
            a value `r2` (the answer), (trials,), f8.
    """

    trials: np.ndarray
    truth: np.ndarray
    classes: int
    by_metric: dict[str, np.ndarray]

    @property
    def metrics(self) -> tuple[str, ...]:
        return tuple(self.by_metric)

    @property
    def n(self) -> int:
        return len(self.truth)

    def of_stimuli(self, names: Collection[str]) -> Marks:
        """The marks of the trials of some stimuli."""
        kept = np.isin(self.trials["stimulus"], list(names))
        by_metric = {metric: values[kept] for metric, values in self.by_metric.items()}
        return replace(self, trials=self.trials[kept], truth=self.truth[kept], by_metric=by_metric)

    def chance(self, metric: str) -> float:
        """What the uniform guess, or of a value its mean, would have."""
        return {
            "accuracy": 1 / max(self.classes, 1),
            "log_probability": -float(np.log(max(self.classes, 1))),
        }.get(metric, 0.0)

    def value(self, metric: str) -> float:
        return float(self.drawn(metric, np.ones((1, self.n), dtype=np.float32))[0])

    def drawn(self, metric: str, weights: np.ndarray) -> np.ndarray:
        """The metric where each trial counts as often as it was drawn.

        Args:
            weights: (resamples, trials).

        Returns:
            (resamples,), f8; of r2 NaN where the truth of a resample does not vary.
        """
        values = self.by_metric[metric]
        if metric != "r2":
            return _summed(weights, values)[:, 0] / weights.sum(axis=1, dtype=np.float64)
        truth = self.truth - self.truth.mean()
        error = self.truth - values
        sums = _summed(weights, np.stack([np.ones_like(truth), truth, truth**2, error**2], axis=1))
        count, total, square, left = sums.T
        whole = square - total**2 / count
        varied = whole > 1e-12 * np.maximum(square, np.finfo(float).tiny)
        return np.where(varied, 1 - left / np.where(varied, whole, 1), np.nan)


def marks_of(predictions: Sequence[Prediction], part: int) -> Marks:
    """The marks of one model in one session and task: its predictions of each stimulus and fold.

    Args:
        part: code of the part whose trials are marked.
    """
    trials, truths, marks = [], [], []
    for prediction in predictions:
        chosen = prediction.only(prediction.part == part)
        named = np.empty(len(chosen.trial), dtype=TRIAL)
        named["stimulus"], named["fold"] = chosen.stimulus, chosen.fold
        named["trial"] = chosen.trial
        trials.append(named)
        labels, answers = chosen.labels, chosen.answers.astype(np.float64)
        if chosen.is_value:
            truths.append(labels.astype(np.float64))
            marks.append({"r2": answers})
        else:
            truths.append(np.asarray(chosen.classes)[labels])
            right = (answers.argmax(axis=1) == labels).astype(np.float64)
            of_truth = answers[np.arange(len(labels)), labels]
            marks.append({"accuracy": right, "log_probability": of_truth})
    named = np.concatenate(trials)
    order = np.argsort(named, order=TRIAL.names)
    first = predictions[0]
    return Marks(
        trials=named[order],
        truth=np.concatenate(truths)[order],
        classes=0 if first.is_value else len(first.classes),
        by_metric={m: np.concatenate([mark[m] for mark in marks])[order] for m in marks[0]},
    )


def same_trials(one: Marks, other: Marks) -> bool:
    """Whether two models were marked on the same trials with the same truth."""
    return np.array_equal(one.trials, other.trials) and np.allclose(one.truth, other.truth)


def ensemble_of(predictions: Sequence[Prediction], model: str) -> Prediction:
    """The mean of the answers of several seeds to the same trials: of probabilities, or of values.

    Args:
        predictions: one a seed, of one session, stimulus, task and fold.
        model: name of the ensemble.
    """
    first = predictions[0]
    answers = np.stack([p.answers for p in predictions]).astype(np.float64)
    if not first.is_value:
        highest = answers.max(axis=0)
        answers = np.log(np.exp(answers - highest).mean(axis=0)) + highest
    else:
        answers = answers.mean(axis=0)
    return replace(first, model=model, seed=None, answers=answers.astype(np.float32))


def _summed(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(resamples, trials) × (trials, k) or (trials,) → (resamples, k), f8, a few rows at once."""
    values = values.reshape(len(values), -1)
    rows = max(LARGEST // (8 * max(len(values), 1)), 1)
    parts = [
        weights[at : at + rows].astype(np.float64) @ values for at in range(0, len(weights), rows)
    ]
    return np.concatenate(parts)

"""How well trials are decoded, as rows of the table decoding.csv."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassbox.decoders.data import TrialSet, is_counted
from glassbox.decoders.randomness import seed_of
from glassbox.statistics import bootstrap_interval, bootstrap_weights, exact_interval
from glassbox.tensors.splits import PART_NAMES, SELECTION, TEST, TRAIN

PARTS = (TRAIN, SELECTION, TEST)
VALUE_ARRAYS = ("answer", "truth", "part")
RESAMPLES = 2000
POOLED = "pooled"  # in the place of a fold: the trials of all folds together


@dataclass(frozen=True)
class Scores:
    """What a decoder gave each trial of one session for one task, in one fold.

    Attributes:
        correct: the most likely class is the true one, (trials,) bool.
        log_probability: natural logarithm of the probability of the true class, (trials,), f8.
        part: part code, (trials,), i1; trials without a class have been left out.
        classes: number of classes.
    """

    correct: np.ndarray
    log_probability: np.ndarray
    part: np.ndarray
    classes: int


@dataclass(frozen=True)
class ValueScores:
    """What a decoder gave each trial of one session for one value, in one fold.

    Attributes:
        answer, truth: in the task's unit, (trials,), f8.
        part: part code, (trials,), i1; trials without a value have been left out.
    """

    answer: np.ndarray
    truth: np.ndarray
    part: np.ndarray


def scores_of(answers: np.ndarray, labels: np.ndarray, part: np.ndarray) -> Scores | ValueScores:
    """Score what was answered to trials with these labels.

    Args:
        answers: log probabilities, (trials, classes), or values, (trials,).
        labels: class indices or values, (trials,).
        part: part codes, (trials,).
    """
    counted = np.flatnonzero(is_counted(labels))
    table, true = answers[counted].astype(np.float64), labels[counted]
    if table.ndim == 1:
        return ValueScores(table, true.astype(np.float64), part[counted])
    return Scores(
        correct=table.argmax(axis=1) == true,
        log_probability=table[np.arange(len(true)), true],
        part=part[counted],
        classes=table.shape[1],
    )


def r2(answer: np.ndarray, truth: np.ndarray, weight: np.ndarray | None = None) -> float:
    """Share of the variance of the truth that the answer explains; below 0 worse than its mean.

    Args:
        answer, truth: (trials,).
        weight: of each trial, (trials,); None: equal.
    """
    weight = np.ones(len(truth)) if weight is None else weight
    truth, answer = truth.astype(np.float64), answer.astype(np.float64)
    mean = np.average(truth, weights=weight)
    left = (weight * (truth - answer) ** 2).sum()
    whole = (weight * (truth - mean) ** 2).sum()
    return float(1 - left / whole) if whole > 0 else float("nan")


def rows_of(
    session: TrialSet,
    cohort: str,
    level: str,
    model: str,
    seed: int | None,
    split: str,
    by_fold: Mapping[int, Mapping[str, Scores | ValueScores]],
) -> Iterator[dict[str, Any]]:
    """Rows of one session and seed: every fold, and the folds together.

    Accuracy has the exact (Clopper-Pearson) interval, the mean log probability and r2 a bootstrap
    over trials. Chance is the uniform guess, of a value its mean.
    """
    about = dict(
        cohort=cohort,
        level=level,
        mouse=session.mouse,
        genotype=session.cre_line,
        session=session.session,
        model=model,
        seed=seed,
        split=split,
    )
    tasks = next(iter(by_fold.values()))
    for task in tasks:
        folds: dict[int | str, Scores | ValueScores] = {
            fold: scores[task] for fold, scores in by_fold.items()
        }
        folds[POOLED] = together([scores[task] for scores in by_fold.values()])
        for fold, scores in folds.items():
            for part in PARTS:
                chosen = scores.part == part
                if chosen.any():
                    where = {**about, "fold": fold, "part": PART_NAMES[part], "task": task}
                    yield from _rows_of_part(where, scores, chosen)


def together(scores: Sequence[Scores | ValueScores]) -> Scores | ValueScores:
    """The scores of several folds as one."""
    if isinstance(scores[0], ValueScores):
        return ValueScores(
            *(np.concatenate([getattr(s, name) for s in scores]) for name in VALUE_ARRAYS)
        )
    return Scores(
        correct=np.concatenate([s.correct for s in scores]),
        log_probability=np.concatenate([s.log_probability for s in scores]),
        part=np.concatenate([s.part for s in scores]),
        classes=scores[0].classes,
    )


def _rows_of_part(
    where: dict[str, Any], scores: Scores | ValueScores, chosen: np.ndarray
) -> Iterator[dict[str, Any]]:
    if isinstance(scores, ValueScores):
        yield _row_of_values(where, scores.answer[chosen], scores.truth[chosen])
        return
    correct, log_probability = scores.correct[chosen], scores.log_probability[chosen]
    n = len(correct)
    low, high = exact_interval(int(correct.sum()), n)
    yield {
        **where,
        "metric": "accuracy",
        "value": float(correct.mean()),
        "ci_low": low,
        "ci_high": high,
        "chance": 1 / scores.classes,
        "n": n,
    }
    low, high = bootstrap_interval(log_probability, seed_of(*where.values()))
    yield {
        **where,
        "metric": "log_probability",
        "value": float(log_probability.mean()),
        "ci_low": low,
        "ci_high": high,
        "chance": -math.log(scores.classes),
        "n": n,
    }


def _row_of_values(where: dict[str, Any], answer: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    weights = bootstrap_weights(len(truth), seed_of(*where.values()), RESAMPLES)
    drawn = [r2(answer, truth, weight) for weight in weights]
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    return {
        **where,
        "metric": "r2",
        "value": r2(answer, truth),
        "ci_low": float(low),
        "ci_high": float(high),
        "chance": 0.0,
        "n": len(truth),
    }

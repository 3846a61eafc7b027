"""How well trials are decoded, as rows of the table decoding.csv."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassbox.decoders.data import NO_CLASS, SessionData
from glassbox.decoders.randomness import seed_of
from glassbox.statistics import bootstrap_interval, exact_interval
from glassbox.tensors.splits import PART_NAMES, SELECTION, TEST, TRAIN

PARTS = (TRAIN, SELECTION, TEST)
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


def scores_of(log_probabilities: np.ndarray, labels: np.ndarray, part: np.ndarray) -> Scores:
    """Score the log probabilities, (trials, classes), of trials with these labels."""
    counted = np.flatnonzero(labels != NO_CLASS)
    table, true = log_probabilities[counted].astype(np.float64), labels[counted]
    return Scores(
        correct=table.argmax(axis=1) == true,
        log_probability=table[np.arange(len(true)), true],
        part=part[counted],
        classes=table.shape[1],
    )


def rows_of(
    session: SessionData,
    cohort: str,
    level: str,
    model: str,
    seed: int | None,
    split: str,
    by_fold: Mapping[int, Mapping[str, Scores]],
) -> Iterator[dict[str, Any]]:
    """Rows of one session and seed: every fold, and the folds together.

    Accuracy has the exact (Clopper-Pearson) interval, the mean log probability a bootstrap over
    trials. Chance is the uniform guess.
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
        folds: dict[int | str, Scores] = {fold: scores[task] for fold, scores in by_fold.items()}
        folds[POOLED] = together([scores[task] for scores in by_fold.values()])
        for fold, scores in folds.items():
            for part in PARTS:
                chosen = scores.part == part
                if chosen.any():
                    where = {**about, "fold": fold, "part": PART_NAMES[part], "task": task}
                    yield from _rows_of_part(where, scores, chosen)


def together(scores: Sequence[Scores]) -> Scores:
    """The scores of several folds as one."""
    return Scores(
        correct=np.concatenate([s.correct for s in scores]),
        log_probability=np.concatenate([s.log_probability for s in scores]),
        part=np.concatenate([s.part for s in scores]),
        classes=scores[0].classes,
    )


def _rows_of_part(
    where: dict[str, Any], scores: Scores, chosen: np.ndarray
) -> Iterator[dict[str, Any]]:
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

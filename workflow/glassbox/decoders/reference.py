"""The linear reference: logistic regression on each cell's mean dF/F in the window."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from glassbox.decoders.data import LEAST_DEVIATION, NO_CLASS, CohortData, TrialSet
from glassbox.decoders.metrics import Scores, rows_of, scores_of
from glassbox.decoders.options import DecoderOptions
from glassbox.tables import write_table
from glassbox.tensors.splits import SELECTION, TRAIN

MODEL = "logistic_regression"
STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # C, inverse of the penalty
MAX_STEPS = 2000


def fit_reference(data: CohortData, options: DecoderOptions, out: str | Path) -> None:
    """Fit the reference to each fold of one session and write its rows of decoding.csv.

    Nothing in it is random: the rows have no seed.
    """
    (session,) = data.body
    by_fold = {
        fold: {
            task: fit_task(session, fold, task, len(values))
            for task, values in data.classes.items()
        }
        for fold in options.folds
    }
    rows = rows_of(session, f"mouse-{session.mouse}", "mouse", MODEL, None, options.split, by_fold)
    write_table("decoding", out, rows)


def fit_task(session: TrialSet, fold: int, task: str, classes: int) -> Scores:
    """Fit at each strength on training trials, keep the best on selection trials, score all.

    The best strength has the highest accuracy on selection trials, the highest mean log
    probability among equals.
    """
    features = features_of(session, fold)
    labels, part = session.labels[task], session.parts[fold]
    train = (part == TRAIN) & (labels != NO_CLASS)
    best: tuple[tuple[float, float], Scores] | None = None
    for strength in STRENGTHS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = LogisticRegression(C=strength, max_iter=MAX_STEPS).fit(
                features[train], labels[train]
            )
        table = np.full((len(features), classes), -np.inf)
        table[:, model.classes_] = model.predict_log_proba(features)
        scores = scores_of(table, labels, part)
        chosen = scores.part == SELECTION
        score = (scores.correct[chosen].mean(), scores.log_probability[chosen].mean())
        if best is None or score > best[0]:
            best = score, scores
    return best[1]


def features_of(session: TrialSet, fold: int) -> np.ndarray:
    """Mean dF/F of each cell in the window, z-scored on training trials, (trials, cells), f8."""
    mean = session.windows.mean(axis=2, dtype=np.float64)
    train = mean[session.in_part(fold, TRAIN)]
    return (mean - train.mean(axis=0)) / np.maximum(train.std(axis=0), LEAST_DEVIATION)

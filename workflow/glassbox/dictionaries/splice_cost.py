"""What a splice costs, trial by trial: in accuracy, and in log-probability with its error."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from glassbox.dictionaries.splice import METRICS

Scores = Mapping[tuple[str, str, str], np.ndarray]


def splice_cost(scores: Scores) -> dict[str, float]:
    """Means over trials of spliced − clean; a trial of several tasks counts with their mean.

    Args:
        scores: by (condition, task, metric), (trials,), NaN where a trial has no label.

    Returns:
        `accuracy_change`, `log_probability_change` (natural logarithm, of the true class), and
        `log_probability_se`, the standard error over trials of the log-probability when spliced;
        NaN where no trial, or for the error only one, has a label.
    """
    clean, spliced = _of_trials(scores, "clean"), _of_trials(scores, "spliced")
    n = len(clean)
    change = (spliced - clean).mean(axis=0) if n else np.full(2, np.nan)
    return {
        "accuracy_change": float(change[0]),
        "log_probability_change": float(change[1]),
        "log_probability_se": float(spliced[:, 1].std(ddof=1) / np.sqrt(n)) if n > 1 else np.nan,
    }


def _of_trials(scores: Scores, condition: str) -> np.ndarray:
    """Accuracy and log-probability of each trial that has a label, (labelled trials, 2)."""
    tasks = sorted({task for _, task, _ in scores})
    values = np.array([[scores[condition, t, metric] for t in tasks] for metric in METRICS])
    known = np.isfinite(values[0])
    counted = known.any(axis=0)
    return (np.where(known, values, 0).sum(axis=1)[:, counted] / known.sum(axis=0)[counted]).T

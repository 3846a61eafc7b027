"""What a probe of mice is trained on and what it reads: one value of a feature for each mouse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from glassbox.interventions.probe import MouseMoments


@dataclass(frozen=True)
class MouseFeatures:
    """Features of the mice of one fold.

    Attributes:
        training: of the training mice.
        read: of the held-out mice, (mice, features).
    """

    training: MouseMoments
    read: np.ndarray

    @classmethod
    def of(cls, training: np.ndarray, read: np.ndarray) -> MouseFeatures:
        """Of (mice, features) each, the held-out mice moved as `onto` says.

        A ridge regression sees of the features only what training mice span: they are turned into
        that, so that a thousand features cost no more than there are mice.
        """
        centre = training.mean(0)
        _, size, basis = np.linalg.svd(training - centre, full_matrices=False)
        spanned = size > 1e-9 * max(size.max(initial=0.0), 1e-9)
        spanned[0] = True
        turn = basis[spanned].T
        mice = np.arange(len(training))
        moments = MouseMoments.of((training - centre) @ turn, mice, len(mice))
        return cls(moments, (onto(training, read) - centre) @ turn)


def onto(training: np.ndarray, read: np.ndarray) -> np.ndarray:
    """Features of held-out mice, (mice, features), moved to the mean of the training mice.

    A body was trained with the vectors of its own mice and met those of held-out mice after: that
    difference between the two groups, the same whatever the lines, must not pass for a line. No
    label is used for it; where all held-out mice are of one line, it costs reads.
    """
    return read - read.mean(0) + training.mean(0)


def by_condition(
    values: np.ndarray, labels: Mapping[str, np.ndarray], mouse: np.ndarray, n_mice: int
) -> np.ndarray:
    """Mean of each unit in each condition of each task, (mice, features); tasks weigh the same.

    A condition that a mouse was not shown has the mouse's mean.

    Args:
        values: (trials, units).
        labels: class index by task, (trials,), −1 for none.
        mouse: index of the mouse of each trial, (trials,).
        n_mice: how many there are.
    """
    found = []
    for m in range(n_mice):
        its = mouse == m
        mean, parts = values[its].mean(0), []
        for label in labels.values():
            classes = int(label.max(initial=0)) + 1
            shown = [its & (label == c) for c in range(classes)]
            means = [values[s].mean(0) if s.any() else mean for s in shown]
            parts.append(np.concatenate(means) / np.sqrt(classes))
        found.append(np.concatenate(parts))
    return np.stack(found)

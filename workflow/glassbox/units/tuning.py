"""Tuning curves: the mean activation of each unit in each condition."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glassbox.units.groups import group_sums


@dataclass(frozen=True)
class Tuning:
    """Mean response by condition.

    Attributes:
        response: (units, conditions), NaN where a condition has no trial.
        sem: standard error of the mean over trials, (units, conditions); NaN below two trials.
        n: trials of each condition, (conditions,).
    """

    response: np.ndarray
    sem: np.ndarray
    n: np.ndarray


def tuning_curves(activation: np.ndarray, label: np.ndarray, n_conditions: int) -> Tuning:
    """The tuning curve of each unit.

    Args:
        activation: (trials, units).
        label: condition of each trial, (trials,), whole numbers from 0.
        n_conditions: number of conditions.
    """
    values = np.asarray(activation, dtype=float)
    n = np.bincount(label, minlength=n_conditions)
    shown = np.where(n > 0, n, np.nan)[:, None]
    mean = group_sums(values, label, n_conditions) / shown
    away = group_sums((values - mean[label]) ** 2, label, n_conditions)
    variance = away / np.where(n > 1, n - 1, np.nan)[:, None]
    return Tuning(mean.T, np.sqrt(variance / shown).T, n)

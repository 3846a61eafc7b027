"""Trials in groups: codes for combinations of labels, means within groups."""

from __future__ import annotations

import numpy as np


def group_codes(*columns: np.ndarray) -> np.ndarray:
    """One whole number for each distinct combination of the columns' values, (trials,).

    Args:
        columns: each (trials,), whole numbers, texts or floats without NaN.
    """
    codes = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        values, inverse = np.unique(np.asarray(column), return_inverse=True)
        codes = np.unique(codes * len(values) + inverse, return_inverse=True)[1]
    return codes


def group_sums(values: np.ndarray, groups: np.ndarray, n_groups: int) -> np.ndarray:
    """Sum of the rows of each group, (groups, columns).

    Args:
        values: (rows, columns).
        groups: (rows,), whole numbers from 0 to n_groups - 1.
        n_groups: number of groups; a group without rows sums to 0.
    """
    sums = np.zeros((n_groups, values.shape[1]))
    order = np.argsort(groups, kind="stable")
    present, starts = np.unique(groups[order], return_index=True)
    if len(present):
        sums[present] = np.add.reduceat(values[order].astype(float, copy=False), starts, axis=0)
    return sums


def without_group_means(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The rows with the mean of their group taken away, (rows, columns) float64."""
    n_groups = int(groups.max()) + 1 if len(groups) else 0
    counts = np.bincount(groups, minlength=n_groups)
    means = group_sums(values, groups, n_groups) / np.maximum(counts, 1)[:, None]
    return values - means[groups]

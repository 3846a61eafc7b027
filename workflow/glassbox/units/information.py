"""How many bits does a unit's activation tell about a variable?"""

from __future__ import annotations

import numpy as np

from glassbox.units.groups import group_sums

LEVELS = 4  # of activation, each a quarter of the trials as far as equal values allow


def mutual_information(activation: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Bits between the level of the activation and the class, bias removed, (units,).

    Few trials make any two things look related. That bias is, to first order, known: each level
    that occurs in a class adds 1 / (2 N ln 2), each that occurs at all takes as much away. What is
    left can fall below 0.

    Args:
        activation: (trials, units).
        label: class of each trial, (trials,), whole numbers from 0.

    Source: Miller 1955; Panzeri & Treves 1996, Network 7, eq. 13, with the number of levels that
        occurred.
    """
    values = np.asarray(activation, dtype=float)
    n, classes = len(values), int(label.max(initial=-1)) + 1
    if n == 0:
        return np.full(values.shape[1], np.nan)
    edges = np.quantile(values, np.arange(1, LEVELS) / LEVELS, axis=0)
    level = (values[None] > edges[:, None]).sum(axis=0)
    counts = np.stack([group_sums(level == step, label, classes) for step in range(LEVELS)])
    together = counts / n
    apart = together.sum(axis=0) * together.sum(axis=1, keepdims=True)
    ratio = np.divide(together, apart, out=np.ones_like(together), where=together > 0)
    bits = (together * np.log2(ratio)).sum(axis=(0, 1))
    shown = (np.bincount(label, minlength=classes) > 0).sum()
    occur = (counts > 0).sum(axis=(0, 1)) - shown
    ever = (counts.sum(axis=1) > 0).sum(axis=0) - 1
    return bits - (occur - ever) / (2 * n * np.log(2))

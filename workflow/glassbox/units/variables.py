"""What kind of thing a variable is, which decides the statistics that describe its units."""

from __future__ import annotations

import numpy as np

from glassbox.tensors.tasks import TASKS

ORIENTATION = "orientation"
DIRECTION = "direction"
AXIAL = 180.0  # degrees after which an orientation begins again
ORDERED = ("temporal_frequency", "spatial_frequency")
BEHAVIOUR = tuple(name for name, task in TASKS.items() if task.is_value)


def period_of(variable: str) -> float | None:
    """The angle at which a circular variable begins again, in its own unit; None for others."""
    return TASKS[variable].period if variable in TASKS else None


def is_ordered(variable: str) -> bool:
    """Whether the values of the variable have an order, from little to much."""
    return variable in ORDERED


def axial(directions: tuple[float, ...], label: np.ndarray) -> tuple[tuple[float, ...], np.ndarray]:
    """Orientations of drifting gratings from their directions: those are modulo 180 degrees.

    Args:
        directions: value of each class, degrees.
        label: class of each trial, (trials,).

    Returns:
        The orientations, sorted, and the orientation of each trial as an index of them.
    """
    angles = np.mod(np.asarray(directions, dtype=float), AXIAL)
    orientations, places = np.unique(angles, return_inverse=True)
    return tuple(orientations.tolist()), places[label]

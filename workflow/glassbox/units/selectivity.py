"""Indices of orientation and direction selectivity."""

from __future__ import annotations

import numpy as np


def orientation_selectivity(response: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Orientation selectivity index of each unit, 1 − circular variance of the axial response.

    Args:
        response: mean response by direction, (units, directions), any unit, at least 0.
        direction: direction of drift, (directions,), degrees.

    Returns:
        (units,), 0 for no tuning to 1 for a response at one axis alone; NaN where a unit never
        responds or a direction was never shown.

    Source: Mazurek, Kager & Van Hooser 2014, Front. Neural Circuits, eq. 2 (L_ori).
    """
    response = np.asarray(response, dtype=float)
    total = response.sum(axis=1)
    resultant = np.abs(response @ np.exp(2j * np.deg2rad(direction)))
    return np.divide(resultant, total, out=np.full(len(response), np.nan), where=total > 0)


def circular_mean(
    response: np.ndarray, angle: np.ndarray, period: float
) -> tuple[np.ndarray, np.ndarray]:
    """Circular variance of each unit's response, and the angle of its resultant.

    Args:
        response: mean response by angle, (units, angles), any unit, at least 0.
        angle: (angles,), in the unit of the period.
        period: the angle that is the same as 0: 360 for directions, 180 for orientations.

    Returns:
        Circular variance, (units,), 0 for a response at one angle alone to 1 for none preferred,
        and the mean angle, (units,), from 0 to below the period; NaN where a unit never responds
        or an angle was never shown.

    Source: Mazurek, Kager & Van Hooser 2014, Front. Neural Circuits 8, eq. 2 and 4; Mardia & Jupp
        2000, Directional Statistics, ch. 2.
    """
    response = np.asarray(response, dtype=float)
    turn = 2 * np.pi / period
    total = response.sum(axis=1)
    resultant = np.divide(
        response @ np.exp(1j * turn * np.asarray(angle)),
        total,
        out=np.full(len(response), np.nan + 0j),
        where=total > 0,
    )
    return 1 - np.abs(resultant), np.mod(np.angle(resultant) / turn, period)


def direction_selectivity(response: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Direction selectivity index of each unit, (preferred − opposite) / (preferred + opposite).

    Args:
        response: mean response by direction, (units, directions), any unit, at least 0.
        direction: direction of drift, (directions,), degrees.

    Returns:
        (units,), 0 for equal responses to the preferred direction and its opposite to 1 for none
        to the opposite; NaN where a unit never responds, or the opposite was never shown.

    Source: de Vries et al. 2020, Nat. Neurosci. 23, as allensdk's drifting-gratings analysis.
    """
    response = np.asarray(response, dtype=float)
    index = np.full(len(response), np.nan)
    best = preferred(response)
    for unit in np.flatnonzero(best >= 0):
        opposite = np.flatnonzero(
            np.isclose(np.mod(direction - direction[best[unit]], 360.0), 180.0)
        )
        if len(opposite) == 0:
            continue
        strong, weak = response[unit, best[unit]], response[unit, opposite[0]]
        if strong + weak > 0:
            index[unit] = (strong - weak) / (strong + weak)
    return index


def preferred(response: np.ndarray) -> np.ndarray:
    """Index of the condition with the largest mean response, (units,); −1 for a unit at rest.

    Args:
        response: mean response by condition, (units, conditions); NaN where never shown.
    """
    shown = np.isfinite(response)
    best = np.where(shown, response, -np.inf).argmax(axis=1)
    silent = ~(shown & (np.asarray(response) != 0)).any(axis=1)
    return np.where(silent, -1, best)

"""From trials to mice: the unit of analysis of everything that is constant in a session."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glassbox.units.groups import group_codes, group_sums, without_group_means


@dataclass(frozen=True)
class MouseTable:
    """Each mouse once.

    Attributes:
        mouse: names, sorted, (mice,).
        line: Cre line of each mouse, (mice,).
        mean: mean activation over the trials of the mouse, (mice, units); where a mouse has
            several sessions, the mean of the sessions' means.
        within: variance of the activation over trials within sessions, (mice, units).
        trials: number of trials, (mice,).
    """

    mouse: tuple[str, ...]
    line: tuple[str, ...]
    mean: np.ndarray
    within: np.ndarray
    trials: np.ndarray


def mouse_table(
    activation: np.ndarray, session: np.ndarray, mouse_of: dict[int, str], line_of: dict[str, str]
) -> MouseTable:
    """Average the trials of each mouse.

    Args:
        activation: (trials, units).
        session: session of each trial, (trials,), whole numbers.
        mouse_of: mouse of each session.
        line_of: Cre line of each mouse.
    """
    values = np.asarray(activation, dtype=float)
    sessions, codes = np.unique(session, return_inverse=True)
    counts = np.bincount(codes)
    means = group_sums(values, codes, len(sessions)) / counts[:, None]
    names = np.array([mouse_of[int(s)] for s in sessions])
    mice, mouse_code = np.unique(names, return_inverse=True)
    per_mouse = np.bincount(mouse_code)
    mean = group_sums(means, mouse_code, len(mice)) / per_mouse[:, None]
    away = without_group_means(values, group_codes(codes)) ** 2
    trials = np.bincount(mouse_code[codes])
    degrees = np.maximum(trials - per_mouse, 1)
    within = group_sums(away, mouse_code[codes], len(mice)) / degrees[:, None]
    return MouseTable(
        tuple(str(m) for m in mice), tuple(line_of[str(m)] for m in mice), mean, within, trials
    )


def keep_mice(table: MouseTable, keep: np.ndarray) -> MouseTable:
    """The mice for which `keep`, (mice,) bool, is true."""
    return take_mice(table, np.flatnonzero(keep))


def take_mice(table: MouseTable, places: np.ndarray) -> MouseTable:
    """The mice at these places, (n,), in that order; one may stand twice."""
    return MouseTable(
        tuple(table.mouse[i] for i in places),
        tuple(table.line[i] for i in places),
        table.mean[places],
        table.within[places],
        table.trials[places],
    )

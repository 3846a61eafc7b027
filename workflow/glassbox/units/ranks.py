"""Statistics of order: rank correlation, and the area under the ROC curve."""

from __future__ import annotations

import numpy as np


def average_ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1 down each column, (n, columns); equal values share the mean of their ranks."""
    values = np.asarray(values)
    n = len(values)
    if n == 0:
        return np.zeros(values.shape)
    place = np.arange(n)[:, None]
    order = np.argsort(values, axis=0, kind="stable")
    ordered = np.take_along_axis(values, order, axis=0)
    differs = ordered[1:] != ordered[:-1]
    edge = np.ones((1, values.shape[1]), dtype=bool)
    first = np.maximum.accumulate(np.where(np.concatenate([edge, differs]), place, 0), axis=0)
    ends = np.where(np.concatenate([differs, edge]), place, n - 1)
    last = np.minimum.accumulate(ends[::-1], axis=0)[::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, (first + last) / 2 + 1, axis=0)
    return ranks


def centred_ranks(values: np.ndarray, session: np.ndarray) -> np.ndarray:
    """Ranks within each session, from −½ to ½ around 0, (trials, columns).

    What differs between sessions, a baseline say, is gone.
    """
    ranks = np.zeros(np.shape(values))
    for one in np.unique(session):
        here = np.flatnonzero(session == one)
        ranks[here] = (average_ranks(values[here]) - (len(here) + 1) / 2) / len(here)
    return ranks


def rank_correlation(activation: np.ndarray, value: np.ndarray, session: np.ndarray) -> np.ndarray:
    """Spearman's correlation within sessions, pooled over them, (units,); 0 without variance.

    Args:
        activation: (trials, units).
        value: of the variable, (trials,).
        session: of each trial, (trials,).
    """
    x = centred_ranks(np.asarray(value, dtype=float)[:, None], session)
    y = centred_ranks(activation, session)
    size = np.sqrt((x**2).sum() * (y**2).sum(axis=0))
    return np.divide(x[:, 0] @ y, size, out=np.zeros(y.shape[1]), where=size > 0)


def preferred_auroc(activation: np.ndarray, label: np.ndarray, session: np.ndarray) -> np.ndarray:
    """How well the activation tells a unit's preferred class from the rest, (units,); 0.5: not.

    The probability that a trial of the preferred class has the larger activation, over pairs of
    trials of a session. The class is chosen on one half of the trials and tested on the other, both
    ways round, so that a unit without preference has 0.5 and not the luckiest class's.

    Args:
        activation: (trials, units).
        label: class of each trial, (trials,).
        session: of each trial, (trials,).

    Returns:
        NaN where no session has trials of the class and of others.

    Source: Hanley & McNeil 1982, Radiology 143; pairs within strata, van Elteren 1960.
    """
    values = np.asarray(activation, dtype=float)
    half = _halves(label, session)
    areas = [
        _area(values[half == test], label[half == test], session[half == test], best)
        for test in (0, 1)
        for best in [_best(values[half != test], label[half != test], session[half != test])]
    ]
    return np.mean(areas, axis=0)


def _halves(label: np.ndarray, session: np.ndarray) -> np.ndarray:
    """Every second trial of a session's class, (trials,) of 0 and 1."""
    order = np.lexsort((label, session))
    new = np.ones(len(order), dtype=bool)
    new[1:] = (np.diff(label[order]) != 0) | (np.diff(session[order]) != 0)
    place = np.arange(len(order))
    half = np.empty(len(order), dtype=int)
    half[order] = (place - np.maximum.accumulate(np.where(new, place, 0))) % 2
    return half


def _best(values: np.ndarray, label: np.ndarray, session: np.ndarray) -> np.ndarray:
    ranks = centred_ranks(values, session)
    classes = np.unique(label)
    means = np.stack([ranks[label == c].mean(axis=0) for c in classes])
    return classes[means.argmax(axis=0)]


def _area(
    values: np.ndarray, label: np.ndarray, session: np.ndarray, best: np.ndarray
) -> np.ndarray:
    won, pairs = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for one in np.unique(session):
        here = session == one
        ranks = average_ranks(values[here])
        is_best = label[here][:, None] == best
        n = is_best.sum(axis=0)
        won += (ranks * is_best).sum(axis=0) - n * (n + 1) / 2
        pairs += n * (len(ranks) - n)
    return np.divide(won, pairs, out=np.full(len(won), np.nan), where=pairs > 0)

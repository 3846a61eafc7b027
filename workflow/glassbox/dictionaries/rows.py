"""Rows of dictionaries.csv and insertion.csv."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from glassbox.dictionaries.activations import DecodedSession
from glassbox.dictionaries.metrics import Reconstruction, loss_recovered
from glassbox.dictionaries.splice import CONDITIONS, METRICS
from glassbox.statistics import bootstrap_weights, weighted_means

DIFFERENCE = "spliced_minus_clean"
POOLED = "pooled"  # in the place of a session: the trials of all sessions together
Scores = Mapping[tuple[str, str, str], np.ndarray]
Row = dict[str, Any]


def mean_loss(scores: Scores, condition: str) -> float:
    """Cross-entropy of a condition, averaged over trials and then over tasks."""
    tasks = sorted({task for _, task, _ in scores})
    return float(
        np.mean([-np.nanmean(scores[condition, task, "log_probability"]) for task in tasks])
    )


def dictionary_row(
    about: Row,
    fold: int | str,
    test: Reconstruction,
    dead_fraction: float,
    scores: Scores,
    epochs: float,
    nearest: float | None = None,
) -> Row:
    """The row of one seed and fold; all but dead units (training trials) is of test trials."""
    losses = {c: mean_loss(scores, c) for c in dict.fromkeys(c for c, _, _ in scores)}
    recovered = {
        ablated: loss_recovered(losses["clean"], losses["spliced"], losses[ablated])
        for ablated in ("zeroed", "averaged")
        if ablated in losses
    }
    return about | {
        "fold": fold,
        "fvu": test.fvu,
        "l0": test.l0,
        "dead_fraction": dead_fraction,
        "loss_recovered": recovered["zeroed"],
        "epochs": epochs,
        "loss_recovered_mean": recovered.get("averaged"),
        "shrinkage": test.shrinkage,
        "coherence": nearest,
        "explained_variance": test.explained_variance,
    }


def session_rows(
    about: Row, sessions: Sequence[DecodedSession], seen: Sequence[Reconstruction]
) -> Iterator[Row]:
    """How one dictionary serves each session that has test trials, on those.

    Args:
        about: the columns that name the dictionary.
        sessions: of the decoder.
        seen: reconstruction of each one's test trials.
    """
    for session, its in zip(sessions, seen, strict=True):
        if its.n == 0:
            continue
        density = its.fired.double().numpy() / its.n
        firing = density[density > 0]
        low, median, high = np.percentile(firing, [10, 50, 90]) if len(firing) else [np.nan] * 3
        yield about | {
            "session": session.data.session,
            "held_out": session.held_out,
            "explained_variance": its.explained_variance,
            "l0": its.l0,
            "firing_fraction": len(firing) / len(density),
            "density_p10": low,
            "density_median": median,
            "density_p90": high,
            "n": its.n,
        }


def together(scores: Sequence[Scores]) -> dict[tuple[str, str, str], np.ndarray]:
    """The scores of several folds as one."""
    return {key: np.concatenate([s[key] for s in scores]) for key in scores[0]}


def with_difference(scores: Scores) -> dict[tuple[str, str, str], np.ndarray]:
    """The conditions of the table, and the difference between spliced and clean trial by trial."""
    wanted = {key: values for key, values in scores.items() if key[0] in CONDITIONS}
    for condition, task, metric in scores:
        if condition == "spliced":
            clean = scores["clean", task, metric]
            wanted[DIFFERENCE, task, metric] = scores[condition, task, metric] - clean
    return wanted


def insertion_rows(
    about: Row,
    scores: Scores,
    session_index: np.ndarray,
    sessions: Sequence[str],
    resamples: int,
    seed: int,
    conditions: Sequence[str] = (*CONDITIONS, DIFFERENCE),
) -> Iterator[Row]:
    """Rows of one seed: each session, and all together where there are several.

    Intervals are bootstrapped over trials; over sessions and trials in them where several sessions
    are pooled. Every condition sees the same resamples.

    Args:
        about: the columns that name the dictionary.
        scores: by (condition, task, metric), (trials,), as `with_difference` makes them.
        session_index: of each trial, (trials,).
        sessions: names.
    """
    groups = [(name, np.flatnonzero(session_index == i), None) for i, name in enumerate(sessions)]
    if len(sessions) > 1:
        groups.append((POOLED, np.arange(len(session_index)), session_index))
    tasks = list(dict.fromkeys(task for _, task, _ in scores))
    for name, places, clusters in groups:
        for task in tasks:
            known = places[np.isfinite(scores["clean", task, "accuracy"][places])]
            if len(known) == 0:
                continue
            keys = [(c, task, m) for c in conditions for m in METRICS]
            values = np.stack([scores[key][known] for key in keys], axis=1)
            weights = bootstrap_weights(
                len(known), seed, resamples, None if clusters is None else clusters[known]
            )
            low, high = np.percentile(weighted_means(weights, values), [2.5, 97.5], axis=0)
            for column, (condition, _, metric) in enumerate(keys):
                yield about | {
                    "session": name,
                    "condition": condition,
                    "task": task,
                    "metric": metric,
                    "value": float(values[:, column].mean()),
                    "ci_low": float(low[column]),
                    "ci_high": float(high[column]),
                    "n": len(known),
                }

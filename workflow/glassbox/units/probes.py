"""Where does a variable become readable, and by how few features? Rows of probes.csv.

At every hook point of a decoder, from its encoder to its queries, probes read each variable from
the activations; at the dictionary's hook also from few of its units, of raw latents, of principal
components, and from the raw cells. A tuned lens maps a hook's activations to the latents that the
answers are read from, by least squares, and lets the decoder's own readout answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.hook_names import depth_of, hooks_of
from glassbox.dictionaries.activations import (
    DecodedSession,
    HookTrials,
    hook_trials,
    open_sessions,
)
from glassbox.dictionaries.dictionary import Dictionary
from glassbox.progress import track
from glassbox.statistics import exact_interval
from glassbox.tables import write_table
from glassbox.tensors.splits import SELECTION, TEST, TRAIN
from glassbox.units.probe_fits import (
    Split,
    dense_logistic,
    leading_components,
    network,
    sparse_logistic,
)
from glassbox.units.truth import frozen_runs

MOST_TRIALS = {TRAIN: 1500, SELECTION: 500, TEST: 1000}  # of a part, of all sessions together
COMPONENTS = 128  # of a hook's activations, all positions together, that a dense probe sees
KS = (1, 2, 4, 8, 16, 32, 64)
LATENTS = "latents"
RIDGE = 1e-3  # of the lens, × mean variance
Row = dict[str, Any]


@dataclass(frozen=True)
class Readable:
    """The trials that are probed, and where their rows come from.

    Attributes:
        decoder, dictionary: frozen.
        sessions: with the chosen trials alone.
        labels: class of each trial by task, (trials,), −1 where it has none.
        part: of each trial, (trials,).
        session: index of the session of each trial, (trials,).
        seed: of networks.
    """

    decoder: FittedDecoder
    dictionary: Dictionary
    sessions: tuple[DecodedSession, ...]
    labels: Mapping[str, np.ndarray]
    part: np.ndarray
    session: np.ndarray
    seed: int

    def split(self, features: np.ndarray, task: str, among: np.ndarray | None = None) -> Split:
        """Features, (trials, features), by part; of the trials `among` them, (trials,) bool."""
        known = self.labels[task] >= 0 if among is None else (self.labels[task] >= 0) & among
        places = [np.flatnonzero(known & (self.part == part)) for part in MOST_TRIALS]
        parts = [np.asarray(features[p], dtype=np.float32) for p in places]
        return Split(*parts, tuple(self.labels[task][p] for p in places))


def probe_layers(
    decoder: str | Path,
    dictionary: str | Path,
    tensors: Sequence[str | Path],
    out: str | Path,
    hook: str,
    level: str,
    seed: int,
) -> None:
    """Write probes.csv of a cohort.

    Args:
        decoder, dictionary: folders of stages 3 and 4.
        tensors: stores of the decoder's sessions.
        out: CSV to make.
        hook: of the dictionary.
        level: of the cohort.
        seed: of the choice of trials, and of networks.
    """
    rows: list[Row] = []
    runs = frozen_runs(dictionary, decoder)
    for run in track(runs, len(runs), "probe_layers", "decoder"):
        who = {"cohort": run.cohort, "level": level, "seed": run.seed, "fold": run.fold}
        readable = choose_trials(run.decoder, run.dictionary, tensors, seed)
        rows += [who | row for row in rows_of(readable, hook)]
    write_table("probes", out, rows)


def choose_trials(
    decoder: FittedDecoder, dictionary: Dictionary, tensors: Sequence[str | Path], seed: int
) -> Readable:
    """Trials of each part, spread over the sessions that the body was trained on."""
    opened = [s for s in open_sessions(decoder, tensors) if not s.held_out]
    rng = np.random.default_rng(seed)
    sessions = []
    for session in opened:
        part = session.data.parts[decoder.fold]
        kept = [
            rng.permutation(np.flatnonzero(part == code))[: max(most // len(opened), 1)]
            for code, most in MOST_TRIALS.items()
        ]
        sessions.append(session.take(np.sort(np.concatenate(kept))))
    counts = [len(s.data.trial) for s in sessions]
    classes = {task for task, values in decoder.tasks.items() if values is not None}
    return Readable(
        decoder,
        dictionary,
        tuple(sessions),
        {t: np.concatenate([s.data.labels[t] for s in sessions]) for t in sorted(classes)},
        np.concatenate([s.data.parts[decoder.fold] for s in sessions]),
        np.repeat(np.arange(len(sessions)), counts),
        seed,
    )


def rows_of(readable: Readable, hook: str) -> Iterator[Row]:
    """Every probe of one decoder; where nothing can be read there is no row."""
    decoder = readable.decoder
    final = hook_trials(decoder, readable.sessions, LATENTS)
    for place in hooks_of(decoder.options.decoder, depth_of(decoder.options)):
        trials = final if place == LATENTS else hook_trials(decoder, readable.sessions, place)
        components = _components(readable, trials)
        for task in readable.labels:
            of = {"hook": place, "task": task, "features": "layer"}
            split = readable.split(components, task)
            right = dense_logistic(split)
            yield of | {"probe": "dense", "k": split.train.shape[1]} | _score(readable, task, right)
            right = network(split, readable.seed)
            yield (
                of
                | {"probe": "nonlinear", "k": split.train.shape[1]}
                | _score(readable, task, right)
            )
        yield from _lens(readable, place, trials, final)
        if place == hook:
            yield from _few(readable, place, trials, components)
    yield from _cells(readable)


def _few(
    readable: Readable, hook: str, trials: HookTrials, components: np.ndarray
) -> Iterator[Row]:
    """Few units, few raw latents, few principal components, and all of each."""
    units = readable.dictionary.encode(trials.latents).mean(1).numpy()
    raw = trials.latents.flatten(1).numpy()
    for name, features in (("units", units), ("latents", raw), ("pca", components)):
        for task in readable.labels:
            of = {"hook": hook, "task": task, "features": name}
            split = readable.split(features, task)
            ks = [k for k in KS if k < features.shape[1]]
            for k, right in sparse_logistic(split, ks):
                yield of | {"probe": "sparse", "k": k} | _score(readable, task, right)
            if name == "units":
                right = dense_logistic(split)
                yield (
                    of | {"probe": "dense", "k": features.shape[1]} | _score(readable, task, right)
                )


def _cells(readable: Readable) -> Iterator[Row]:
    """Mean dF/F of the cells: a probe for each session, for sessions share no cells."""
    means = [s.data.windows.mean(axis=2) for s in readable.sessions]
    for task in readable.labels:
        of = {"hook": "input", "task": task, "features": "cells"}
        right: dict[tuple[str, int], list[np.ndarray]] = {}
        for i, mean in enumerate(means):
            among = readable.session == i
            features = np.zeros((len(among), mean.shape[1]), dtype=np.float32)
            features[among] = mean
            split = readable.split(features, task, among)
            if len(np.unique(split.labels[0])) < 2 or len(split.labels[2]) == 0:
                continue
            width = max(len(m[0]) for m in means)
            right.setdefault(("dense", width), []).append(dense_logistic(split))
            right.setdefault(("nonlinear", width), []).append(network(split, readable.seed))
            ks = [k for k in KS if k < min(len(m[0]) for m in means)]
            for k, found in sparse_logistic(split, ks):
                right.setdefault(("sparse", k), []).append(found)
        for (probe, k), parts in right.items():
            yield of | {"probe": probe, "k": k} | _score(readable, task, np.concatenate(parts))


def _lens(readable: Readable, hook: str, trials: HookTrials, final: HookTrials) -> Iterator[Row]:
    """The decoder's own readout of a hook's activations, as they are and mapped to the latents.

    Source: nostalgebraist 2020, the logit lens; Belrose et al. 2023, the tuned lens (arXiv
        2303.08112), here by least squares instead of by the divergence of the answers.
    """
    value, goal = trials.latents, final.latents
    if value.shape != goal.shape:
        return
    answer = final.readout(readable.decoder)
    lens = translated(readable, value.numpy(), goal.numpy())
    for probe, mapped in (("logit_lens", value), ("tuned_lens", goal.new_tensor(lens))):
        logits = answer(mapped)
        for task, label in readable.labels.items():
            here = (readable.part == TEST) & (label >= 0)
            right = logits[task].argmax(1).numpy()[here] == label[here]
            of = {"hook": hook, "task": task, "features": "layer", "probe": probe}
            yield of | {"k": value.shape[2]} | _score(readable, task, right)


def translated(readable: Readable, value: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """One affine map of all positions from a hook's activations to the latents, training trials.

    Args:
        readable: the trials.
        value, goal: (trials, positions, dim) f4.
    """
    train = readable.part == TRAIN
    x, y = (a[train].reshape(-1, a.shape[2]).astype(np.float64) for a in (value, goal))
    x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
    x, y = x - x_mean, y - y_mean
    square = x.T @ x
    ridge = RIDGE * max(np.diag(square).mean(), 1e-12) * np.eye(len(square))
    weights = np.linalg.solve(square + ridge, x.T @ y)
    return ((value - x_mean) @ weights + y_mean).astype(np.float32)


def _components(readable: Readable, trials: HookTrials) -> np.ndarray:
    """Leading components of the activations, all positions together, (trials, components) f4."""
    flat = trials.latents.flatten(1).numpy()
    mean, directions = leading_components(flat[readable.part == TRAIN], COMPONENTS)
    return ((flat - mean) @ directions).astype(np.float32)


def _score(readable: Readable, task: str, right: np.ndarray) -> Row:
    classes = len(np.unique(readable.labels[task][readable.labels[task] >= 0]))
    low, high = exact_interval(int(right.sum()), len(right)) if len(right) else (None, None)
    return {
        "metric": "accuracy",
        "value": float(right.mean()) if len(right) else None,
        "ci_low": low,
        "ci_high": high,
        "chance": 1 / classes,
        "n": len(right),
    }

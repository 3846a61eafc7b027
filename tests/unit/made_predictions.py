"""Answers of made-up decoders and baselines, for tests of what is computed from them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
from glassbox.decoders.predictions import Prediction, write_predictions
from glassbox.tensors.splits import SELECTION, TEST, TRAIN

CLASSES = np.arange(4) * 90.0
STIMULUS, TASK = "drifting_gratings", "direction"


def answers_of(labels, right, rng):
    """Log probabilities (trials, classes) that are right where `right` is, more or less sure."""
    given = np.where(right, labels, (labels + rng.integers(1, 4, size=len(labels))) % 4)
    logits = rng.normal(0, 0.1, size=(len(labels), 4))
    logits[np.arange(len(labels)), given] += rng.uniform(1, 3, size=len(labels))
    return (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)


def prediction(session="s", model="identity_keyed", seed=0, fold=0, n=60, good=0.8, **changes):
    """Answers to n trials in each part, right with probability `good` in selection and test."""
    labels = np.random.default_rng([*session.encode(), fold]).integers(4, size=3 * n)
    rng = np.random.default_rng([*f"{session} {model} {seed} {fold}".encode()])
    made = Prediction(
        session=session,
        stimulus=STIMULUS,
        model=model,
        task=TASK,
        seed=seed,
        fold=fold,
        classes=CLASSES,
        trial=np.arange(3 * n) + 1000 * fold,
        part=np.repeat([TRAIN, SELECTION, TEST], n).astype(np.int8),
        labels=labels,
        answers=answers_of(labels, rng.random(3 * n) < good, rng),
    )
    return replace(made, **changes)


def value_prediction(session="s", model="identity_keyed", seed=0, noise=0.5, n=80, **changes):
    """Answers to n trials of selection and test each, off by so much noise."""
    labels = np.random.default_rng([*session.encode()]).normal(size=2 * n).astype(np.float32)
    rng = np.random.default_rng([*f"{session} {model} {seed}".encode()])
    made = Prediction(
        session=session,
        stimulus=STIMULUS,
        model=model,
        task="running_speed",
        seed=seed,
        fold=0,
        classes=None,
        trial=np.arange(2 * n),
        part=np.repeat([SELECTION, TEST], n).astype(np.int8),
        labels=labels,
        answers=(labels + noise * rng.normal(size=2 * n)).astype(np.float32),
    )
    return replace(made, **changes)


def write_cohort(folder, predictions, name="all", level="all", mice=None, held_out=()):
    """The folder of decoders that gave these answers; `mice`: mouse of each session."""
    folder.mkdir(parents=True, exist_ok=True)
    sessions = list(dict.fromkeys(p.session for p in predictions))
    mice = mice or {session: f"mouse of {session}" for session in sessions}
    about = {
        "cohort": name,
        "level": level,
        "split": "crossfit",
        "sessions": [
            {
                "session": session,
                "mouse": mice[session],
                "cre_line": "Cux2-CreERT2",
                "held_out": session in held_out,
            }
            for session in sessions
        ],
    }
    (folder / "decoder.json").write_text(json.dumps(about))
    write_predictions(folder / "predictions.npz", predictions)
    return folder

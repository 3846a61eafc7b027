"""Cohorts in memory, small enough to train in a second."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from glassbox.decoders.data import CohortData, TrialSet
from glassbox.decoders.options import DecoderOptions, FrontOptions, WindowsOptions
from glassbox.decoders.train import CohortName, train_cohort
from glassbox.dictionaries.activations import DecodedSession

CLASSES = {"direction": np.arange(4) * 90.0, "temporal_frequency": np.array([1.0, 2.0])}
OPTIONS = DecoderOptions(
    dim=16,
    value_dim=8,
    latents=4,
    heads=2,
    windows=WindowsOptions(drifting_gratings=FrontOptions(0.0, 1.0, 0.5)),
    samples_per_s=8.0,
    epochs=6,
    batch_trials=16,
    unit_epochs=3,
    min_cells=3,
    device="cpu",
    checkpoint_every_s=0.0,
)
STIMULUS = "drifting_gratings"
SAMPLES, PATCHES = 8, 2


def tiny_session(name: str, n_cells: int = 6, n_trials: int = 60, seed: int = 0) -> TrialSet:
    """A session whose cells respond to the direction and weakly to the temporal frequency."""
    rng = np.random.default_rng([seed, *name.encode()])
    labels = {task: rng.integers(len(v), size=n_trials) for task, v in CLASSES.items()}
    windows = rng.normal(size=(n_trials, n_cells, SAMPLES))
    for task, gain in (("direction", 1.5), ("temporal_frequency", 0.7)):
        tuning = rng.normal(size=(len(CLASSES[task]), n_cells)) * gain
        windows += tuning[labels[task]][:, :, None]
    parts = {
        fold: ((np.arange(n_trials) * 5 // n_trials - fold + 2) % 5).clip(max=4) for fold in (0, 1)
    }
    codes = np.array(
        [0, 0, 2, 1, 0], dtype=np.int8
    )  # the block of the fold is test, then selection
    return TrialSet(
        session=name,
        mouse=f"mouse of {name}",
        cre_line="Cux2-CreERT2",
        stimulus=STIMULUS,
        store=f"{name}.zarr",
        content_sha256=name,
        trial=np.arange(n_trials),
        windows=windows.astype(np.float32),
        labels=labels,
        parts={fold: codes[block] for fold, block in parts.items()},
        cell_specimen_id=np.arange(n_cells),
    )


def tiny_cohort(
    body: tuple[str, ...] = ("a",), held_out: tuple[str, ...] = (), **changes: object
) -> CohortData:
    """A cohort of tiny sessions with 6, 7, ... cells."""
    sessions = [
        replace(tiny_session(name, n_cells=6 + i), **changes)
        for i, name in enumerate((*body, *held_out))
    ]
    return CohortData(
        tuple(sessions[: len(body)]), tuple(sessions[len(body) :]), CLASSES, tuple(CLASSES)
    )


def trained_decoders(folder: Path, held_out: tuple[str, ...] = (), **changes: object) -> Path:
    """A folder of decoders trained on sessions a and b."""
    out, cohort = folder / "decoders", tiny_cohort(("a", "b"), held_out)
    train_cohort(CohortName("all", "all"), cohort, replace(OPTIONS, **changes), out, None)
    return out


def decoded_sessions() -> tuple[DecodedSession, ...]:
    """What those decoders were trained on, as stage 4 reads it."""
    made = (tiny_session("a", n_cells=6), tiny_session("b", n_cells=7))
    return tuple(DecodedSession(s, np.zeros(len(s.trial), np.int32), False) for s in made)

"""A small NWB v1 session for tests, whole unless a test breaks it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from glassbox.sessions import layout

DIRECTIONS = (0.0, 90.0, 180.0, 270.0)
TEMPORAL_FREQUENCIES = (1.0, 4.0)
ORIENTATIONS, SPATIAL_FREQUENCIES, PHASES = (0.0, 60.0, 120.0), (0.02, 0.04), (0.0, 0.5)
GRATINGS = f"{layout.PRESENTATION}/drifting_gratings_stimulus"
SCENES = f"{layout.PRESENTATION}/natural_scenes_stimulus"
MOVIE = f"{layout.PRESENTATION}/natural_movie_one_stimulus"


def tiny_nwb(
    path: Path,
    *,
    cells: int = 5,
    trials: int = 40,
    rate_hz: float = 30.0,
    jump_after_trial: int | None = 19,
    stimulus: str = "drifting_gratings",
    metadata: dict[str, str] | None = None,
    change: Callable[[h5py.File], None] | None = None,
    chunks: tuple[int, int] | None = None,
    seed: int = 0,
) -> Path:
    """Write a session of trials of 2 s every 3 s, every tenth of them blank.

    Args:
        jump_after_trial: the clock jumps 60 s between this trial and the next.
        metadata: HDF5 path and text, instead of the usual; an empty text leaves the path out.
        change: called with the open file at the end, to break it.
    """
    rng = np.random.default_rng(seed)
    start = 5 + (np.arange(trials) * 3 * rate_hz).astype(np.int64)
    stop = start + int(2 * rate_hz)
    frames = int(stop[-1] + 1.5 * rate_hz)
    times = 10.0 + np.arange(frames) / rate_hz
    if jump_after_trial is not None and jump_after_trial + 1 < trials:
        times[start[jump_after_trial + 1] - 3 :] += 60.0
    blank = np.arange(trials) % 10 == 9
    table, features = _table(stimulus, trials, blank)
    texts = {
        layout.SESSION_ID: "900001",
        layout.SESSION_TYPE: "three_session_A",
        layout.SPECIMEN_NAME: "Cux2-CreERT2;Camk2a-tTA;Ai93-244896",
        layout.GENOTYPE: "Cux2-CreERT2/wt;Camk2a-tTA/wt;Ai93(TITL-GCaMP6f)/wt",
        layout.SUBJECT_ID: "244896",
        layout.AREA: "VISp",
        layout.DEPTH: "275 microns",
        layout.SEX: "female",
        layout.AGE: "110 days",
        **(metadata or {}),
    }
    with h5py.File(path, "w") as file:
        dff = rng.standard_normal((cells, frames)).astype(np.float32)
        file.create_dataset(layout.DFF, data=dff, chunks=chunks, compression=chunks and "gzip")
        file[layout.DFF_TIMES] = times
        file[layout.CELL_SPECIMEN_IDS] = 1000 + np.arange(cells)
        group = f"{layout.PRESENTATION}/{stimulus}_stimulus"
        file[f"{group}/data"] = table
        file[f"{group}/features"] = np.array(features, dtype="S")
        file[f"{group}/frame_duration"] = np.stack([start, stop], axis=1)
        for place, text in texts.items():
            if text:
                file[place] = np.bytes_(text)
        if change is not None:
            change(file)
    return path


def add_scenes(file: h5py.File, rows: int = 60, first: int = 8) -> None:
    """Scenes of 7 frames every 7 or 8, four of them in turn, every tenth row blank."""
    start = first + (np.arange(rows) * 7.525).astype(np.int64)
    file[f"{SCENES}/data"] = np.where(np.arange(rows) % 10 == 9, -1, np.arange(rows) % 4)
    file[f"{SCENES}/frame_duration"] = np.stack([start, start + 7], axis=1)


def add_movie(file: h5py.File, clip: int = 60, repeats: int = 5, first: int = 8) -> None:
    """A movie of 30 frames a second in a recording of 29: now and then two share a frame."""
    edges = first + (np.arange(clip * repeats + 1) * 29 / 30).astype(np.int64)
    file[f"{MOVIE}/data"] = np.tile(np.arange(clip), repeats)
    file[f"{MOVIE}/frame_duration"] = np.stack([edges[:-1], edges[1:]], axis=1)


def replace(file: h5py.File, path: str, data: object) -> None:
    """Put other data in the place of a dataset."""
    del file[path]
    file[path] = data


def _table(stimulus: str, trials: int, blank: np.ndarray) -> tuple[np.ndarray, list[str]]:
    i = np.arange(trials)
    if stimulus == "static_gratings":
        columns = [
            np.take(SPATIAL_FREQUENCIES, i % 2),
            np.take(PHASES, i // 2 % 2),
            np.take(ORIENTATIONS, i % 3),
        ]
        table = np.stack(columns, axis=1)
        table[blank] = np.nan
        return table, ["spatial_frequency", "phase", "orientation"]
    columns = [np.take(TEMPORAL_FREQUENCIES, i // 4 % 2), np.take(DIRECTIONS, i % 4)]
    table = np.stack([*columns, np.zeros(trials)], axis=1)
    table[blank] = [np.nan, np.nan, 1.0]
    return table, ["temporal_frequency", "orientation", "blank_sweep"]

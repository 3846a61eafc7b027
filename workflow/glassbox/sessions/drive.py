"""What stimuli add to the event rates of cells, from frame to frame."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from glassbox.sessions.image_tuning import (
    image_drive,
    movie_features,
    scene_features,
    static_tuning,
)
from glassbox.sessions.layout import DRIFTING_GRATINGS, NATURAL_SCENES, SPONTANEOUS, STATIC_GRATINGS
from glassbox.sessions.population import Cells
from glassbox.sessions.stimulus_schedule import (
    CLIP_FRAMES,
    FRAME_RATE_HZ,
    SWEEP_FRAMES,
    TEMPORAL_FREQUENCIES_HZ,
    Shown,
)

LATENCY_FRAMES = 2  # from onset to the first visual events, about 65 ms
SUSTAINED = 0.6  # of the onset response that stays
ADAPTATION_S = 0.4

Drive = Callable[[int], np.ndarray]  # of a cell: events/s that a stimulus adds, (frames,)


def planted_drive(cells: Cells, stimulus: str, scenes: int, seed: int) -> dict[str, np.ndarray]:
    """What each cell was planted to answer to a stimulus other than drifting gratings, by name.

    The last array is the drive, events/s: (cells, 6, 5, 4) by orientation, spatial frequency and
    phase of static gratings, (cells, scenes), (cells, frames) of a movie.
    """
    if stimulus == STATIC_GRATINGS:
        return static_tuning(cells, seed)
    if stimulus == NATURAL_SCENES:
        return {"scene_drive": image_drive(cells, scene_features(scenes, seed), seed)}
    if stimulus in CLIP_FRAMES:
        return {f"{stimulus}_drive": image_drive(cells, movie_features(stimulus, seed), seed)}
    return {}


def draw_drive(
    cells: Cells, shown: Shown, frames: int, seed: int, rng: np.random.Generator
) -> Drive:
    """The drive of one stimulus in a recording of that many frames.

    Args:
        rng: of the gains, which vary from trial to trial and from repeat to repeat of a movie.
    """
    stimulus = shown.stimulus
    if stimulus == SPONTANEOUS:
        return lambda c: np.zeros(frames)
    if stimulus == DRIFTING_GRATINGS:
        return _drifting(cells, shown, frames, rng)
    scenes = len(shown.values.get("scene", ()))
    *_, drive = planted_drive(cells, stimulus, scenes, seed).values()
    if stimulus in CLIP_FRAMES:
        return _moving(cells, shown, drive, frames, rng)
    return _flashed(cells, shown, drive, frames, rng)


def _drifting(cells: Cells, shown: Shown, frames: int, rng: np.random.Generator) -> Drive:
    gains = _gains(cells, len(shown.start), rng)
    seen = np.flatnonzero(~shown.blank)
    direction, tf = shown.index["direction"][seen], shown.index["temporal_frequency"][seen]
    at = shown.start[seen, None] + LATENCY_FRAMES + np.arange(SWEEP_FRAMES)[None]
    onset = _onset(SWEEP_FRAMES)
    t = np.arange(SWEEP_FRAMES) / FRAME_RATE_HZ
    cycle = 2 * np.pi * np.array(TEMPORAL_FREQUENCIES_HZ)[:, None] * t[None]

    def rate(c: int) -> np.ndarray:
        phase = cells.phase[c][:, None, None]
        shape = onset * (1 + cells.phase_depth[c] * np.cos(cycle[None] + phase))
        drive = cells.peak_rate[c] * np.outer(cells.direction_tuning[c], cells.tf_tuning[c])
        strength = gains[c][seen] * drive[direction, tf]
        added = np.zeros(frames)
        added[at] = strength[:, None] * shape[direction, tf]
        return added

    return rate


def _flashed(
    cells: Cells, shown: Shown, drive: np.ndarray, frames: int, rng: np.random.Generator
) -> Drive:
    """Images of some frames each; `drive` is (cells, *conditions)."""
    gains = _gains(cells, len(shown.start), rng)
    seen = np.flatnonzero(~shown.blank)
    condition = tuple(index[seen] for index in shown.index.values())
    length = int((shown.stop - shown.start).max())
    at = shown.start[seen, None] + LATENCY_FRAMES + np.arange(length)[None]
    onset = _onset(length)

    def rate(c: int) -> np.ndarray:
        added = np.zeros(frames)
        added[at] = (gains[c][seen] * drive[c][condition])[:, None] * onset
        return added

    return rate


def _moving(
    cells: Cells, shown: Shown, drive: np.ndarray, frames: int, rng: np.random.Generator
) -> Drive:
    """A movie: each of its frames drives until the next; `drive` is (cells, frames of the clip)."""
    image = shown.index["frame"]
    repeat = np.cumsum(image == 0) - 1
    gains = _gains(cells, repeat[-1] + 1, rng)
    held = shown.stop - shown.start
    at = LATENCY_FRAMES + np.concatenate([np.arange(a, b) for a, b in _runs(shown)])

    def rate(c: int) -> np.ndarray:
        added = np.zeros(frames)
        added[at] = np.repeat(gains[c][repeat] * drive[c][image], held)
        return added

    return rate


def _runs(shown: Shown) -> list[tuple[int, int]]:
    """First frame and the one after the last of each block."""
    first = np.flatnonzero(np.diff(shown.block, prepend=-1))
    last = np.append(first[1:], len(shown.block)) - 1
    return list(zip(shown.start[first], shown.stop[last], strict=True))


def _gains(cells: Cells, n: int, rng: np.random.Generator) -> np.ndarray:
    """(cells, n), mean 1: how strongly a cell answers from time to time."""
    gains = rng.standard_gamma(cells.reliability[:, None], (cells.n, n))
    return gains / cells.reliability[:, None]


def _onset(length: int) -> np.ndarray:
    """(length,) from 1 at the onset to the sustained response."""
    return SUSTAINED + (1 - SUSTAINED) * np.exp(-np.arange(length) / FRAME_RATE_HZ / ADAPTATION_S)

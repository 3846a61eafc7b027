"""The stimuli that the simulator shows: their conditions, their pace, and a random order of them.

Drifting gratings are those of session A of Visual Coding: 628 sweeps of 8 directions × 5 temporal
frequencies × 15 and 28 blanks, each 60 frames (2 s) on and 30 or 31 frames (1 s) of grey. Static
gratings and natural scenes are those of session B: a new one every 0.25 s without a pause, 6,000
of 6 orientations × 5 spatial frequencies × 4 phases and 5,950 of 118 scenes, blanks among both.
Natural movies are clips of 30 and 120 s, ten times over.

Source: de Vries et al. 2020, Nat. Neurosci. 23, 138; frame counts as in Allen's own files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from glassbox.sessions import layout
from glassbox.sessions.options import SimulateOptions

DIRECTIONS_DEG = (0.0, 45.0, 90.0, 135.0, 180.0, 225.0, 270.0, 315.0)
TEMPORAL_FREQUENCIES_HZ = (1.0, 2.0, 4.0, 8.0, 15.0)
ORIENTATIONS_DEG = (0.0, 30.0, 60.0, 90.0, 120.0, 150.0)
SPATIAL_FREQUENCIES = (0.02, 0.04, 0.08, 0.16, 0.32)  # cycles/degree
PHASES = (0.0, 0.25, 0.5, 0.75)  # cycles
CONDITIONS = len(DIRECTIONS_DEG) * len(TEMPORAL_FREQUENCIES_HZ)

FRAME_RATE_HZ = 30.1
MOVIE_RATE_HZ = 30.0
CLIP_FRAMES = {"natural_movie_one": 900, "natural_movie_three": 3600}
SWEEP_FRAMES = 60
FLASH_FRAMES = 7
BLANK_FRACTION = {layout.DRIFTING_GRATINGS: 28 / 628, layout.STATIC_GRATINGS: 194 / 6000}


@dataclass(frozen=True)
class Pace:
    """How fast the rows of a stimulus follow each other, in frames of the recording."""

    period: float  # mean distance of onsets
    on: int | None  # how long a row is shown; None: until the next


@dataclass(frozen=True)
class Shown:
    """The rows of one stimulus in a recording.

    Attributes:
        stimulus: such as 'drifting_gratings'.
        start, stop: first frame and the frame after the last, (rows,), i8.
        block: which of the stimulus's blocks a row belongs to, (rows,), from 0.
        index: for each condition which of its values is shown, (rows,), -1 for a blank.
        values: for each condition its values, in the unit of the tables.
    """

    stimulus: str
    start: np.ndarray
    stop: np.ndarray
    block: np.ndarray
    index: Mapping[str, np.ndarray]
    values: Mapping[str, tuple[float, ...]]

    @property
    def blank(self) -> np.ndarray:
        """(rows,) bool."""
        if not self.index:
            return np.zeros(len(self.start), dtype=bool)
        return next(iter(self.index.values())) < 0

    @property
    def conditions(self) -> dict[str, np.ndarray]:
        """Value of each condition, (rows,) f8; NaN for a blank."""
        return {
            name: np.where(index < 0, np.nan, np.array(self.values[name])[index])
            for name, index in self.index.items()
        }


def values_of(stimulus: str, options: SimulateOptions) -> dict[str, tuple[float, ...]]:
    """The values of each condition of a stimulus; a trial shows one of every combination."""
    if stimulus in CLIP_FRAMES:
        return {"frame": tuple(range(CLIP_FRAMES[stimulus]))}
    return {
        layout.DRIFTING_GRATINGS: {
            "direction": DIRECTIONS_DEG,
            "temporal_frequency": TEMPORAL_FREQUENCIES_HZ,
        },
        layout.STATIC_GRATINGS: {
            "orientation": ORIENTATIONS_DEG,
            "spatial_frequency": SPATIAL_FREQUENCIES,
            "phase": PHASES,
        },
        layout.NATURAL_SCENES: {"scene": tuple(range(options.scenes))},
        layout.SPONTANEOUS: {},
    }[stimulus]


def rows_of(stimulus: str, options: SimulateOptions) -> int:
    """How many rows of a stimulus a session shows."""
    if stimulus in CLIP_FRAMES:
        return CLIP_FRAMES[stimulus] * options.movie_repeats
    return {
        layout.DRIFTING_GRATINGS: options.trials,
        layout.STATIC_GRATINGS: options.static_presentations,
        layout.NATURAL_SCENES: options.scene_presentations,
        layout.SPONTANEOUS: 1,
    }[stimulus]


def pace_of(stimulus: str, options: SimulateOptions) -> Pace:
    """The pace of a stimulus."""
    if stimulus in CLIP_FRAMES:
        return Pace(FRAME_RATE_HZ / MOVIE_RATE_HZ, None)
    return {
        # Pauses are 30 or 31 frames.
        layout.DRIFTING_GRATINGS: Pace(90.5, SWEEP_FRAMES),
        layout.STATIC_GRATINGS: Pace(FRAME_RATE_HZ / 4, FLASH_FRAMES),
        layout.NATURAL_SCENES: Pace(FRAME_RATE_HZ / 4, FLASH_FRAMES),
        layout.SPONTANEOUS: Pace(round(options.spontaneous_s * FRAME_RATE_HZ), None),
    }[stimulus]


def blanks_of(stimulus: str, rows: int, options: SimulateOptions) -> int:
    """How many of the rows are blank."""
    share = {**BLANK_FRACTION, layout.NATURAL_SCENES: 1 / (options.scenes + 1)}.get(stimulus, 0.0)
    return round(rows * share)


def draw_order(conditions: int, rows: int, blanks: int, rng: np.random.Generator) -> np.ndarray:
    """Which condition each row shows, (rows,), -1 for a blank.

    Every condition equally often (to within one) in random order.
    """
    repeats, rest = divmod(rows - blanks, conditions)
    extra = rng.choice(conditions, rest, replace=False)
    order = [np.repeat(np.arange(conditions), repeats), extra, np.full(blanks, -1)]
    return rng.permutation(np.concatenate(order))


def draw_index(
    stimulus: str, rows: int, options: SimulateOptions, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """For each condition of the stimulus which of its values each row shows; -1 for a blank.

    A movie runs in its own order; spontaneous activity has no condition.
    """
    values = values_of(stimulus, options)
    if stimulus in CLIP_FRAMES:
        return {"frame": np.arange(rows) % CLIP_FRAMES[stimulus]}
    if not values:
        return {}
    sizes = tuple(len(v) for v in values.values())
    blanks = blanks_of(stimulus, rows, options)
    order = draw_order(int(np.prod(sizes)), rows, blanks, rng)
    index = np.unravel_index(np.maximum(order, 0), sizes)
    return {name: np.where(order < 0, -1, part) for name, part in zip(values, index, strict=True)}

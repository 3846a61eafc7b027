"""The schedule of drifting gratings of session A of Visual Coding.

628 sweeps of 8 directions × 5 temporal frequencies × 15 and 28 blanks in random order, each 60
frames (2 s) on and 30 to 32 frames (1 s) of grey, shown in three blocks. The recording jumps in
time between the blocks, where the real session shows other stimuli.

Source: de Vries et al. 2020, Nat. Neurosci. 23, 138; frame counts as in Allen's own files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

DIRECTIONS_DEG = (0.0, 45.0, 90.0, 135.0, 180.0, 225.0, 270.0, 315.0)
TEMPORAL_FREQUENCIES_HZ = (1.0, 2.0, 4.0, 8.0, 15.0)
CONDITIONS = len(DIRECTIONS_DEG) * len(TEMPORAL_FREQUENCIES_HZ)

FRAME_RATE_HZ = 30.1
FIRST_TIME_S = 10.0
JUMP_S = 60.0  # between the last frame of a block and the first of the next
BLOCKS = 3
SWEEP_FRAMES = 60
PERIOD_FRAMES = 90.5  # mean distance of onsets, so that pauses are 30 or 31 frames
GREY_FRAMES = 150  # before and after each block
BLANK_FRACTION = 28 / 628


@dataclass(frozen=True)
class Schedule:
    """When each sweep was shown, and what it was."""

    start: np.ndarray  # (trials,) i8, first frame
    stop: np.ndarray  # (trials,) i8, first frame after
    direction: np.ndarray  # (trials,) index into DIRECTIONS_DEG, -1 for a blank
    temporal_frequency: np.ndarray  # (trials,) index into TEMPORAL_FREQUENCIES_HZ, -1 for a blank
    block: np.ndarray  # (trials,) 0, 1, 2
    times: np.ndarray  # (frames,) f8, seconds

    @property
    def blank(self) -> np.ndarray:
        return self.direction < 0

    @property
    def direction_deg(self) -> np.ndarray:
        """(trials,) f8, degrees; NaN for a blank."""
        return np.where(self.blank, np.nan, np.array(DIRECTIONS_DEG)[self.direction])

    @property
    def temporal_frequency_hz(self) -> np.ndarray:
        """(trials,) f8, Hz; NaN for a blank."""
        values = np.array(TEMPORAL_FREQUENCIES_HZ)[self.temporal_frequency]
        return np.where(self.blank, np.nan, values)


def schedule_frames(trials: int) -> int:
    """Frames of the recording of a schedule of that many sweeps."""
    return sum(_block_frames(n) for n in _block_trials(trials))


def draw_schedule(trials: int, rng: np.random.Generator) -> Schedule:
    """A schedule with every condition equally often (to within one) in random order."""
    blanks = round(trials * BLANK_FRACTION)
    shown = trials - blanks
    repeats, rest = divmod(shown, CONDITIONS)
    extra = rng.choice(CONDITIONS, rest, replace=False)
    conditions = np.concatenate(
        [np.repeat(np.arange(CONDITIONS), repeats), extra, np.full(blanks, -1)]
    )
    conditions = rng.permutation(conditions)
    direction, tf = np.divmod(conditions, len(TEMPORAL_FREQUENCIES_HZ))
    blank = conditions < 0
    start, block, times = _timing(trials)
    return Schedule(
        start=start,
        stop=start + SWEEP_FRAMES,
        direction=np.where(blank, -1, direction),
        temporal_frequency=np.where(blank, -1, tf),
        block=block,
        times=times,
    )


def _block_trials(trials: int) -> list[int]:
    return [len(part) for part in np.array_split(np.arange(trials), BLOCKS)]


def _block_frames(trials: int) -> int:
    return int(trials * PERIOD_FRAMES) + 2 * GREY_FRAMES


def _timing(trials: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    start, block, times = [], [], []
    first_frame, first_time = 0, FIRST_TIME_S
    for b, n in enumerate(_block_trials(trials)):
        frames = _block_frames(n)
        onsets = first_frame + GREY_FRAMES + np.floor(np.arange(n) * PERIOD_FRAMES).astype(np.int64)
        start.append(onsets)
        block.append(np.full(n, b))
        times.append(first_time + np.arange(frames) / FRAME_RATE_HZ)
        first_frame += frames
        first_time = times[-1][-1] + JUMP_S
    return np.concatenate(start), np.concatenate(block), np.concatenate(times)

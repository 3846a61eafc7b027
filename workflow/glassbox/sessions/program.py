"""The course of a simulated session: which stimulus is shown when, and the clock of the recording.

A session type shows its stimuli in several blocks, grey before and after each. A simulation may
leave stimuli out; where they would stand the recording stops, and its clock jumps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from glassbox.sessions.course import COURSE
from glassbox.sessions.options import SimulateOptions
from glassbox.sessions.stimulus_schedule import (
    CLIP_FRAMES,
    FRAME_RATE_HZ,
    Shown,
    draw_index,
    pace_of,
    rows_of,
    values_of,
)

FIRST_TIME_S = 10.0
JUMP_S = 60.0  # from the last frame before a stimulus that is left out to the first one after it
GREY_FRAMES = 150  # before and after each block


@dataclass(frozen=True)
class Program:
    """What a recording showed.

    Attributes:
        times: of each frame, (frames,), f8, seconds.
        shown: the rows of each stimulus, by stimulus, in the order of the course.
    """

    times: np.ndarray
    shown: Mapping[str, Shown]


@dataclass(frozen=True)
class _Block:
    stimulus: str
    number: int  # of the stimulus's blocks
    rows: int
    frames: int
    joins: bool  # follows the block before it without a jump


def stimuli_of(session_type: str, options: SimulateOptions) -> tuple[str, ...]:
    """The stimuli that a session shows, in the order of their first blocks."""
    return tuple(s for s in dict.fromkeys(COURSE[session_type]) if s in options.stimuli)


@cache
def program_frames(session_type: str, options: SimulateOptions) -> int:
    """Frames of the recording of a session."""
    return sum(block.frames for block in _blocks(session_type, options))


def draw_program(
    session_type: str, options: SimulateOptions, stream: Callable[[str], np.random.Generator]
) -> Program:
    """The course of a session with each stimulus's conditions in random order.

    Args:
        stream: gives the random numbers for a stimulus.
    """
    blocks = _blocks(session_type, options)
    last = np.cumsum([block.frames for block in blocks])
    shown = {}
    for stimulus in stimuli_of(session_type, options):
        pace = pace_of(stimulus, options)
        own = [
            (block, end)
            for block, end in zip(blocks, last, strict=True)
            if block.stimulus == stimulus
        ]
        edges = [
            end - block.frames + GREY_FRAMES + _edges(block.rows, pace.period) for block, end in own
        ]
        start = np.concatenate([e[:-1] for e in edges])
        stop = np.concatenate([e[1:] for e in edges]) if pace.on is None else start + pace.on
        rows = [block.rows for block, _ in own]
        shown[stimulus] = Shown(
            stimulus=stimulus,
            start=start,
            stop=stop,
            block=np.repeat([block.number for block, _ in own], rows),
            index=draw_index(stimulus, sum(rows), options, stream(stimulus)),
            values=values_of(stimulus, options),
        )
    return Program(_times(blocks), shown)


def _blocks(session_type: str, options: SimulateOptions) -> list[_Block]:
    course = COURSE[session_type]
    blocks, omitted = [], False
    for place, stimulus in enumerate(course):
        number = course[:place].count(stimulus)
        rows = _rows_of_block(stimulus, number, course.count(stimulus), options)
        if stimulus not in options.stimuli or rows == 0:
            omitted = True
            continue
        frames = int(rows * pace_of(stimulus, options).period) + 2 * GREY_FRAMES
        blocks.append(_Block(stimulus, number, rows, frames, joins=not omitted))
        omitted = False
    return blocks


def _rows_of_block(stimulus: str, number: int, blocks: int, options: SimulateOptions) -> int:
    """Rows in one of the blocks of a stimulus; a movie is shown whole or not at all."""
    whole = CLIP_FRAMES.get(stimulus, 1)
    parts = np.array_split(np.arange(rows_of(stimulus, options) // whole), blocks)
    return whole * len(parts[number])


def _edges(rows: int, period: float) -> np.ndarray:
    """Onset of each row and the end of the last, (rows + 1,), frames."""
    return np.floor(np.arange(rows + 1) * period).astype(np.int64)


def _times(blocks: list[_Block]) -> np.ndarray:
    """Time of each frame: a steady clock, but for the jumps."""
    times: list[np.ndarray] = []
    first = FIRST_TIME_S
    for block in blocks:
        if times:
            first = times[-1][-1] + (1 / FRAME_RATE_HZ if block.joins else JUMP_S)
        times.append(first + np.arange(block.frames) / FRAME_RATE_HZ)
    return np.concatenate(times)

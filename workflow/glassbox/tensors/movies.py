"""Trials of a natural movie: segments of the clip, each shown again with every repeat."""

from __future__ import annotations

import numpy as np

from glassbox.sessions.nwb import StimulusTable
from glassbox.sessions.stimuli import CONDITIONS, IMAGE


def segments(table: StimulusTable, frames: int) -> StimulusTable:
    """The table of a movie with its rows, one frame each, joined to trials.

    A segment is `frames` consecutive frames of the clip, counted from the clip's first; its number
    in the clip is the condition. Frames at the end of a repeat that fill no segment are left out:
    the end of a clip that is no multiple of `frames` long, or of a repeat that was cut short.

    Args:
        table: of a natural movie, a row for each frame shown.
        frames: of the clip in one segment, at least 1.
    """
    image = table.conditions[IMAGE].astype(np.int64)
    repeat = np.cumsum(image == 0)
    first = np.flatnonzero(image % frames == 0)
    last = first + frames - 1
    inside = last < len(image)
    first, last = first[inside], last[inside]
    whole = repeat[first] == repeat[last]
    first, last = first[whole], last[whole]
    (condition,) = CONDITIONS[table.stimulus]
    return StimulusTable(
        stimulus=table.stimulus,
        start=table.start[first],
        stop=np.maximum(table.stop[last], table.start[first] + 1),
        conditions={condition.name: (image[first] // frames).astype(np.float32)},
        blank=np.zeros(len(first), dtype=bool),
    )

"""Which trials train, which choose, which test: two schemes, stored with the tensor.

Parts are contiguous in time, because neighbouring trials share slow changes of brain and
recording that a decoder could read instead of the stimulus. At each border between two parts
`guard` trials are left out, of training or selection, never of test: every trial that is not
blank is tested exactly once over the five folds of `crossfit`.
"""

from __future__ import annotations

import numpy as np

TRAIN, SELECTION, TEST, NO_PART = 0, 1, 2, -1
PART_NAMES = {TRAIN: "train", SELECTION: "selection", TEST: "test"}
FOLDS = 5
# Shares of the published split (Azabou et al., ICLR 2025), in order of time.
POYO_SHARES = ((TRAIN, 0.57), (SELECTION, 0.10), (TEST, 0.33))


def crossfit(blank: np.ndarray, guard: int) -> np.ndarray:
    """Part of each trial in each fold, (folds, trials), i1.

    Five contiguous blocks; in fold f block f is test, the next one (after the last the first)
    selection, the other three training.

    Args:
        blank: trials without a stimulus, (trials,) bool, in order of time; they have no part.
        guard: trials left out at each border between parts.
    """
    block = np.arange(len(blank)) * FOLDS // max(len(blank), 1)
    parts = np.full((FOLDS, len(blank)), TRAIN, dtype=np.int8)
    for fold in range(FOLDS):
        parts[fold, block == fold] = TEST
        parts[fold, block == (fold + 1) % FOLDS] = SELECTION
    return np.stack([_guarded(part, blank, guard) for part in parts])


def poyo(blank: np.ndarray, guard: int) -> np.ndarray:
    """Part of each trial in the published split of 57%, 10% and 33%, (trials,), i1."""
    borders = np.round(np.cumsum([share for _, share in POYO_SHARES]) * len(blank)).astype(int)
    borders[-1] = len(blank)
    lengths = np.diff(borders, prepend=0)
    part = np.repeat([code for code, _ in POYO_SHARES], lengths).astype(np.int8)
    return _guarded(part, blank, guard)


def presentation_blocks(start: np.ndarray, after_jump: np.ndarray) -> np.ndarray:
    """Number of the contiguous presentation that each trial belongs to, (trials,), i4, from 0.

    A presentation ends where the clock jumps, or where the next onset is more than two median
    intervals away: at least one whole trial is missing in between.

    Args:
        start: first frame of each trial, (trials,), increasing.
        after_jump: first frame after each jump of the clock, (jumps,), increasing.
    """
    if len(start) == 0:
        return np.zeros(0, dtype=np.int32)
    interval = np.diff(start)
    pause = interval > 2 * np.median(interval) if len(interval) else np.zeros(0, dtype=bool)
    jump = np.diff(np.searchsorted(after_jump, start, side="right")) > 0
    return np.concatenate([[0], np.cumsum(pause | jump)]).astype(np.int32)


def _guarded(part: np.ndarray, blank: np.ndarray, guard: int) -> np.ndarray:
    """Leave out the trials beside a border, and the blank ones.

    At a border with test the other part loses them; between training and selection, training
    does, for selection is the smaller.
    """
    guarded = part.copy()
    for border in np.flatnonzero(np.diff(part)) + 1:
        before, after = part[border - 1], part[border]
        # Part codes grow in the order train < selection < test: the smaller code gives way.
        if before < after:
            guarded[max(border - guard, 0) : border][
                part[max(border - guard, 0) : border] == before
            ] = NO_PART
        else:
            guarded[border : border + guard][part[border : border + guard] == after] = NO_PART
    guarded[blank] = NO_PART
    return guarded

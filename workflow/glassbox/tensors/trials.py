"""The trials of a stimulus in a session, with the splits they belong to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glassbox.errors import UserError


@dataclass(frozen=True)
class Trials:
    """The trials of one stimulus, in order of time, none left out.

    Attributes:
        stimulus: such as 'drifting_gratings'.
        start, stop: first frame and the frame after the last, (trials,), i8.
        onset: time of the first frame, (trials,), f8, seconds.
        conditions: (trials,) f4 for each condition of the stimulus, NaN on blank trials.
        blank: nothing but grey was shown, (trials,) bool.
        block: contiguous presentation that the trial belongs to, (trials,), i4.
        crossfit: part of each trial by fold, (folds, trials), i1: 0 training, 1 selection,
            2 test, -1 none.
        poyo: the same for the published split, (trials,), i1.
    """

    stimulus: str
    start: np.ndarray
    stop: np.ndarray
    onset: np.ndarray
    conditions: dict[str, np.ndarray]
    blank: np.ndarray
    block: np.ndarray
    crossfit: np.ndarray
    poyo: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def part(self, split: str, fold: int = 0) -> np.ndarray:
        """Part code of each trial in a fold of a split, (trials,), i1.

        The split `poyo` has one fold, 0.
        """
        folds = {"crossfit": self.crossfit, "poyo": self.poyo[None]}.get(split)
        if folds is None:
            raise UserError(f"split: expected crossfit or poyo; found {split!r}.")
        if not 0 <= fold < len(folds):
            raise UserError(f"fold: the split {split} has {len(folds)} folds; found {fold}.")
        return folds[fold]

"""The folds of mice of one seed: every mouse is held out in one of them, and read there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glassbox.interventions.mice import HeldOutFold


class Folds:
    """All folds of mice of one seed, and who is read where.

    Attributes:
        folds: one for each fold of mice and fold of trials.
        fold_of: for each of `folds`, the index of its fold of mice.
        mice, lines: names of all held-out mice, and the index of the line of each.
        line_names: sorted.
    """

    def __init__(self, folds: Sequence[HeldOutFold], fold_of: Sequence[int], sessions: list[dict]):
        self.folds, self.fold_of = list(folds), list(fold_of)
        line_of_mouse = {s["mouse"]: s["cre_line"] for s in sessions}
        self.line_names = tuple(sorted(set(line_of_mouse.values())))
        self.mice: list[str] = []
        self.mouse_fold: list[int] = []
        for fold, of in zip(self.folds, self.fold_of, strict=True):
            for mouse in fold.held_out_mice:
                if mouse not in self.mice:
                    self.mice.append(mouse)
                    self.mouse_fold.append(of)
        self.code = {m: self.line_names.index(line) for m, line in line_of_mouse.items()}
        self.lines = np.array([self.code[m] for m in self.mice])

    @property
    def n_lines(self) -> int:
        return len(self.line_names)

    def places(self, fold: HeldOutFold) -> np.ndarray:
        """Places in `mice` of the mice that a fold holds out."""
        return np.array([self.mice.index(m) for m in fold.held_out_mice])

    def training_lines(self, fold: HeldOutFold, lines: np.ndarray | None = None) -> np.ndarray:
        """Lines of a fold's training mice, true or by a labeling of all mice."""
        if lines is None:
            return np.array([self.code[m] for m in fold.training_mice])
        return np.array([lines[self.mice.index(m)] for m in fold.training_mice])

    def gathered(self, scores: Sequence[np.ndarray]) -> np.ndarray:
        """Scores of all mice, (..., mice, lines): the mean over the folds in which each is read.

        Args:
            scores: of each fold, (..., held-out mice, lines).
        """
        total = np.zeros((*scores[0].shape[:-2], len(self.mice), self.n_lines))
        times = np.zeros((len(self.mice), 1))
        for fold, of_fold in zip(self.folds, scores, strict=True):
            places = self.places(fold)
            total[..., places, :] += of_fold
            times[places] += 1
        return total / times

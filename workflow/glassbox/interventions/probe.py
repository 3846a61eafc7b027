"""A linear probe that reads a label of mice, trained on some mice and read on others.

Ridge regression in closed form: trials are rows, every training mouse has the same total weight,
every label is a column of +1 (the mouse has it) and −1. Because a mouse's label is the same in
all of its trials, a mouse's mean score is linear in the labels of the training mice,

    score = H · labels,

so that H is computed once and a thousand relabelings of mice cost one matrix product. The penalty
is chosen anew for each labeling, by leaving out one training mouse at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import factorial, prod

import numpy as np

PENALTIES = tuple(10.0 ** np.arange(-4, 3))  # × mean variance of a feature


@dataclass(frozen=True)
class MouseMoments:
    """Means and second moments of the features of each mouse's trials.

    Attributes:
        mean: (mice, features) f8.
        second: mean over trials of the outer product, (mice, features, features) f8.
    """

    mean: np.ndarray
    second: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray, mouse: np.ndarray, n_mice: int) -> MouseMoments:
        """Of trials: features (trials, features), index of the mouse (trials,)."""
        wide = features.astype(np.float64)
        groups = [wide[mouse == m] for m in range(n_mice)]
        mean = np.stack([group.mean(0) for group in groups])
        return cls(mean, np.stack([group.T @ group / len(group) for group in groups]))


@dataclass(frozen=True)
class MouseProbe:
    """Reads of all mice as linear maps of the training mice's labels.

    Attributes:
        read: by penalty, (penalties, mice read, training mice).
        left_out: by penalty, each training mouse read by a probe trained on the others,
            (penalties, training mice, training mice); the diagonal is 0.
        directions: by penalty, feature weights per label, (penalties, features, training mice).
        centre: mean over training mice of the features, (features,).
    """

    read: np.ndarray
    left_out: np.ndarray
    directions: np.ndarray
    centre: np.ndarray

    @classmethod
    def train(cls, training: MouseMoments, read: np.ndarray) -> MouseProbe:
        """Train on mice with these moments; read the means of others, (mice, features)."""
        n = len(training.mean)
        left = [
            _solve(training, np.delete(np.arange(n), m), training.mean[m : m + 1]) for m in range(n)
        ]
        left_out = np.zeros((len(PENALTIES), n, n))
        for m, (maps, _) in enumerate(left):
            left_out[:, m, np.delete(np.arange(n), m)] = maps[:, 0]
        maps, directions = _solve(training, np.arange(n), read)
        return cls(maps, left_out, directions, training.mean.mean(0))

    def penalty(self, labels: np.ndarray) -> np.ndarray:
        """Index of the penalty of each labeling, (labelings,): least squared left-out error.

        Args:
            labels: (labelings, training mice, columns), ±1.
        """
        return self.left_out_error(labels).argmin(1)

    def left_out_error(self, labels: np.ndarray) -> np.ndarray:
        """Squared error of the reads of left-out training mice, (labelings, penalties)."""
        told = np.einsum("pmt,ltc->lpmc", self.left_out, labels)
        return np.square(told - labels[:, None]).sum((2, 3))

    def scores(self, labels: np.ndarray) -> np.ndarray:
        """Scores of the mice that are read, (labelings, mice read, columns)."""
        chosen = self.penalty(labels)
        return np.einsum("lmt,ltc->lmc", self.read[chosen], labels)

    def weights(self, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Feature weights (features, columns) and offset (columns,) of one labeling."""
        chosen = int(self.penalty(labels[None])[0])
        weights = self.directions[chosen] @ labels
        return weights, labels.mean(0) - self.centre @ weights


def _solve(
    moments: MouseMoments, mice: np.ndarray, read: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Linear maps from the labels of `mice` to scores of the means `read`, for every penalty."""
    n = len(mice)
    mean = moments.mean[mice]
    centre = mean.mean(0)
    scatter = moments.second[mice].mean(0) - np.outer(centre, centre)
    values, vectors = np.linalg.eigh(scatter)
    scale = max(np.trace(scatter) / len(scatter), np.finfo(float).tiny)
    ridge = np.array(PENALTIES)[:, None] * scale + np.maximum(values, 0)
    # Centred features sum to 0 over mice, so the mean of the labels drops out by itself.
    inward = vectors.T @ (mean - centre).T / n
    directions = np.einsum("fe,pe,et->pft", vectors, 1 / ridge, inward)
    return np.einsum("mf,pft->pmt", read - centre, directions) + 1 / n, directions


def columns_of(lines: Sequence[int], n_lines: int) -> np.ndarray:
    """Labels of mice as columns of ±1, one for each line: (mice,) → (mice, lines)."""
    return np.where(np.arange(n_lines) == np.asarray(lines)[:, None], 1.0, -1.0)


def reads(scores: np.ndarray, lines: np.ndarray, n_lines: int) -> dict[str, np.ndarray]:
    """How well scores tell the lines of mice, by labeling.

    Args:
        scores: (labelings, mice, lines).
        lines: index of the line of each mouse, (labelings, mice).

    Returns:
        `accuracy` (the largest score is of the mouse's line), `auroc` (each line against the rest,
        mean over lines), `signed_score` (mean score of the mouse's own line), each (labelings,).
    """
    own = np.take_along_axis(scores, lines[:, :, None], axis=2)[:, :, 0]
    accuracy = (scores.argmax(2) == lines).mean(1)
    areas = []
    for line in range(n_lines):
        is_line = lines == line
        ahead = scores[:, :, None, line] - scores[:, None, :, line]
        pairs = is_line[:, :, None] & ~is_line[:, None, :]
        wins = ((ahead > 0) + 0.5 * (ahead == 0)) * pairs
        areas.append(wins.sum((1, 2)) / np.maximum(pairs.sum((1, 2)), 1))
    return {"accuracy": accuracy, "auroc": np.mean(areas, axis=0), "signed_score": own.mean(1)}


def relabelings(
    lines: Sequence[int], folds: Sequence[int], most: int, rng: np.random.Generator
) -> np.ndarray:
    """Labels of mice permuted inside each fold, (labelings, mice), the true one first.

    The folds were balanced by the true labels, so only labelings with the same balance in every
    fold were possible: under the null those are equally likely. All of them where there are no
    more than `most`, else that many drawn at random.

    Args:
        lines: line of each mouse.
        folds: fold in which each mouse is held out.
    """
    lines, folds = np.asarray(lines), np.asarray(folds)
    members = [np.flatnonzero(folds == fold) for fold in np.unique(folds)]
    total = prod(_n_arrangements(lines[m]) for m in members)
    if total <= most + 1:
        ways = [list(_arrangements(lines[m])) for m in members]
        made = np.empty((total, len(lines)), dtype=np.int64)
        for row, chosen in enumerate(product(*ways)):
            for places, arranged in zip(members, chosen, strict=True):
                made[row, places] = arranged
        true = np.flatnonzero((made == lines).all(1))[0]
        return np.concatenate([made[true : true + 1], np.delete(made, true, axis=0)])
    made = np.tile(lines, (most + 1, 1))
    for places in members:
        made[1:, places] = rng.permuted(made[1:, places], axis=1)
    return made


def _n_arrangements(labels: np.ndarray) -> int:
    """How many distinct orders some labels have."""
    counts = np.unique(labels, return_counts=True)[1]
    return factorial(len(labels)) // prod(factorial(int(count)) for count in counts)


def _arrangements(labels: np.ndarray) -> Iterator[np.ndarray]:
    """Every distinct order of some labels."""
    kinds, counts = np.unique(labels, return_counts=True)
    if len(kinds) == 1:
        yield labels.copy()
        return
    for places in combinations(range(len(labels)), int(counts[0])):
        rest = np.setdiff1d(np.arange(len(labels)), places)
        for below in _arrangements(labels[labels != kinds[0]]):
            made = np.empty_like(labels)
            made[list(places)], made[rest] = kinds[0], below
            yield made

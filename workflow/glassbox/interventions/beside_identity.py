"""Genotype read on held-out mice by the probe, and by what identity alone says of a mouse.

Every source is read in the same way: trained on the training mice of a fold, its penalty chosen
there, read on the mice that the fold holds out. A p value deals the lines out to the mice anew and
repeats all of it. The source of identity that is held against the probe is chosen on training mice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from glassbox.interventions.identity import SOURCES
from glassbox.interventions.mouse_features import MouseFeatures
from glassbox.interventions.probe import MouseProbe, columns_of, reads
from glassbox.statistics import permutation_p, with_ties

PROBES = UNITS, LATENTS = "units", "latents"
CHOSEN = "chosen_identity"
SCORE, ACCURACY, AUROC = METRICS = "standardised_score", "accuracy", "auroc"
PAIRED = SCORE, ACCURACY  # means over mice, of which a difference can be paired by mouse
Row = dict[str, Any]


@dataclass(frozen=True)
class FoldOfMice:
    """What each source says of the mice of one fold.

    Attributes:
        training, held_out: places among all mice, (training mice,) and (held-out mice,).
        features: by source.
    """

    training: np.ndarray
    held_out: np.ndarray
    features: Mapping[str, MouseFeatures]


@dataclass(frozen=True)
class Told:
    """What every source tells of every held-out mouse.

    Attributes:
        scores: by source, (labelings, mice, lines); the true labeling first.
        labelings: line of each mouse, (labelings, mice).
        chosen: the source of identity that was chosen in each fold, by the true lines.
    """

    scores: Mapping[str, np.ndarray]
    labelings: np.ndarray
    chosen: tuple[str, ...]

    def values(self, source: str) -> dict[str, np.ndarray]:
        """How well a source tells the lines of each labeling, (labelings,), by metric."""
        scores, lines = self.scores[source], self.labelings
        told = reads(scores, lines, scores.shape[2])
        score = _standardised(scores, lines).mean(1)
        return {SCORE: score, ACCURACY: told["accuracy"], AUROC: told["auroc"]}

    def of_mice(self, source: str, labeling: int = 0) -> dict[str, np.ndarray]:
        """What a source tells of each mouse, (mice,), by metric that is a mean over mice."""
        scores = self.scores[source][labeling][None]
        lines = self.labelings[labeling][None]
        right = (scores.argmax(2) == lines).astype(float)
        return {SCORE: _standardised(scores, lines)[0], ACCURACY: right[0]}


def _standardised(scores: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """Score of each mouse's line in standard deviations of that score over mice, (labelings, mice).

    Of two lines of equal size the mean is the correlation of score and line: it knows no scale, so
    that a probe that shrinks its scores is not taken for one that tells less.
    """
    centre, spread = scores.mean(1, keepdims=True), scores.std(1, keepdims=True)
    varies = spread > 1e-9
    z = np.where(varies, (scores - centre) / np.where(varies, spread, 1.0), 0.0)
    return np.take_along_axis(z, lines[:, :, None], axis=2)[:, :, 0]


def share_above(observed: float, null: np.ndarray) -> float:
    """p of a value among those of relabelings or swaps, exact where they are all that there are.

    Ties count against the value.
    """
    if not len(null):
        return float("nan")
    return float(permutation_p(observed, with_ties(null, observed)))


def tell(folds: Sequence[FoldOfMice], labelings: np.ndarray) -> Told:
    """Train and read every source in every fold, for every labeling of the mice.

    Args:
        folds: in which each mouse is held out at least once; a mouse that several hold out has
            the mean of its scores.
        labelings: line of each mouse, (labelings, mice), the true one first.
    """
    n_lines, n_mice = int(labelings.max()) + 1, labelings.shape[1]
    total = {s: np.zeros((*labelings.shape, n_lines)) for s in (*folds[0].features, CHOSEN)}
    times, chosen = np.zeros((n_mice, 1)), []
    for fold in folds:
        labels = np.stack([columns_of(row, n_lines) for row in labelings[:, fold.training]])
        error, scores = {}, {}
        for source, features in fold.features.items():
            probe = MouseProbe.train(features.training, features.read)
            scores[source] = probe.scores(labels)
            total[source][:, fold.held_out] += scores[source]
            if source in SOURCES:
                error[source] = probe.left_out_error(labels).min(1)
        best = np.stack(list(error.values())).argmin(0)
        of_identity = np.stack([scores[source] for source in error])
        total[CHOSEN][:, fold.held_out] += of_identity[best, np.arange(len(labelings))]
        chosen.append(tuple(error)[best[0]])
        times[fold.held_out] += 1
    return Told({s: value / times for s, value in total.items()}, labelings, tuple(chosen))


def beyond(
    told: Told, probe: str, source: str, flips: np.ndarray, labeling: int = 0
) -> dict[str, tuple[float, float]]:
    """By metric, the mean over mice of the paired difference probe − source, and its p.

    p: the share of ways to swap the two within mice in which the difference is as large.

    Args:
        flips: ±1, (ways, mice), see `swaps`.
        labeling: by which it is read; 0 is the true one.
    """
    mine, its = told.of_mice(probe, labeling), told.of_mice(source, labeling)
    found = {}
    for metric in PAIRED:
        pairs = mine[metric] - its[metric]
        found[metric] = float(pairs.mean()), share_above(pairs.mean(), flips @ pairs / len(pairs))
    return found


def swaps(n_mice: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """Ways to swap two sources within mice, (ways, mice) of ±1, that of no swap left out.

    All of them where there are no more than `most`, else that many drawn at random.
    """
    if 2**n_mice <= most + 1:
        return np.array(list(product((1, -1), repeat=n_mice)), dtype=np.int8)[1:]
    return rng.choice(np.array([1, -1], dtype=np.int8), size=(most, n_mice))

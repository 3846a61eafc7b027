"""Probes that read a class from features: few features, all of them, or all through a network.

Choices (penalty, number of hidden units' penalty) are made on selection trials; features are scaled
by training trials. scikit-learn comes when it is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from warnings import catch_warnings, simplefilter

import numpy as np

PENALTIES = (0.001, 0.03, 1.0)  # C of the logistic regression
HIDDEN = 64
DECAYS = (0.1, 3.0)  # alpha of the network
STEPS = 200
SURE = 1e-9  # spread below which a feature never changes


@dataclass(frozen=True)
class Split:
    """Features of trials with their class.

    Attributes:
        train, selection, test: (trials, features) f4 of each part.
        labels: class of each trial, by part in that order, (trials,).
    """

    train: np.ndarray
    selection: np.ndarray
    test: np.ndarray
    labels: tuple[np.ndarray, np.ndarray, np.ndarray]

    def scaled(self) -> Split:
        """Mean 0 and spread 1 on training trials; a feature that never changes is 0."""
        mean, spread = self.train.mean(axis=0), self.train.std(axis=0)
        scale = np.where(spread > SURE, 1 / np.maximum(spread, SURE), 0.0)
        parts = [(part - mean) * scale for part in (self.train, self.selection, self.test)]
        return Split(*parts, self.labels)

    def of(self, features: np.ndarray) -> Split:
        """Some of the features, by place."""
        parts = (self.train, self.selection, self.test)
        return Split(*(part[:, features] for part in parts), self.labels)


def dense_logistic(split: Split) -> np.ndarray:
    """Whether each test trial is read right by logistic regression on all features, (trials,)."""
    from sklearn.linear_model import LogisticRegression

    fits = (LogisticRegression(C=c, max_iter=STEPS) for c in PENALTIES)
    return _best(fits, split.scaled())


def network(split: Split, seed: int) -> np.ndarray:
    """The same by a network with one hidden layer."""
    from sklearn.neural_network import MLPClassifier

    fits = (
        MLPClassifier((HIDDEN,), alpha=decay, max_iter=60, random_state=seed) for decay in DECAYS
    )
    return _best(fits, split.scaled())


def sparse_logistic(split: Split, ks: Iterable[int]) -> Iterator[tuple[int, np.ndarray]]:
    """The same on the k features that differ most between the classes, for each k.

    Features are put in order by the F statistic on training trials, as Gurnee et al. order neurons
    by the difference of means for two classes.

    Source: Gurnee et al. 2023, "Finding neurons in a haystack" (arXiv 2305.01610).
    """
    split = split.scaled()
    order = np.argsort(-class_separation(split.train, split.labels[0]), kind="stable")
    for k in ks:
        yield k, dense_logistic(split.of(order[:k]))


def class_separation(features: np.ndarray, label: np.ndarray) -> np.ndarray:
    """F statistic of each feature between classes, without its constant factor, (features,)."""
    centred = features - features.mean(axis=0)
    between = sum(
        (centred[label == c].sum(axis=0) ** 2) / (label == c).sum() for c in np.unique(label)
    )
    within = np.maximum((centred**2).sum(axis=0) - between, 0.0)
    return np.divide(between, within, out=np.zeros(len(within)), where=within > SURE)


def leading_components(train: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean, (features,), and leading principal directions, (features, components), of trials."""
    mean = train.mean(axis=0)
    centred = (train - mean).astype(np.float64)
    if len(centred) < centred.shape[1]:
        size, left = np.linalg.eigh(centred @ centred.T)
        kept = np.flatnonzero(size > SURE * max(size[-1], SURE))[::-1][:most]
        return mean, centred.T @ (left[:, kept] / np.sqrt(size[kept]))
    size, right = np.linalg.eigh(centred.T @ centred)
    kept = np.flatnonzero(size > SURE * max(size[-1], SURE))[::-1][:most]
    return mean, right[:, kept]


def _best(fits, split: Split) -> np.ndarray:
    best, right = -1.0, np.zeros(len(split.test), dtype=bool)
    train, selection, test = split.labels
    for fit in fits:
        with catch_warnings():
            simplefilter("ignore")  # a fit stopped at its last step is one to choose from
            fit.fit(split.train, train)
        score = (fit.predict(split.selection) == selection).mean() if len(selection) else 0.0
        if score > best:
            best, right = score, fit.predict(split.test) == test
    return right

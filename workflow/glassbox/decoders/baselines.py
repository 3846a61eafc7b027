"""The models that a decoder is held against, each with the grid that selection trials choose from.

A baseline is a function of training inputs (trials, inputs), their labels (trials,) and the inputs
of all trials. It yields, for each setting of its grid, the setting and its answers to all trials:
log probabilities (trials, classes) of class indices 0, 1, ..., or values (trials,). The simplest
setting stands first, as it is kept among equals.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import NearestNeighbors
from sklearn.neural_network import MLPClassifier

Setting = dict[str, Any]
Answers = Iterator[tuple[Setting, np.ndarray]]
Baseline = Callable[[np.ndarray, np.ndarray, np.ndarray], Answers]

STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)  # C, inverse of the penalty
MAX_STEPS = 2000
SHRINKAGES = (0.9, 0.7, 0.5, 0.3, 0.1, 0.03)  # of the covariance towards its mean variance
SMOOTHINGS = (1.0, 0.3, 0.1, 0.01, 0.001)  # added to each variance, of the largest one
NEIGHBOURS = (40, 20, 10, 5)
DISTANCES = ("cosine", "euclidean")
PENALTIES = (10.0, 3.0, 1.0)  # of the weights of the network
HIDDEN = 64  # units of the network's one layer
EPOCHS = (15, 30, 60)  # passes after which the network is asked
BATCH = 64
RATE = 3e-3
SEED = 0  # of the network's weights and batches
RIDGES = tuple(10.0**power for power in range(6, -2, -1))  # penalties of a value's weights


def logistic_regression(train: np.ndarray, labels: np.ndarray, trials: np.ndarray) -> Answers:
    """Multinomial logistic regression with a squared penalty."""
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=MAX_STEPS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(train, labels)
        yield {"C": strength}, model.predict_log_proba(trials)


def shrinkage_lda(train: np.ndarray, labels: np.ndarray, trials: np.ndarray) -> Answers:
    """Linear discriminant analysis with a shrunken covariance.

    Source: Ledoit & Wolf 2004 for the form; here selection trials choose the shrinkage.
    """
    for shrinkage in SHRINKAGES:
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(train, labels)
        yield {"shrinkage": shrinkage}, model.predict_log_proba(trials)


def gaussian_naive_bayes(train: np.ndarray, labels: np.ndarray, trials: np.ndarray) -> Answers:
    """Each input Gaussian and independent of the others, its mean and variance by class."""
    for smoothing in SMOOTHINGS:
        model = GaussianNB(var_smoothing=smoothing).fit(train, labels)
        yield {"var_smoothing": smoothing}, model.predict_log_proba(trials)


def nearest_neighbours(train: np.ndarray, labels: np.ndarray, trials: np.ndarray) -> Answers:
    """The share of each class among the nearest training trials.

    One more vote is spread over all classes, so that no class is impossible. A training trial is
    its own nearest neighbour: its answers say nothing.
    """
    classes = int(labels.max()) + 1
    most = min(max(NEIGHBOURS), len(train))
    for distance in DISTANCES:
        search = NearestNeighbors(n_neighbors=most, metric=distance).fit(train)
        votes = np.eye(classes)[labels[search.kneighbors(trials, return_distance=False)]]
        for k in dict.fromkeys(min(k, most) for k in NEIGHBOURS):
            share = (votes[:, :k].sum(axis=1) + 1 / classes) / (k + 1)
            yield {"distance": distance, "n_neighbors": k}, np.log(share)


def mlp(train: np.ndarray, labels: np.ndarray, trials: np.ndarray) -> Answers:
    """One hidden layer of rectified units, trained with Adam; asked at several epochs."""
    classes = np.arange(int(labels.max()) + 1)
    for penalty in PENALTIES:
        model = MLPClassifier(
            (HIDDEN,),
            alpha=penalty,
            batch_size=min(BATCH, len(train)),
            learning_rate_init=RATE,
            random_state=SEED,
        )
        for epoch in range(1, max(EPOCHS) + 1):
            model.partial_fit(train, labels, classes=classes)
            if epoch in EPOCHS:
                with np.errstate(divide="ignore"):  # a probability of 0
                    answers = model.predict_log_proba(trials)
                yield {"alpha": penalty, "epochs": epoch}, answers


def ridge(train: np.ndarray, labels: np.ndarray, trials: np.ndarray) -> Answers:
    """Linear regression of a value with a squared penalty."""
    for penalty in RIDGES:
        yield {"alpha": penalty}, Ridge(alpha=penalty).fit(train, labels).predict(trials)


OF_CLASSES: dict[str, Baseline] = {
    baseline.__name__: baseline
    for baseline in (
        logistic_regression,
        shrinkage_lda,
        gaussian_naive_bayes,
        nearest_neighbours,
        mlp,
    )
}
OF_VALUES: dict[str, Baseline] = {"ridge": ridge}

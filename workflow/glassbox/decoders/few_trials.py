"""How many trials a trained decoder needs of a mouse that it has never seen.

The body stays as it was trained on other mice. The unit vectors of the new session are fitted to
`n` trials of each condition, and the session's test trials are decoded. Beside it stands what the
same trials give without any other mouse: linear discriminant analysis with a shrunken covariance,
which has nothing to choose. No trial is used to stop or to choose, for nobody with few trials has
those to spare.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from glassbox.decoders.adapt import adapt
from glassbox.decoders.data import LEAST_DEVIATION, TrialSet, is_counted
from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.metrics import scores_of
from glassbox.decoders.predict import predicted
from glassbox.decoders.randomness import numpy_generator
from glassbox.statistics import exact_interval
from glassbox.tensors.splits import NO_PART, TEST, TRAIN

COLUMNS = tuple(
    "cohort session mouse genotype model seed fold task trials_per_condition n_train value ci_low "
    "ci_high chance n".split()
)
ALONE = "shrinkage_lda"
MOST_EPOCHS = 10  # times the epochs of a whole session, however few the trials


def with_few_trials(data: TrialSet, fold: int, n: int, tasks: Sequence[str], seed: int) -> TrialSet:
    """The trial set with at most `n` training trials of each condition, drawn from the seed.

    A condition is a combination of the classes of all tasks. The other training trials get no
    part; selection and test trials stay.
    """
    places = data.in_part(fold, TRAIN)
    classes = np.stack([data.labels[task][places] for task in tasks], axis=1)
    rng = numpy_generator("few trials", seed, data.session, data.stimulus, fold)
    kept: list[int] = []
    for condition in np.unique(classes, axis=0):
        its = places[(classes == condition).all(axis=1)]
        # The trials of a smaller n are among those of a larger one.
        kept += rng.permutation(its)[:n].tolist()
    part = data.parts[fold].copy()
    part[places] = NO_PART
    part[kept] = TRAIN
    return replace(data, parts={**data.parts, fold: part})


def rows_of_few_trials(
    decoder: FittedDecoder, data: TrialSet, counts: Sequence[int]
) -> Iterator[dict[str, Any]]:
    """Accuracy on the test trials of a session for each number of training trials.

    Args:
        decoder: its body was trained without the session's mouse.
        data: the session, with the parts of the decoder's fold.
        counts: training trials of each condition.
    """
    fold, tasks = decoder.fold, tuple(decoder.tasks)
    whole = len(data.in_part(fold, TRAIN))
    for n in counts:
        few = with_few_trials(data, fold, n, tasks, decoder.seed)
        trained = len(few.in_part(fold, TRAIN))
        longer = min(whole / trained, MOST_EPOCHS)
        adapted = adapt(
            decoder, few, epochs=round(decoder.options.unit_epochs * longer), stop_early=False
        )
        windows = torch.from_numpy(data.windows[data.in_part(fold, TEST)])
        with_body = predicted(adapted.model, *data.key, windows.to(adapted.model.device))
        about = {
            "cohort": decoder.cohort,
            "session": data.session,
            "mouse": data.mouse,
            "genotype": data.cre_line,
            "seed": decoder.seed,
            "fold": fold,
            "trials_per_condition": n,
            "n_train": trained,
        }
        for model, tables in (
            (decoder.options.decoder, with_body),
            (ALONE, _alone(few, fold, decoder.tasks)),
        ):
            for task in tasks:
                yield _row(about | {"model": model, "task": task}, tables[task], data, fold)


def _alone(data: TrialSet, fold: int, tasks: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Log probabilities of the test trials by discriminant analysis of mean dF/F.

    The shrinkage is Ledoit and Wolf's (2004), which is computed, not chosen.
    """
    train, test = data.in_part(fold, TRAIN), data.in_part(fold, TEST)
    mean = data.windows.mean(axis=2, dtype=np.float64)
    centre, spread = mean[train].mean(axis=0), mean[train].std(axis=0)
    features = (mean - centre) / np.maximum(spread, LEAST_DEVIATION)
    found = {}
    for task, classes in tasks.items():
        labelled = train[is_counted(data.labels[task][train])]
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that cells are many and trials few
            model.fit(features[labelled], data.labels[task][labelled])
        table = np.full((len(test), len(classes)), -np.inf)
        table[:, model.classes_] = model.predict_log_proba(features[test])
        found[task] = table
    return found


def _row(about: dict[str, Any], table: np.ndarray, data: TrialSet, fold: int) -> dict[str, Any]:
    test = data.in_part(fold, TEST)
    scores = scores_of(table, data.labels[about["task"]][test], data.parts[fold][test])
    n = len(scores.correct)
    low, high = exact_interval(int(scores.correct.sum()), n)
    return about | {
        "value": float(scores.correct.mean()),
        "ci_low": low,
        "ci_high": high,
        "chance": 1 / scores.classes,
        "n": n,
    }

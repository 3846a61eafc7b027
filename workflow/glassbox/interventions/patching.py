"""Interchange interventions: units of one trial given the values that they have in another.

A donor differs in the variable and agrees on all others (`agreeing`), or differs in all of them
(`differing`). Over the pairs that the decoder reads rightly before, as in RAVEL:

    cause     it then says the donor's value of the variable
    isolate   of another variable it still says the trial's own value

Source: Huang et al. 2024, RAVEL: Evaluating Interpretability Methods on Disentangling Language
Model Representations, ACL 2024.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from glassbox.decoders.randomness import numpy_generator, seed_of
from glassbox.dictionaries.activations import HookTrials
from glassbox.interventions.ablation import RESAMPLE, CleanPass, logits_of_sets
from glassbox.interventions.donors import NOBODY, donors_of
from glassbox.interventions.plan import DosePlan
from glassbox.interventions.runs import Run
from glassbox.statistics import bootstrap_interval, permutation_p

DONORS = ("agreeing", "differing")
INTERVENTION = "error_preserving"
TARGET, EVERYTHING = "target", "all_units"
Row = dict[str, Any]


@dataclass(frozen=True)
class Pairs:
    """Trials with their donors.

    Attributes:
        clean: the clean pass of the trials, with donors.
        labels, donor_labels: class index by task, (trials,).
        session_index: of each trial, (trials,).
    """

    clean: CleanPass
    labels: dict[str, np.ndarray]
    donor_labels: dict[str, np.ndarray]
    session_index: np.ndarray

    def __len__(self) -> int:
        return len(self.session_index)


def pairs_of(run: Run, trials: HookTrials, variable: str, donors: str, seed: int) -> Pairs:
    """Test trials with a donor among them, both read rightly without a patch in every task."""
    rng = numpy_generator("patching", seed, run.seed, run.fold, variable, donors)
    right = np.ones(len(trials), dtype=bool)
    for task, said in _said(run, run.clean_pass(trials)).items():
        right &= said == trials.labels[task]
    trials = trials.take(np.flatnonzero(right))
    places = donors_of(trials, trials, variable, rng, donors)
    has = np.flatnonzero(places != NOBODY)
    clean = run.clean_pass(trials).with_donors(run.clean_pass(trials), places)
    return Pairs(
        clean.take(has),
        {task: label[has] for task, label in trials.labels.items()},
        {task: label[places[has]] for task, label in trials.labels.items()},
        trials.session_index[has],
    )


def _said(run: Run, clean: CleanPass) -> dict[str, np.ndarray]:
    nothing = np.zeros((1, 0), dtype=np.int64)
    found: dict[str, list[torch.Tensor]] = {task: [] for task in run.tasks}
    for _, _, logits in logits_of_sets(clean, run.suffix, nothing, INTERVENTION, "zero"):
        for task in run.tasks:
            found[task].append(logits[task][:, 0].argmax(-1))
    return {
        task: torch.cat(parts).numpy() if parts else np.zeros(0) for task, parts in found.items()
    }


def scores_of(
    run: Run,
    pairs: Pairs,
    variable: str,
    sets: Sequence[np.ndarray],
    intervention: str = INTERVENTION,
) -> dict[str, np.ndarray]:
    """By task, whether each pair does as it should, (pairs, sets) bool.

    Of the variable itself: the decoder says the donor's value; of another: the trial's own.
    """
    wanted = pairs.labels | {variable: pairs.donor_labels[variable]}
    scores = {task: np.zeros((len(pairs), len(sets)), dtype=bool) for task in run.tasks}
    for trials, of_sets, logits in logits_of_sets(
        pairs.clean, run.suffix, sets, intervention, RESAMPLE
    ):
        for task in run.tasks:
            said = logits[task].argmax(-1).numpy()
            scores[task][trials, of_sets] = said == wanted[task][trials, None]
    return scores


def patching_rows(
    about: Row,
    folds: Sequence[tuple[Run, HookTrials, list[DosePlan]]],
    doses: Mapping[str, Sequence[int]],
    n_controls: int,
    resamples: int,
    seed: int,
) -> Iterator[Row]:
    """Rows of patching.csv of one seed, folds pooled.

    Args:
        about: columns that name cohort, seed, hook and dictionary.
        folds: each with its test trials and its plan.
        doses: of each variable.
        n_controls: matched random sets that are patched.
        resamples: of the bootstrap.
        seed: of donors and bootstrap.
    """
    for variable, of_one in doses.items():
        for donors in DONORS:
            made = [
                (run, pairs_of(run, trials, variable, donors, seed), plans)
                for run, trials, plans in folds
            ]
            clusters = np.concatenate([pairs.session_index for _, pairs, _ in made])
            if len(clusters) == 0:
                continue
            patched = [_patched(*fold, variable, of_one, n_controls) for fold in made]
            where = about | {"variable": variable, "donor": donors}
            for n_units in (*of_one, None):
                scores = [fold[n_units] for fold in patched]
                yield from _rows(where, variable, n_units, scores, clusters, resamples, seed)


def _patched(
    run: Run,
    pairs: Pairs,
    plans: Sequence[DosePlan],
    variable: str,
    doses: Sequence[int],
    n_controls: int,
) -> dict[int | None, dict[str, np.ndarray]]:
    """By dose, None for all units, scores under the target in the first column, then the controls'.

    All in one pass. Where fewer than `n_controls` sets match, there are none.
    """
    sets: dict[int | None, np.ndarray] = {}
    for plan in plans:
        if plan.n_units in doses:
            matched = plan.matched[variable]
            matched = matched[: n_controls if len(matched) >= n_controls else 0]
            target = plan.named["target", variable][None]
            sets[plan.n_units] = np.concatenate([target, matched])
    sets[None] = np.flatnonzero(run.alive)[None]
    every = [units for of_one in sets.values() for units in of_one]
    scores = scores_of(run, pairs, variable, every)
    found, first = {}, 0
    for n_units, of_one in sets.items():
        here = slice(first, first + len(of_one))
        found[n_units] = {task: score[:, here] for task, score in scores.items()}
        first = here.stop
    return found


def _rows(
    where: Row,
    variable: str,
    n_units: int | None,
    patched: Sequence[dict[str, np.ndarray]],
    clusters: np.ndarray,
    resamples: int,
    seed: int,
) -> Iterator[Row]:
    several = len(np.unique(clusters)) > 1
    n_sets = min(next(iter(scores.values())).shape[1] for scores in patched)
    for task in patched[0]:
        scores = np.concatenate([fold[task][:, :n_sets] for fold in patched])
        value, controls = float(scores[:, 0].mean()), scores[:, 1:].mean(0)
        low, high = bootstrap_interval(
            scores[:, 0].astype(float),
            seed_of("patching", seed),
            resamples,
            clusters=clusters if several else None,
        )
        row = where | {
            "metric": "cause" if task == variable else "isolate",
            "measured_on": task,
            "units": EVERYTHING if n_units is None else TARGET,
            "n_units": n_units,
            "value": value,
            "ci_low": low,
            "ci_high": high,
            "n_controls": len(controls),
            "n": len(scores),
        }
        if len(controls):
            ends = np.percentile(controls, [2.5, 50, 97.5])
            names = ("control_low", "control_median", "control_high")
            row |= dict(zip(names, map(float, ends), strict=True))
            row["p"] = float(permutation_p(np.array(value), controls))
        yield row

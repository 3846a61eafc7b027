"""The rewriting test: does the decoder still work when its units do what their descriptions say?

Every unit of every test trial is replaced at once, and the decoder reads the dictionary's sum of
them. The reconstruction error is not kept: it would carry what the descriptions leave out.

    clean             the latents as they are
    spliced           the units as they are
    trial_means       each unit's own mean over the latents of the trial, spread over the latents as
                      it is spread on average: what is lost by describing trials, not latents
    condition_means   instead, its mean over training and selection trials of the same conditions
    descriptions      instead, what its description predicts
    shuffled          instead, what another unit's description predicts, in units of its own mean
    mean_ablation     instead, its mean over selection trials: nothing of the trial is left

A description is told the conditions of the trial, so a decoder that reads good ones can be more
accurate than on the trial's own noisy activity; `agreement` says how often its answer is the one
that it gives to the clean latents.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch

from glassbox.decoders.randomness import numpy_generator, seed_of
from glassbox.dictionaries.activations import HookTrials
from glassbox.dictionaries.splice import NO_CLASS, scored
from glassbox.interventions.runs import Run
from glassbox.statistics import bootstrap_weights, weighted_means
from glassbox.tensors.splits import SELECTION, TEST, TRAIN
from glassbox.units.activations import DictionaryFolder
from glassbox.units.describe import condition_means, trials_of
from glassbox.units.descriptions import Description

SHUFFLES = 5
RESAMPLES = 1000
METRICS = ("accuracy", "log_probability", "agreement")
AT_ONCE = 256  # trials
Row = dict[str, Any]
Scores = dict[tuple[str, str, str], np.ndarray]


def rewriting_scores(
    run: Run, folder: DictionaryFolder, described: Mapping[int, Description], seed: int
) -> tuple[Scores, np.ndarray]:
    """Scores of each test trial by (condition, task, metric), (trials,) f8, and its session.

    Args:
        run: the decoder with its dictionary.
        folder: of the dictionary.
        described: description of each living unit.
        seed: of the shuffles.
    """
    test = run.trials.in_part(TEST)
    known = np.all([label != NO_CLASS for label in test.labels.values()], axis=0)
    test = test.take(np.flatnonzero(known))
    clean = {task: logits.argmax(-1).numpy() for task, logits in _answers(run, test, None).items()}
    scores: Scores = {}
    for condition, activation, share in _versions(run, test, folder, described, seed):
        for task, logits in _answers(run, test, activation).items():
            correct, probable, said = scored(logits, test.labels[task])
            for metric, values in zip(
                METRICS, (correct, probable, said == clean[task]), strict=True
            ):
                key = (condition, task, metric)
                scores[key] = scores.get(key, 0.0) + share * values.astype(np.float64)
    return scores, test.session_index


def _versions(
    run: Run,
    test: HookTrials,
    folder: DictionaryFolder,
    described: Mapping[int, Description],
    seed: int,
) -> Iterator[tuple[str, torch.Tensor | str | None, float]]:
    """Each condition with the activation of every unit in every trial, (trials, width)."""
    which = run.seed, run.fold
    seen = trials_of(folder, which, (TEST,))
    before = trials_of(folder, which, (TRAIN, SELECTION))
    mean = trials_of(folder, which, (SELECTION,)).activation.mean(0)
    yield "clean", None, 1.0
    yield "spliced", "units", 1.0
    yield "trial_means", torch.from_numpy(seen.activation).float(), 1.0
    yield "condition_means", torch.from_numpy(condition_means(before, seen)).float(), 1.0
    units = np.array(sorted(described), dtype=int)
    factors = np.ones((len(units), len(seen.activation)))
    for factor, unit in zip(factors, units, strict=True):
        factor[:] = described[unit].relative(seen.values)

    def told(order: np.ndarray) -> torch.Tensor:
        activation = np.tile(mean, (len(seen.activation), 1))
        activation[:, units] *= factors[order].T
        return torch.from_numpy(activation).float()

    yield "descriptions", told(np.arange(len(units))), 1.0
    rng = numpy_generator("rewriting", seed, *which)
    for _ in range(SHUFFLES):
        yield "shuffled", told(rng.permutation(len(units))), 1 / SHUFFLES
    yield "mean_ablation", torch.from_numpy(np.tile(mean, (len(test), 1))).float(), 1.0


@torch.no_grad()
def _answers(
    run: Run, test: HookTrials, activation: torch.Tensor | str | None
) -> dict[str, torch.Tensor]:
    """Logits by task, (trials, classes); None: of the latents, `units`: of the spliced ones."""
    profile = run.mean / run.mean.mean(0).clamp_min(torch.finfo(run.mean.dtype).tiny)
    parts: dict[str, list[torch.Tensor]] = {}
    for first in range(0, len(test), AT_ONCE):
        some = test.take(np.arange(first, min(first + AT_ONCE, len(test))))
        latents = some.latents
        if activation is not None:
            if isinstance(activation, str):
                z = run.dictionary.encode(latents)
            else:
                z = activation[first : first + AT_ONCE, None] * profile
            latents = run.dictionary.decode(z)
        for task, logits in run.suffix(latents.unsqueeze(2), some.session, some.beside).items():
            parts.setdefault(task, []).append(logits[:, 0])
    return {task: torch.cat(found) for task, found in parts.items()}


def rewriting_rows(who: Row, scores: Scores, sessions: np.ndarray, seed: int) -> list[Row]:
    """Rows of rewriting.csv: means over test trials with 95% bootstrap intervals.

    Sessions are drawn first where there are several.
    """
    clusters = sessions if len(np.unique(sessions)) > 1 else None
    weights = bootstrap_weights(len(sessions), seed_of("rewriting", seed), RESAMPLES, clusters)
    keys = list(scores)
    values = np.stack([scores[key] for key in keys], axis=1)
    low, high = np.percentile(weighted_means(weights, values), [2.5, 97.5], axis=0)
    return [
        who
        | {
            "condition": condition,
            "task": task,
            "metric": metric,
            "value": values[:, i].mean(),
            "ci_low": low[i],
            "ci_high": high[i],
            "n": len(values),
        }
        for i, (condition, task, metric) in enumerate(keys)
    ]

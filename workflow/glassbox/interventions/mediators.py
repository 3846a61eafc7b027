"""Other parts of a decoder taken away: attention heads, latents, and the cells themselves.

    head     what one head of an attention adds, set to 0
    latent   one position at the hook, set to its mean over selection trials
    cells    the cells of each session that are most tuned to a variable on selection trials, as
             many as a dose has units, set to their mean time course over selection trials; beside
             random cells

Heads and cells act through the whole decoder, so each set costs a pass of it. Components of other
bases of the latents are in `bases.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.model import Decoder
from glassbox.decoders.randomness import numpy_generator
from glassbox.dictionaries.activations import DecodedSession, HookTrials
from glassbox.dictionaries.splice import METRICS, scored
from glassbox.interventions.rows import against_controls
from glassbox.interventions.runs import Run
from glassbox.statistics import weighted_means
from glassbox.tensors.splits import SELECTION

HEAD, LATENT, CELLS = "head", "latent", "cells"
Row = dict[str, Any]
Scores = dict[tuple[str, str], np.ndarray]  # by (task, metric), (trials,)
Part = tuple[str, str, int, str]  # mediator, its name, how many, selected for


@dataclass(frozen=True)
class Mediated:
    """What a fold's test trials lose.

    Attributes:
        before: the scores with nothing taken away.
        drop: before − after, by what was taken away.
        random: the same of random sets, by mediator and number, each (trials, sets).
        available: how many a mediator has, of which random sets are drawn.
        variance: squared length of what was taken away of each trial's latents, and of their
            distance from the mean latent, each (trials,).
    """

    before: Scores
    drop: dict[Part, Scores] = field(default_factory=dict)
    random: dict[tuple[str, int], Scores] = field(default_factory=dict)
    available: dict[str, int] = field(default_factory=dict)
    variance: dict[Part, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)


def heads_of(model: Decoder) -> dict[str, list[tuple[torch.Tensor, slice]]]:
    """By name, the columns of weights through which each attention head acts."""
    found = {}

    def add(name: str, weights: Sequence[torch.Tensor], heads: int) -> None:
        width = weights[0].shape[1] // heads
        for head in range(heads):
            columns = slice(head * width, (head + 1) * width)
            found[f"{name}.{head}"] = [(weight, columns) for weight in weights]

    for path, module in model.named_modules():
        if not (hasattr(module, "heads") and hasattr(module, "attended")):
            continue
        places = [step for step in path.split(".") if step.isdigit()]
        name = f"block{places[-1]}" if places else "encoder"
        name = "readout" if path.endswith("decoder") else name
        add(name, [module.attended.weight], module.heads)
    if hasattr(model, "task_value"):  # its readout has no projection behind the heads but answers
        add("readout", [layer.weight for layer in model.answers], model.heads)
    return found


@contextmanager
def without(head: Sequence[tuple[torch.Tensor, slice]]) -> Iterator[None]:
    """The decoder without a head, for as long as this lasts."""
    kept = [weight[:, columns].clone() for weight, columns in head]
    with torch.no_grad():
        for weight, columns in head:
            weight[:, columns] = 0
        try:
            yield
        finally:
            for (weight, columns), values in zip(head, kept, strict=True):
                weight[:, columns] = values


class Inputs:
    """The windows of some trials, by session, and what stands in for their cells."""

    def __init__(self, decoder: FittedDecoder, sessions: Sequence[DecodedSession], of: HookTrials):
        self._decoder, self._of = decoder, of
        self._places, self._windows, self.mean, self.tuning = [], [], [], []
        self._names = []
        for index in np.unique(of.session_index):
            data = sessions[index].data
            places = np.flatnonzero(of.session_index == index)
            rows = np.searchsorted(data.trial, of.trial_index[places])
            selection = np.flatnonzero(data.parts[decoder.fold] == SELECTION)
            shown = np.asarray(data.windows[selection])
            self._places.append(places)
            self._windows.append(torch.from_numpy(np.asarray(data.windows[rows])).float())
            self._names.append(data.session)
            self.mean.append(torch.from_numpy(shown.mean(0)).float())
            response = shown.mean(2)
            labels = {task: data.labels[task][selection] for task in decoder.tasks}
            self.tuning.append({t: explained(response, label) for t, label in labels.items()})

    @property
    def fewest_cells(self) -> int:
        return min(len(mean) for mean in self.mean)

    def logits(self, cells: Sequence[np.ndarray] | None = None) -> dict[str, torch.Tensor]:
        """Logits by task, (trials, classes), with these cells of each session taken away."""
        decoder, n = self._decoder, len(self._of)
        found = {task: torch.empty(n, len(v)) for task, v in decoder.tasks.items()}
        for i, (places, windows) in enumerate(zip(self._places, self._windows, strict=True)):
            if cells is not None:
                windows = windows.clone()
                windows[:, cells[i]] = self.mean[i][cells[i]]
            latents = decoder.latents(self._names[i], windows)
            names = [self._names[i]] * len(windows)
            for task, said in decoder.answers("latents", latents, names).items():
                found[task][torch.from_numpy(places)] = said
        return found


def explained(response: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Share of the variance of each column of (trials, cells) that lies between the classes."""
    response, labels = response[labels >= 0], labels[labels >= 0]
    between = np.zeros(response.shape[1])
    for value in np.unique(labels):
        its = response[labels == value]
        between += len(its) * (its.mean(0) - response.mean(0)) ** 2
    total = ((response - response.mean(0)) ** 2).sum(0) if len(response) else between
    return between / np.maximum(total, 1e-12)


def mediated(
    run: Run,
    decoder: FittedDecoder,
    sessions: Sequence[DecodedSession],
    trials: HookTrials,
    doses: Mapping[str, Sequence[int]],
    n_random: int,
    seed: int,
) -> Mediated:
    """Take away every head, every latent and sets of cells, in one fold.

    Args:
        run, decoder: of the fold.
        sessions: those of the decoder.
        trials: test trials.
        doses: numbers of cells, of each variable.
        n_random: sets of random cells for each number.
        seed: of them.
    """

    def scores(logits: Mapping[str, torch.Tensor]) -> Scores:
        found = {}
        for task, said in logits.items():
            correct, probable, _ = scored(said, trials.labels[task])
            found |= {(task, m): v for m, v in zip(METRICS, (correct, probable), strict=True)}
        return found

    def lost(before: Scores, logits: Mapping[str, torch.Tensor]) -> Scores:
        after = scores(logits)
        return {key: before[key] - after[key] for key in before}

    inputs = Inputs(decoder, sessions, trials)
    made = Mediated(scores(inputs.logits()), available={CELLS: inputs.fewest_cells})
    for name, head in heads_of(decoder.model).items():
        with without(head):
            made.drop[HEAD, name, 1, ""] = lost(made.before, inputs.logits())
    for place, logits in enumerate(_without_latents(run, trials)):
        made.drop[LATENT, str(place), 1, ""] = lost(made.before, logits)
    order = {task: [np.argsort(-t[task], kind="stable") for t in inputs.tuning] for task in doses}
    for n in sorted({n for of_one in doses.values() for n in of_one}):
        if n > inputs.fewest_cells:
            continue
        for task, of_one in doses.items():
            if n in of_one:
                chosen = [cells[:n] for cells in order[task]]
                made.drop[CELLS, "", n, task] = lost(made.before, inputs.logits(chosen))
        rng = numpy_generator("cells", seed, run.seed, run.fold, n)
        random = [
            lost(made.before, inputs.logits([rng.permutation(len(m))[:n] for m in inputs.mean]))
            for _ in range(n_random)
        ]
        if random:
            made.random[CELLS, n] = {
                k: np.stack([one[k] for one in random], 1) for k in made.before
            }
    return made


@torch.no_grad()
def _without_latents(run: Run, trials: HookTrials) -> Iterator[dict[str, torch.Tensor]]:
    """Logits by task with each position at the hook set to its mean over selection trials."""
    mean = run.trials.in_part(SELECTION).latents.mean(0)
    for place in range(trials.latents.shape[1]):
        version = trials.latents.clone()
        version[:, place] = mean[place]
        logits = run.suffix(version.unsqueeze(2), trials.session, trials.beside)
        yield {task: said[:, 0] for task, said in logits.items()}


def mediator_rows(about: Row, folds: Sequence[Mediated], weights: np.ndarray) -> Iterator[Row]:
    """Rows of mediators.csv of one seed, folds pooled; none where nothing was taken away.

    Args:
        about: columns that name cohort and seed.
        folds: what each lost.
        weights: bootstrap weights of their trials, one after the other, (resamples, trials).
    """
    parts = [part for part in folds[0].drop if all(part in fold.drop for fold in folds)]
    if not parts:
        return
    before = {key: np.concatenate([f.before[key] for f in folds]) for key in folds[0].before}
    before = {key: values for key, values in before.items() if np.isfinite(values).any()}
    tasks = sorted({task for task, _ in before})
    lost, resampled = {}, {}
    for key, values in before.items():
        known = np.isfinite(values)
        table = np.stack([np.concatenate([f.drop[part][key] for f in folds]) for part in parts], 1)
        lost[key] = table[known].mean(0, dtype=np.float64)
        resampled[key] = weighted_means(weights[:, known], table[known])
    for (task, metric), values in before.items():
        known, key = np.isfinite(values), (task, metric)
        low, high = np.percentile(resampled[key], [2.5, 97.5], axis=0)
        others = [(other, metric) for other in tasks if other != task]
        for i, part in enumerate(parts):
            mediator, name, n_parts, chosen = part
            row = about | {
                "mediator": mediator,
                "part": name or None,
                "n_parts": n_parts,
                "selected_for": chosen or None,
                "measured_on": task,
                "metric": metric,
                "baseline": float(values[known].mean(dtype=np.float64)),
                "drop": float(lost[key][i]),
                "ci_low": float(low[i]),
                "ci_high": float(high[i]),
                "n": int(known.sum()),
            }
            row["value"] = row["baseline"] - row["drop"]
            if all(mediator in fold.available for fold in folds):
                row["available"] = min(fold.available[mediator] for fold in folds)
            if all(part in fold.variance for fold in folds):
                taken, spread = (sum(f.variance[part][j].sum() for f in folds) for j in (0, 1))
                row["variance_share"] = float(taken / spread)
            if task == chosen and others:
                spared = sum(resampled[other][:, i] for other in others) / len(others)
                ends = np.percentile(resampled[key][:, i] - spared, [2.5, 97.5])
                row["selectivity"] = row["drop"] - float(np.mean([lost[o][i] for o in others]))
                row["selectivity_low"], row["selectivity_high"] = ends.tolist()
            random = [
                f.random[mediator, n_parts][key] for f in folds if (mediator, n_parts) in f.random
            ]
            if random:
                row |= against_controls(row["drop"], np.concatenate(random)[known].mean(0))
            yield row

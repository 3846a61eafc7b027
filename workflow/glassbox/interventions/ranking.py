"""Which units are taken away for a variable: candidates and their order, on selection trials only.

Candidates are the units that stage 5 calls selective for the variable. They are put in order by

    effect       what taking the unit alone away (error-preserving, to zero) costs the
                 log-probability of the variable, less the mean of what it costs the others
    efficiency   the effect over the unit's energy to the power of `energy_power`: at 0.5 for each
                 unit of length that is taken away, at 1 for each unit of energy
    tuning       the share of the unit's variance that the variable explains

A few units hold most of the energy, and most of that direction's: 16 of 512 hold half. Sets of
them have no match among the other units. On the selection trials of the real session and of the
simulated cohort all orders isolate a variable; at a power of 0.75 most doses have matched sets (at
0.5 few have, at 1 units come first that cost nothing), so that is the default.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glassbox.dictionaries.splice import scored
from glassbox.errors import UserError
from glassbox.interventions.ablation import logits_of_sets
from glassbox.interventions.options import InterventionOptions
from glassbox.interventions.runs import Run, capped
from glassbox.tables import read_rows
from glassbox.tensors.splits import SELECTION

LEAST_ENERGY = 1e-12  # a unit that was silent on the selection trials is not divided by zero


@dataclass(frozen=True)
class Ranked:
    """Units in order, best first, by what they were selected for.

    Attributes:
        target: by variable, its candidates.
        shuffled: by variable, all alive units by their effect on labels shuffled over trials.
        energy: all alive units by energy.
    """

    target: dict[str, np.ndarray]
    shuffled: dict[str, np.ndarray]
    energy: np.ndarray


@dataclass(frozen=True)
class Candidates:
    """Selective units of one seed and fold, with their effect sizes, by variable."""

    units: dict[str, np.ndarray]
    effect_size: dict[str, np.ndarray]


def read_candidates(
    units_csv: str | Path, variables: Sequence[str]
) -> dict[tuple[int, int], Candidates]:
    """Selective units by (seed, fold) from `units.csv`, units in increasing order."""
    found: dict[tuple[int, int], dict[str, list[tuple[int, float]]]] = {}
    for line, row in enumerate(read_rows(units_csv), start=2):
        try:
            run = int(row["seed"]), int(row["fold"])
            by_variable = found.setdefault(run, {variable: [] for variable in variables})
            if row["variable"] in by_variable and row["selective"] == "true":
                entry = int(row["unit"]), float(row["effect_size"])
                by_variable[row["variable"]].append(entry)
        except (KeyError, ValueError, TypeError):
            raise UserError(
                f"{units_csv}, line {line}: expected a row of the table units; run the rule "
                "measure_units again."
            ) from None
    return {
        run: Candidates(
            {v: np.array([u for u, _ in sorted(e)], dtype=np.int64) for v, e in by.items()},
            {v: np.array([s for _, s in sorted(e)]) for v, e in by.items()},
        )
        for run, by in found.items()
    }


def net_effect(drop: dict[str, np.ndarray], variable: str) -> np.ndarray:
    """Drop of the variable less the mean drop of the others, each (units,)."""
    others = [values for task, values in drop.items() if task != variable]
    return drop[variable] - (np.mean(others, axis=0) if others else 0.0)


def single_unit_drops(
    run: Run, units: np.ndarray, rng: np.random.Generator, most_trials: int, seed: int
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Mean drop of log-probability by task when each unit alone is taken away, (units,).

    Over selection trials of the body's sessions: once of the true labels, once of labels shuffled
    over trials.
    """
    trials = run.trials.in_part(SELECTION)
    trials = capped(trials, most_trials, seed, run.seed, run.fold, "selection")
    shuffled = {task: rng.permutation(label) for task, label in trials.labels.items()}
    clean = run.clean_pass(trials)
    before = run.suffix(trials.latents.unsqueeze(2), trials.session, trials.beside)
    sums = [{task: np.zeros(len(units)) for task in run.tasks} for _ in range(2)]
    known = {task: max(int((trials.labels[task] >= 0).sum()), 1) for task in run.tasks}
    blocks = logits_of_sets(clean, run.suffix, units[:, None], "error_preserving", "zero")
    for places, of_units, after in blocks:
        for of_labels, labels in zip(sums, (trials.labels, shuffled), strict=True):
            for task in run.tasks:
                label = labels[task][places]
                had = scored(before[task][places], label)[1]
                has = scored(after[task], label)[1]
                of_labels[task][of_units] += np.nansum(had - has, axis=0, dtype=np.float64)
    true, dealt = (
        {task: total / known[task] for task, total in of_labels.items()} for of_labels in sums
    )
    return true, dealt


def best_first(
    run: Run,
    candidates: Candidates,
    options: InterventionOptions,
    units: np.ndarray,
    drop: dict[str, np.ndarray],
) -> dict[str, np.ndarray]:
    """The living candidates of every task in order, given what each of `units` alone costs."""
    place = np.full(len(run.density), -1)
    place[units] = np.arange(len(units))
    target = {}
    for task in run.tasks:
        chosen = candidates.units[task]
        kept = run.alive[chosen]
        score = candidates.effect_size[task][kept]
        chosen = chosen[kept]
        if options.ranking in ("effect", "efficiency"):
            score = net_effect(drop, task)[place[chosen]]
        if options.ranking == "efficiency":
            energy = np.maximum(run.energy[chosen], LEAST_ENERGY)
            score = score / energy**options.energy_power
        target[task] = chosen[np.argsort(-score, kind="stable")]
    return target


def rank_units(
    run: Run,
    candidates: Candidates,
    options: InterventionOptions,
    rng: np.random.Generator,
) -> Ranked:
    """Put the candidates of every task in order, and the units of the two ranked controls."""
    alive = np.flatnonzero(run.alive)
    most, seed = options.max_selection_trials, options.seed
    drop, shuffled = single_unit_drops(run, alive, rng, most, seed)
    return Ranked(
        best_first(run, candidates, options, alive, drop),
        {task: alive[np.argsort(-net_effect(shuffled, task), kind="stable")] for task in run.tasks},
        alive[np.argsort(-run.energy[alive], kind="stable")],
    )

"""Trial-by-trial effects of every planned set, folds pooled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from glassbox.decoders.randomness import numpy_generator
from glassbox.dictionaries.activations import HookTrials
from glassbox.dictionaries.splice import METRICS
from glassbox.interventions.ablation import RESAMPLE, CleanPass
from glassbox.interventions.donors import donors_of
from glassbox.interventions.measure import Said, say
from glassbox.interventions.plan import DosePlan
from glassbox.interventions.runs import Run
from glassbox.tensors.splits import SELECTION

NOTHING = np.zeros((1, 0), dtype=np.int64)
SETS_HELD = 4096  # of which all trials' answers are held at once: 18 bytes each for two tasks


@dataclass(frozen=True)
class Effects:
    """What an intervention did, over the evaluated trials of all folds.

    Attributes:
        before: by (task, metric), (trials,), with no unit taken away.
        drop: by (n_units, control, variable, task, metric), (trials,), before − after.
        matched_drop: by (n_units, variable, task, metric), (sets,), mean over trials.
        said_before, said_after: class said by task, and by (n_units, variable, task) after the
            target was taken away, (trials,).
    """

    before: dict[tuple[str, str], np.ndarray]
    drop: dict[tuple[int, str, str, str, str], np.ndarray]
    matched_drop: dict[tuple[int, str, str, str], np.ndarray]
    said_before: dict[str, np.ndarray]
    said_after: dict[tuple[int, str, str], np.ndarray]


def effects_of(
    runs: Sequence[tuple[Run, HookTrials, list[DosePlan]]],
    intervention: str,
    ablation: str,
    n_controls: int,
    strength: float = 1.0,
) -> Effects:
    """Take away every planned set in every fold.

    Args:
        runs: each fold with the trials to evaluate and its plan; all plans have the same doses.
        intervention, ablation: see `glassbox.interventions.ablation`.
        n_controls: matched sets that each target must have in each fold; 0: none are evaluated.
        strength: share of the way from an activation to its replacement.
    """
    how = intervention, ablation, n_controls, strength
    pieces = [_effects_of_fold(*fold, *how) for fold in runs]
    first = pieces[0]

    def joined(name: str) -> dict:
        return {
            key: np.concatenate([getattr(piece, name)[key] for piece in pieces])
            for key in getattr(first, name)
        }

    # A matched set of the pooled folds is one set of each fold: its drop is a sum over trials.
    matched = {}
    for key in first.matched_drop:
        if all(key in piece.matched_drop for piece in pieces):
            total = sum(piece.matched_drop[key] for piece in pieces)
            task, metric = key[2:]
            counted = sum(np.isfinite(piece.before[task, metric]).sum() for piece in pieces)
            matched[key] = total / counted
    return Effects(
        joined("before"), joined("drop"), matched, joined("said_before"), joined("said_after")
    )


def _effects_of_fold(
    run: Run,
    trials: HookTrials,
    plans: list[DosePlan],
    intervention: str,
    ablation: str,
    n_controls: int,
    strength: float,
) -> Effects:
    """The effects in one fold; `matched_drop` holds sums over trials.

    Where units are resampled, donors depend on the variable, so each variable's sets are evaluated
    by themselves.
    """
    clean = run.clean_pass(trials)
    before = say(clean, run.suffix, trials.labels, NOTHING, intervention, "zero")
    effects = Effects({}, {}, {}, {}, {})
    for task in run.tasks:
        effects.said_before[task] = before.predicted[task][:, 0]
        for metric in METRICS:
            effects.before[task, metric] = before.metric(metric)[task][:, 0]
    passes = {"": clean}
    if ablation == RESAMPLE:
        passes = _resampled(run, trials, clean, {v for plan in plans for v in plan.matched})
    for variable, version in passes.items():
        parts = [plan.of_variable(variable) if ablation == RESAMPLE else plan for plan in plans]
        for some in _together([_Asked.of(part, n_controls) for part in parts if part.named]):
            sets = [units for asked in some for units in asked.sets]
            after = say(version, run.suffix, trials.labels, sets, intervention, ablation, strength)
            first = 0
            for asked in some:
                of_dose = after.take(slice(first, first + len(asked.sets)))
                _note(effects, asked, run.tasks, of_dose)
                first += len(asked.sets)
    return effects


@dataclass(frozen=True)
class _Asked:
    """The sets of one dose that are evaluated.

    Attributes:
        n_units: size of every set.
        sets: units of each, (n_units,).
        places: which are the named ones, by (control, variable).
        controls: which are a variable's matched sets.
    """

    n_units: int
    sets: list[np.ndarray]
    places: dict[tuple[str, str], int]
    controls: dict[str, slice]

    @classmethod
    def of(cls, plan: DosePlan, n_controls: int) -> _Asked:
        sets = [*plan.named.values()]
        places = {key: place for place, key in enumerate(plan.named)}
        controls = {}
        for chosen, matched in plan.matched.items():
            if 0 < n_controls <= len(matched):
                controls[chosen] = slice(len(sets), len(sets) + len(matched))
                sets.extend(matched)
        return cls(plan.n_units, sets, places, controls)


def _together(asked: Sequence[_Asked]) -> Iterator[list[_Asked]]:
    """Doses in groups of so many sets that what is said of all can be held.

    What a group costs beside its sets, preparing the trials, it costs once.
    """
    group: list[_Asked] = []
    for one in asked:
        if group and sum(len(a.sets) for a in group) + len(one.sets) > SETS_HELD:
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _resampled(
    run: Run, trials: HookTrials, clean: CleanPass, variables: set[str]
) -> dict[str, CleanPass]:
    """By variable, the clean pass with donors among selection trials that agree on the others.

    A trial whose session has no selection trial keeps its own code.
    """
    pool = run.trials.in_part(SELECTION, held_out=None)
    donors = run.clean_pass(pool)
    passes = {}
    for variable in sorted(variables):
        rng = numpy_generator("donors", run.seed, run.fold, variable)
        places = donors_of(trials, pool, variable, rng)
        passes[variable] = clean.with_donors(donors, places)
    return passes


def _note(effects: Effects, asked: _Asked, tasks: Sequence[str], after: Said) -> None:
    n_units, places = asked.n_units, asked.places
    for task in tasks:
        for metric in METRICS:
            drop = effects.before[task, metric][:, None] - after.metric(metric)[task]
            for (control, variable), place in places.items():
                effects.drop[n_units, control, variable, task, metric] = drop[:, place]
            for variable, of_sets in asked.controls.items():
                summed = np.nansum(drop[:, of_sets], axis=0, dtype=np.float64)
                effects.matched_drop[n_units, variable, task, metric] = summed
        for (control, variable), place in places.items():
            if control == "target":
                effects.said_after[n_units, variable, task] = after.predicted[task][:, place]

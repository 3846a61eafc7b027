"""Units clamped to a dose: does the decoder then say what the units stand for?

The dose is a multiple of the unit's 99th percentile on selection trials, in each latent its own;
the unit is set to it in every test trial, error-preserving, whatever the trial showed. Asked for is
the value that the unit prefers on selection trials (units.csv). Each unit is clamped by itself, and
so are all units together that prefer the same value. Controls: as many living units that are
selective for nothing that is asked here, each with a value drawn at random.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glassbox.decoders.randomness import numpy_generator
from glassbox.dictionaries.activations import HookTrials
from glassbox.dictionaries.splice import NO_CLASS
from glassbox.errors import UserError
from glassbox.interventions.ablation import CleanPass, logits_of_sets
from glassbox.interventions.runs import Run
from glassbox.interventions.suffixes import AnySuffix
from glassbox.tables import read_rows
from glassbox.tensors.splits import SELECTION

PERCENTILE = 99
Row = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """A set of units that is clamped, and the class that is then expected.

    Attributes:
        units: (units,).
        value: index of the class.
        control: `target` or `random`.
        together: all units of that preference at once, not one unit.
    """

    units: np.ndarray
    value: int
    control: str
    together: bool


@dataclass(frozen=True)
class Steered:
    """What the decoder said of trials of other classes, one entry for each `Asked`.

    Attributes:
        n: trials of another class than the one asked for, (asked,).
        before, after: share of them of which it said the one asked for, (asked,).
        gain: mean change of each class's log-probability over them, (asked, classes).
        said: how often it said each class after the clamp, (asked, classes).
    """

    n: np.ndarray
    before: np.ndarray
    after: np.ndarray
    gain: np.ndarray
    said: np.ndarray


@torch.no_grad()
def high_percentile(run: Run) -> torch.Tensor:
    """The 99th percentile of each unit in each latent over selection trials, (latents, width).

    By nearest rank: at most 1% of the trials lie above it.
    """
    latents = run.trials.in_part(SELECTION).latents
    n = len(latents)
    rank = n - int(np.ceil(PERCENTILE / 100 * n)) + 1
    parts = [run.dictionary.encode(one).topk(rank, dim=0).values[-1] for one in latents.unbind(1)]
    return torch.stack(parts)


def read_preferences(
    units_csv: str | Path, classes: Mapping[str, Sequence[str]]
) -> dict[tuple[int, int], dict[str, dict[int, int]]]:
    """By (seed, fold) and variable, the class that each selective unit prefers."""
    found: dict[tuple[int, int], dict[str, dict[int, int]]] = {}
    for line, row in enumerate(read_rows(units_csv), start=2):
        try:
            run = int(row["seed"]), int(row["fold"])
            of_run = found.setdefault(run, {variable: {} for variable in classes})
            names = classes.get(row["variable"], ())
            if row["selective"] == "true" and row["preferred"] in names:
                of_run[row["variable"]][int(row["unit"])] = names.index(row["preferred"])
        except (KeyError, ValueError, TypeError):
            raise UserError(
                f"{units_csv}, line {line}: expected a row of the table units; run the rule "
                "measure_units again."
            ) from None
    return found


def asked_of(
    run: Run,
    preferences: Mapping[str, Mapping[int, int]],
    ranked: np.ndarray,
    variable: str,
    n_classes: int,
    most: int,
    seed: int,
) -> list[Asked]:
    """What is clamped for a variable: its units, groups of them, and as many controls.

    Args:
        run: the decoder with its dictionary.
        preferences: class that each selective unit prefers, by variable.
        ranked: selective units, best first; with a bound on their number the first are taken.
        variable, n_classes: what is asked for.
        most: units at most that are clamped by themselves; 0: all.
        seed: of the controls.
    """
    prefers = preferences[variable]
    units = np.array([u for u in ranked if int(u) in prefers], dtype=np.int64)
    rng = numpy_generator("steering", seed, run.seed, run.fold, variable)
    selective = {unit for of_one in preferences.values() for unit in of_one}
    others = np.array([u for u in np.flatnonzero(run.alive) if u not in selective], dtype=np.int64)
    asked = []
    alone = units[:most] if most else units
    asked += [Asked(np.array([u]), prefers[int(u)], "target", False) for u in alone]
    drawn = rng.permutation(others)[: len(alone)]
    asked += [Asked(np.array([u]), int(rng.integers(n_classes)), "random", False) for u in drawn]
    for value in range(n_classes):
        group = np.array([u for u in units if prefers[int(u)] == value], dtype=np.int64)
        if len(group):
            asked.append(Asked(np.sort(group), value, "target", True))
        if 0 < len(group) <= len(others):
            drawn = np.sort(rng.permutation(others)[: len(group)])
            asked.append(Asked(drawn, value, "random", True))
    return asked


def steer(
    clean: CleanPass,
    suffix: AnySuffix,
    labels: np.ndarray,
    asked: Sequence[Asked],
    level: torch.Tensor,
    task: str,
    strength: float = 1.0,
) -> Steered:
    """Clamp each set of units and read the decoder.

    Args:
        clean: the clean pass of the trials.
        suffix: the decoder after the hook.
        labels: class index of the task, (trials,), −1 where a trial has none.
        asked: what is clamped.
        level: what units are clamped to, (latents, width).
        task: the variable that is read.
        strength: share of the way from the activation to the clamp.
    """
    clamped = replace(clean, mean=level)
    n = len(asked)
    wanted = np.array([one.value for one in asked])
    counted = (labels[:, None] != wanted) & (labels[:, None] != NO_CLASS)
    totals: dict[str, Any] = {}
    nothing = np.zeros((1, 0), dtype=np.int64)
    for _, _, logits in logits_of_sets(clean, suffix, nothing, "error_preserving", "zero"):
        totals.setdefault("clean", []).append(logits[task][:, 0])
    before = torch.cat(totals["clean"]).log_softmax(-1)
    n_classes = before.shape[1]
    said_before = before.argmax(-1).numpy()
    gain, said = np.zeros((n, n_classes)), np.zeros((n, n_classes), dtype=np.int64)
    sets = [one.units for one in asked]
    blocks = logits_of_sets(clamped, suffix, sets, "error_preserving", "mean", strength)
    for trials, of_sets, logits in blocks:
        use = counted[trials, of_sets]
        after = logits[task].log_softmax(-1)
        moved = (after - before[trials, None]).numpy()
        gain[of_sets] += np.einsum("ts,tsc->sc", use, moved, dtype=np.float64)
        for value in range(n_classes):
            said[of_sets, value] += ((after.argmax(-1).numpy() == value) & use).sum(0)
    many = counted.sum(0)
    share = np.maximum(many, 1)
    return Steered(
        many,
        ((said_before[:, None] == wanted) & counted).sum(0) / share,
        said[np.arange(n), wanted] / share,
        gain / share[:, None],
        said,
    )


def steering_rows(
    about: Row,
    run: Run,
    trials: HookTrials,
    preferences: Mapping[str, Mapping[int, int]],
    ranked: Mapping[str, np.ndarray],
    classes: Mapping[str, Sequence[str]],
    doses: Sequence[float],
    most_units: int,
    seed: int,
) -> Iterator[Row]:
    """Rows of steering.csv of one seed and fold.

    Args:
        about: columns that name the cohort, the hook and the dictionary.
        trials: test trials.
        preferences, ranked, most_units, seed: see `asked_of`.
        classes: names of the classes by variable.
        doses: multiples of the 99th percentile.
    """
    clean, level = run.clean_pass(trials), high_percentile(run)
    for variable, names in classes.items():
        found = asked_of(run, preferences, ranked[variable], variable, len(names), most_units, seed)
        for dose in doses if found else ():
            told = steer(clean, run.suffix, trials.labels[variable], found, dose * level, variable)
            for i, one in enumerate(found):
                moved_to = int(told.gain[i].argmax())
                yield about | {
                    "seed": run.seed,
                    "fold": run.fold,
                    "variable": variable,
                    "control": one.control,
                    "unit": None if one.together else int(one.units[0]),
                    "n_units": len(one.units),
                    "asked": names[one.value],
                    "dose": float(dose),
                    "before": float(told.before[i]),
                    "after": float(told.after[i]),
                    "gain": float(told.gain[i, one.value]),
                    "moved_to": names[moved_to],
                    "moved": moved_to == one.value,
                    "predicted": names[int(told.said[i].argmax())],
                    "n": int(told.n[i]),
                }

"""Measure every living unit of a cohort's dictionaries: rows of units.csv and tuning.csv."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from glassbox.confounded import CONFOUNDED
from glassbox.files import replacing_file
from glassbox.options import to_json
from glassbox.tables import write_table
from glassbox.units.activations import Activations, DictionaryFolder, runs_of
from glassbox.units.behaviour import behaviour_test
from glassbox.units.genotype import claim_genotype, estimable, line_codes
from glassbox.units.groups import group_codes
from glassbox.units.intervals import line_interval, share_interval
from glassbox.units.mice import MouseTable, mouse_table, take_mice
from glassbox.units.options import UnitOptions
from glassbox.units.partners import Matched, partner_correlations
from glassbox.units.places import (
    PlaceTest,
    area_test,
    depth_test,
    estimable_mice,
    session_test,
)
from glassbox.units.posterior import claimed, probability_below
from glassbox.units.selectivity import preferred
from glassbox.units.summaries import describe_tuning
from glassbox.units.trials import claim_trials
from glassbox.units.tuning import Tuning, tuning_curves
from glassbox.units.variables import DIRECTION, ORIENTATION, axial
from glassbox.units.variance import Explained, explained_variance

GENOTYPE, AREA, DEPTH, SESSION = "genotype", "area", "depth", "session"
Row = dict[str, Any]
Columns = dict[str, np.ndarray]


@dataclass
class Measured:
    """Rows of the two tables, and what a reader must know beside them."""

    units: list[Row] = field(default_factory=list)
    tuning: list[Row] = field(default_factory=list)
    notes: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Run:
    """The units of one seed and fold, and where their rows go.

    Attributes:
        folder: of stage 4.
        seen: selection trials; unseen: selection and test trials; trained: training trials.
        who: what names the rows.
        options: of the measurement.
        partners: of the living units in other seeds; None where there is one seed.
        measured: the rows so far.
    """

    folder: DictionaryFolder
    seen: Activations
    unseen: Activations
    trained: Activations
    who: Row
    options: UnitOptions
    partners: Matched | None
    measured: Measured

    def note(self, variable: str, note: str) -> None:
        """Say what is missing of a variable."""
        self.measured.notes.append(self.who | {"variable": variable, "note": note})

    def add(self, variable: str, columns: Mapping[str, np.ndarray]) -> None:
        """The living units' rows of one variable."""
        alive = self.seen.alive()
        common: Columns = {"density": self.seen.density[alive]}
        if self.partners is not None:
            common["partner_correlation"] = self.partners[0]
            common["partner_chance"] = np.full(len(alive), self.partners[1])
        plain = {name: column.tolist() for name, column in (common | dict(columns)).items()}
        for i, unit in enumerate(alive.tolist()):
            of_unit = {name: column[i] for name, column in plain.items()}
            self.measured.units.append(self.who | {"unit": unit, "variable": variable} | of_unit)

    def add_tuning(self, variable: str, tuning: Tuning, conditions: Sequence) -> None:
        """The living units' rows of tuning.csv of one variable."""
        alive = self.seen.alive()
        self.measured.tuning.extend(_tuning_rows(self.who, variable, alive, tuning, conditions))


def measure_units(
    dictionary: str | Path, out: str | Path, cohort: str, level: str, options: UnitOptions
) -> None:
    """Write `units.csv`, `tuning.csv` and `units.json` into the folder `out`."""
    folder = DictionaryFolder.open(dictionary)
    measured = Measured()
    of_run = {(seed, fold): seen for seed, fold, seen in runs_of(folder)}
    partners = _partners(of_run, options)
    for (seed, fold), seen in of_run.items():
        who = {
            "cohort": cohort,
            "level": level,
            "seed": seed,
            "fold": fold,
            "hook": folder.hook,
            "dictionary": folder.dictionary,
        }
        others = folder.unseen(seed, fold), folder.trained(seed, fold)
        run = Run(folder, seen, *others, who, options, partners.get((seed, fold)), measured)
        measure_run(run)
    out = Path(out)
    write_table("units", out / "units.csv", measured.units)
    write_table("tuning", out / "tuning.csv", measured.tuning)
    notes = {"options": json.loads(to_json(options)), "notes": measured.notes}
    with replacing_file(out / "units.json") as file:
        file.write_text(json.dumps(notes, indent=1, sort_keys=True) + "\n")


def measure_run(run: Run) -> None:
    """Add the rows of one seed and fold."""
    _measure_tasks(run)
    if DIRECTION in run.folder.classes and len(run.seen.activation):
        tasks = {*run.folder.classes, *chain(*(o.classes for o in run.folder.others.values()))}
        if ORIENTATION not in tasks:
            _measure_task(run, DIRECTION, ORIENTATION)
    for other in run.folder.others.values():
        at = run.who["seed"], run.who["fold"]
        parts = {"unseen": other.unseen(*at), "trained": other.trained(*at)}
        there = replace(run, folder=other, seen=other.selection(*at), **parts)
        _measure_tasks(there)
    if len(run.seen.activation):
        _measure_behaviour(run)
        if len({s.mouse for s in run.folder.sessions if not s.held_out}) > 1:
            _measure_genotype(run)
            _measure_places(run)


def _measure_tasks(run: Run) -> None:
    """The variables of one stimulus, on its own trials."""
    for task in run.folder.classes:
        if len(run.seen.activation):
            _measure_task(run, task, task)
        else:
            run.note(task, "no selection trials")


def mice_of(folder: DictionaryFolder, activations: Activations) -> MouseTable:
    """The mice of the selection trials, over the living units."""
    return mouse_table(
        activations.activation[:, activations.alive()],
        activations.session,
        {i: s.mouse for i, s in enumerate(folder.sessions)},
        {s.mouse: s.cre_line for s in folder.sessions},
    )


def _partners(
    of_run: Mapping[tuple[int, int], Activations], options: UnitOptions
) -> dict[tuple[int, int], Matched]:
    """Seeds of one fold share their trials, so that their units can be compared."""
    found = {}
    for fold in sorted({fold for _, fold in of_run}):
        here = {seed: seen for (seed, f), seen in of_run.items() if f == fold}
        living = {seed: seen.activation[:, seen.alive()] for seed, seen in here.items()}
        some = next(iter(here.values()))
        if len(here) > 1 and len(some.activation):
            strata = group_codes(some.session, some.block)
            matched = partner_correlations(living, strata, options.seed)
            found |= {(seed, fold): partner for seed, partner in matched.items()}
    return found


def _measure_task(run: Run, task: str, variable: str) -> None:
    """A variable that changes from trial to trial, read from the labels of a task."""
    options, seen = run.options, run.seen
    values = seen.activation[:, seen.alive()].astype(float)
    classes, label, others = _labels(run, seen, task, variable)
    test = claim_trials(values, label, seen.session, seen.block, others, options)
    strata = group_codes(seen.session, seen.block)
    effect = test.explained.omega2
    low, high = share_interval(values, label, strata, effect, options.resamples, options.seed)
    tuning = tuning_curves(values, label, len(classes))
    columns = {
        "score": test.explained.eta2,
        "preferred": _preferred(tuning, classes),
        "effect_size": effect,
        "ci_low": low,
        "ci_high": high,
        "p": test.p,
        "q": test.q,
        "selective": test.selective,
    }
    columns |= describe_tuning(variable, tuning, classes, values, label, seen.session)
    run.add(variable, columns | _unseen(run, task, variable))
    run.add_tuning(variable, tuning, classes)


def _labels(
    run: Run, trials: Activations, task: str, variable: str
) -> tuple[tuple[float, ...], np.ndarray, tuple[np.ndarray, ...]]:
    """Classes of a variable, the class of each trial, and the labels of the other tasks."""
    classes, label = tuple(run.folder.classes[task]), trials.label[task]
    if variable != task:  # orientation, of directions
        classes, label = axial(classes, label)
    return classes, label, tuple(of for other, of in trials.label.items() if other != task)


def _unseen(run: Run, task: str, variable: str) -> Columns:
    """What all trials say that nothing was trained on, and which units are claimed by them."""
    found, trained = (
        _explained(run, trials, task, variable) for trials in (run.unseen, run.trained)
    )
    below = probability_below(found, run.options.min_effect, trained)
    return {
        "effect_size_unseen": found.omega2,
        "p_small": below,
        "claimed": claimed(below, run.options.q),
    }


def _explained(run: Run, trials: Activations, task: str, variable: str) -> Explained:
    values = trials.activation[:, run.seen.alive()].astype(float)
    _, label, others = _labels(run, trials, task, variable)
    strata = group_codes(trials.session, trials.block)
    return explained_variance(values, label, strata, others, run.options.min_effect)


def _measure_behaviour(run: Run) -> None:
    options, seen = run.options, run.seen
    values = seen.activation[:, seen.alive()]
    for name in options.behaviour:
        if name not in seen.behaviour:
            continue
        test = behaviour_test(
            values,
            seen.behaviour[name],
            seen.session,
            options.permutations,
            options.resamples,
            options.seed,
        )
        if test is None:
            run.note(name, "not recorded, or it never changes, on the selection trials")
            continue
        columns = {
            "score": test.share,
            "effect_size": test.effect_size,
            "ci_low": test.low,
            "ci_high": test.high,
            "p": test.p,
            "q": test.q,
            "selective": _large(test.q, test.effect_size, options),
            "rank_correlation": test.correlation,
        }
        run.add(name, columns)


def _measure_genotype(run: Run) -> None:
    options = run.options
    if run.folder.holds_session:
        run.note(GENOTYPE, CONFOUNDED)
    table, note = estimable(mice_of(run.folder, run.seen))
    if note:
        run.note(GENOTYPE, note)
    if not table.mouse:
        return
    lines, codes = line_codes(table)
    test = claim_genotype(table, options.labelings, options.seed)
    tuning = tuning_curves(table.mean, codes, len(lines))
    low, high = line_interval(table, codes, test.effect_size, options.resamples, options.seed)
    columns = {
        "score": test.score,
        "preferred": _preferred(tuning, lines),
        "effect_size": test.effect_size,
        "ci_low": low,
        "ci_high": high,
        "p": test.p,
        "q": test.q,
        "selective": test.selective(options.q, options.min_effect),
    }
    run.add(GENOTYPE, columns)
    run.add_tuning(GENOTYPE, tuning, lines)


def _measure_places(run: Run) -> None:
    """Area and depth, over mice; the session, over runs of trials."""
    options, seen = run.options, run.seen
    table = mice_of(run.folder, seen)
    for variable, value_of in _places(run.folder).items():
        mice, note = estimable_mice(table, value_of)
        if note:
            run.note(variable, note)
            continue
        here = take_mice(table, mice)
        values, codes = np.unique(
            np.array([value_of[mouse] for mouse in here.mouse]), return_inverse=True
        )
        tuning = tuning_curves(here.mean, codes, len(values))
        given = (options.labelings, options.resamples, options.seed)
        if variable == AREA:
            test = area_test(here, codes, *given)
        else:
            test = depth_test(here, values[codes], *given)
        run.add(variable, _of_place(test, options) | {"preferred": _preferred(tuning, values)})
        run.add_tuning(variable, tuning, values.tolist())
    present = np.unique(seen.session)
    if len(present) > 1:
        values = seen.activation[:, seen.alive()].astype(float)
        test = session_test(
            values, seen.session, seen.block, options.permutations, options.resamples, options.seed
        )
        names = [s.session for s in run.folder.sessions]
        tuning = tuning_curves(values, seen.session, len(names))
        run.add(SESSION, _of_place(test, options) | {"preferred": _preferred(tuning, names)})


def _places(folder: DictionaryFolder) -> dict[str, dict[str, Any]]:
    """Area and depth of each mouse that has one of them."""
    areas: dict[str, set] = {}
    depths: dict[str, set] = {}
    for session in folder.sessions:
        if not session.held_out:
            areas.setdefault(session.mouse, set()).add(session.area)
            depths.setdefault(session.mouse, set()).add(session.depth_um)
    return {
        AREA: {m: a for m, (a, *more) in areas.items() if a and not more},
        DEPTH: {m: d for m, (d, *more) in depths.items() if np.isfinite(d) and not more},
    }


def _of_place(test: PlaceTest, options: UnitOptions) -> Columns:
    columns = {
        "score": test.score,
        "effect_size": test.effect_size,
        "ci_low": test.low,
        "ci_high": test.high,
        "p": test.p,
        "q": test.q,
        "selective": _large(test.q, test.effect_size, options),
    }
    return columns if test.correlation is None else columns | {"rank_correlation": test.correlation}


def _large(q: np.ndarray, effect: np.ndarray, options: UnitOptions) -> np.ndarray:
    return (q < options.q) & (effect >= options.min_effect)


def _preferred(tuning: Tuning, conditions: Sequence) -> np.ndarray:
    """The condition with the largest mean, (units,) of objects; None for a unit at rest."""
    best = preferred(tuning.response)
    return np.array([conditions[b] if b >= 0 else None for b in best.tolist()], dtype=object)


def _tuning_rows(
    who: Row, variable: str, alive: np.ndarray, tuning: Tuning, conditions: Sequence
) -> Iterator[Row]:
    response, sem, n = tuning.response.tolist(), tuning.sem.tolist(), tuning.n.tolist()
    for i, unit in enumerate(alive):
        for c, condition in enumerate(conditions):
            yield who | {
                "unit": int(unit),
                "variable": variable,
                "condition": condition,
                "response": response[i][c],
                "sem": sem[i][c],
                "n": n[c],
            }

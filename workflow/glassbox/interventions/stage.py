"""The interventions on one cohort's units: every seed, on test trials."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.randomness import numpy_generator, seed_of
from glassbox.dictionaries.activations import HookTrials, open_sessions
from glassbox.errors import UserError
from glassbox.interventions.ablation import ABLATIONS, INTERVENTIONS, KEEPING, RESAMPLE
from glassbox.interventions.bases import choose_components, components_taken_away
from glassbox.interventions.effects import effects_of
from glassbox.interventions.mediators import mediated, mediator_rows
from glassbox.interventions.options import InterventionOptions
from glassbox.interventions.patching import patching_rows
from glassbox.interventions.plan import doses_of, plan_doses
from glassbox.interventions.ranking import Ranked, rank_units, read_candidates
from glassbox.interventions.rows import (
    CONTROL_COLUMNS,
    ablation_rows,
    confusion_rows,
    control_rows,
)
from glassbox.interventions.runs import DictionaryFacts, Run, capped, open_run
from glassbox.interventions.steering import read_preferences, steering_rows
from glassbox.progress import Progress
from glassbox.statistics import bootstrap_weights
from glassbox.tables import write_rows, write_table
from glassbox.tensors.splits import TEST
from glassbox.units.options import UnitOptions

PRIMARY = ("error_preserving", "zero")
# What the dictionary fails to write would tell by itself, were it kept beside the kept units.
SUFFICIENCY = ("spliced", "keep_mean")
POOLED = "pooled"


def ablate_units(
    decoder_folder: str | Path,
    dictionary_folder: str | Path,
    units_csv: str | Path,
    tensors: Sequence[str | Path],
    out: str | Path,
    options: InterventionOptions,
    unit_options: UnitOptions,
) -> None:
    """Write the tables of this stage of a cohort into `out`.

    Args:
        decoder_folder, dictionary_folder, units_csv, tensors: of the cohort.
        out: folder to write into.
        options: of this stage.
        unit_options: those that units.csv was made with; components of other bases are chosen
            by the same test.
    """
    facts = DictionaryFacts.read(dictionary_folder)
    decoder = FittedDecoder.load(decoder_folder, *facts.runs[0])
    sessions = open_sessions(decoder, tensors)
    tasks = tuple(decoder.tasks)
    candidates = read_candidates(units_csv, tasks)
    about = _about(facts)
    classes = {task: [f"{value:g}" for value in values] for task, values in decoder.tasks.items()}
    preferences = read_preferences(units_csv, classes)
    names = ("ablation", "confusion", "controls", "steering", "patching", "mediators")
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    seeds = sorted({seed for seed, _ in facts.runs})
    conditions = list(product(INTERVENTIONS, (*ABLATIONS, RESAMPLE, *KEEPING)))

    def some(run: Run, test: HookTrials, what: str) -> HookTrials:
        drawn = options.seed, run.seed, run.fold, what
        return capped(test, options.steering_trials, *drawn)

    progress = Progress(len(seeds) * (6 + len(conditions)), f"ablate_units {facts.cohort}")
    for seed in seeds:
        folds, ranked = [], []
        for fold in sorted(f for s, f in facts.runs if s == seed):
            if (seed, fold) not in candidates:
                raise UserError(
                    f"{units_csv}: no unit of seed {seed}, fold {fold}; run the rule "
                    "measure_units again."
                )
            run = open_run(decoder_folder, dictionary_folder, sessions, seed, fold)
            test = run.trials.in_part(TEST)
            test = capped(test, options.max_trials, options.seed, seed, fold, "test")
            rng = numpy_generator("shuffled labels", options.seed, seed, fold)
            ranked.append(rank_units(run, candidates[seed, fold], options, rng))
            folds.append((run, test))
        doses = {
            task: doses_of(options.doses, min(len(r.target[task]) for r in ranked))
            for task in tasks
        }
        planned = [
            (run, test, plan_doses(run, order, doses, options.n_controls, options.seed))
            for (run, test), order in zip(folds, ranked, strict=True)
        ]
        progress.step()
        for (run, test), order in zip(folds, ranked, strict=True):
            tables["steering"] += steering_rows(
                about,
                run,
                some(run, test, "steering"),
                preferences[seed, run.fold],
                order.target,
                classes,
                options.steering_doses,
                options.steering_units,
                options.seed,
            )
        progress.step()
        labels = {task: np.concatenate([t.labels[task] for _, t in folds]) for task in tasks}
        weights = _weights([t for _, t in folds], "ablation", seed, options)
        for condition in conditions:
            intervention, ablation = condition
            with_controls = options.controls_for == "all" or condition in (PRIMARY, SUFFICIENCY)
            effects = effects_of(
                planned, intervention, ablation, options.n_controls if with_controls else 0
            )
            here = about | {"seed": seed, "intervention": intervention, "ablation": ablation}
            plain = {k: v for k, v in here.items() if k not in ("mouse", "session")}
            tables["ablation"] += ablation_rows(here, effects, doses, weights, with_controls)
            tables["controls"] += control_rows(plain, effects)
            if ablation not in KEEPING:
                tables["confusion"] += confusion_rows(plain, effects, labels, classes, doses)
            progress.step()
        for strength in options.strengths:
            effects = effects_of(planned, *PRIMARY, 0, strength)
            here = about | {"seed": seed, "intervention": PRIMARY[0], "ablation": PRIMARY[1]}
            tables["ablation"] += ablation_rows(here, effects, doses, weights, False, strength)
        progress.step()
        tables["patching"] += patching_rows(
            about | {"seed": seed},
            [(run, some(run, test, "patching"), plans) for run, test, plans in planned],
            doses,
            options.patching_controls,
            options.resamples,
            options.seed,
        )
        progress.step()
        plain = {k: v for k, v in about.items() if k != "dictionary"} | {"seed": seed}
        if options.baselines:
            tables["mediators"] += _of_bases(plain, folds, ranked, weights, options, unit_options)
        progress.step()
        few = [(run, some(run, test, "mediators")) for run, test in folds]
        lost = [
            mediated(
                run,
                FittedDecoder.load(decoder_folder, seed, run.fold),
                sessions,
                test,
                doses,
                options.mediator_controls,
                options.seed,
            )
            for run, test in few
        ]
        weights = _weights([t for _, t in few], "mediators", seed, options)
        tables["mediators"] += mediator_rows(plain, lost, weights)
        progress.step()
    progress.close()
    write_tables(out, tables)


def _of_bases(
    about: dict[str, Any],
    folds: Sequence[tuple[Run, HookTrials]],
    ranked: Sequence[Ranked],
    weights: np.ndarray,
    options: InterventionOptions,
    unit_options: UnitOptions,
) -> Iterator[dict[str, Any]]:
    """Rows of mediators.csv: components of other bases, beside the dictionary's units."""
    chosen = [
        choose_components(run, order.target, options, unit_options)
        for (run, _), order in zip(folds, ranked, strict=True)
    ]
    doses = {
        basis: {
            task: doses_of(options.doses, min(len(one[basis].order[task]) for one in chosen))
            for task in folds[0][0].tasks
        }
        for basis in chosen[0]
    }
    given = doses, options.mediator_controls, options.seed
    lost = [
        components_taken_away(one, test, *given)
        for one, (_, test) in zip(chosen, folds, strict=True)
    ]
    return mediator_rows(about, lost, weights)


def write_tables(out: str | Path, tables: dict[str, list[dict[str, Any]]]) -> None:
    """Write the tables of this stage into the folder `out`, each atomically."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        if name == "controls":
            write_rows(out / "controls.csv", CONTROL_COLUMNS, rows)
        else:
            write_table(name, out / f"{name}.csv", rows)


def _weights(
    folds: Sequence[HookTrials], what: str, seed: int, options: InterventionOptions
) -> np.ndarray:
    """Bootstrap weights of the folds' trials, one after the other, (resamples, trials)."""
    sessions = np.concatenate([trials.session_index for trials in folds])
    several = len(np.unique(sessions)) > 1
    drawn = seed_of(what, options.seed, seed)
    return bootstrap_weights(len(sessions), drawn, options.resamples, sessions if several else None)


def _about(facts: DictionaryFacts) -> dict[str, Any]:
    """Columns that name the cohort; mouse and session only where there is one."""
    body = [s for s in facts.sessions if not s["held_out"]]
    mice = {s["mouse"] for s in body}
    return {
        "cohort": facts.cohort,
        "level": facts.level,
        "mouse": mice.pop() if len(mice) == 1 else None,
        "session": body[0]["session"] if len(body) == 1 else POOLED,
        "hook": facts.hook,
        "dictionary": facts.dictionary,
    }

"""Decoders against baselines on the same test trials, and what cohorts come to as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from glassbox.decoders.cohort_marks import (
    ENSEMBLE,
    CohortMarks,
    Named,
    References,
    Session,
    Where,
)
from glassbox.decoders.marks import Marks, same_trials
from glassbox.decoders.randomness import seed_of
from glassbox.decoders.resampling import interval, over_cohort, trial_weights
from glassbox.errors import UserError
from glassbox.statistics import exact_interval
from glassbox.tables import write_table
from glassbox.tensors.splits import PART_NAMES, TEST

CHOSEN = (
    "chosen"  # in the place of a baseline: of each session the one that selection trials prefer
)
POOLED = "pooled"  # in the place of a fold: the trials of all folds together

Row = dict[str, Any]


def compare_decoders(
    decoders: Sequence[str | Path],
    references: Sequence[str | Path],
    comparisons: str | Path,
    summaries: str | Path,
) -> None:
    """Compare the decoders of all cohorts with the baselines of their sessions.

    Args:
        decoders: folders of decoders, or the decoder.json in each, predictions.npz beside it.
        references: predictions of the baselines, one file a session.
        comparisons: table to make: paired differences, with intervals.
        summaries: table to make, rows of decoding.csv: the ensembles of seeds, and each model over
            all sessions of each cohort.

    Raises:
        UserError: a file is missing or damaged, or a decoder and a baseline answered different
            trials.
    """
    known = References(references)
    differences, decoding = [], []
    for folder in decoders:
        cohort = CohortMarks(folder)
        for task in cohort.tasks:
            _compare_task(cohort, known, task, differences, decoding)
    write_table("comparisons", comparisons, differences)
    write_table("decoding", summaries, decoding)


@dataclass
class _OverSessions:
    """What a row over a cohort is made of: drawn values of its sessions, (1 + resamples,) each."""

    drawn: list[np.ndarray] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    chances: list[float] = field(default_factory=list)
    n: int = 0

    def add(self, drawn: np.ndarray, session: Session, n: int, chance: float = 0.0) -> None:
        self.drawn.append(drawn.astype(np.float32))
        self.sessions.append(session)
        self.chances.append(chance)
        self.n += n

    def value(self, seed: int) -> tuple[float, float, float]:
        """The mean over sessions, and its interval over mice, sessions and trials."""
        drawn = np.stack(self.drawn)
        mice = [session.mouse for session in self.sessions]
        low, high = interval(over_cohort(drawn[:, 1:], mice, seed))
        return float(drawn[:, 0].mean(dtype=np.float64)), low, high


def _compare_task(
    cohort: CohortMarks, known: References, task: str, differences: list[Row], decoding: list[Row]
) -> None:
    """Add the rows of one task: of each session, then of the cohort."""
    compared: dict[tuple[Named, str, str], _OverSessions] = {}
    scored: dict[tuple[str, str], _OverSessions] = {}
    for session in cohort.sessions:
        where = (session.name, task)
        if where not in cohort.by_part:
            continue
        models, baselines = cohort.test(where), known.test.get(where, {})
        if baselines:
            # Behaviour may be recorded in too few trials of a stimulus to fit a baseline there.
            fitted = set(np.concatenate([m.trials["stimulus"] for m in baselines.values()]))
            models = {n: [m.of_stimuli(fitted) for m in seeds] for n, seeds in models.items()}
        if not all(marks.n for seeds in models.values() for marks in seeds):
            continue  # no test trial has a label
        _refuse_other_trials(cohort, where, models, baselines)
        drawn = _drawn(where, models | {(name, None): [m] for name, m in baselines.items()})
        for (model, seed), by_metric in drawn.items():
            marks = models[model, seed][0] if (model, seed) in models else baselines[model]
            for metric, values in by_metric.items() if seed is None else ():
                over = scored.setdefault((model, metric), _OverSessions())
                over.add(values, session, marks.n, marks.chance(metric))
        decoding += _ensemble_rows(cohort, session, task)
        chosen = known.chosen(where)
        for named in models:
            for baseline, marks in baselines.items():
                # Each seed is held against the chosen baseline alone, their mean against all.
                if baseline != chosen and named[1] is not None:
                    continue
                for metric in marks.metrics:
                    values = drawn[named][metric] - drawn[baseline, None][metric]
                    about = {**_about(cohort, [session]), "session": session.name}
                    is_chosen = baseline == chosen
                    named_row = _named(task, named, baseline, is_chosen, metric)
                    low, high = interval(values[1:])
                    numbers = _numbers("difference", (values[0], low, high), marks.n)
                    differences.append({**about, **named_row, **numbers})
                    places = [baseline] if named[1] is None else []
                    for place in [*places, CHOSEN] if is_chosen else places:
                        over = compared.setdefault((named, place, metric), _OverSessions())
                        over.add(values, session, marks.n)
    seed = seed_of("cohort", cohort.name, task)
    for (named, baseline, metric), over in compared.items():
        named_row = _named(task, named, baseline, baseline == CHOSEN, metric)
        numbers = _numbers("difference", over.value(seed), over.n)
        differences.append({**_about(cohort, over.sessions), **named_row, **numbers})
    for (model, metric), over in scored.items():
        named_row = _tested(task, model, metric, TEST)
        numbers = _numbers("value", over.value(seed), over.n)
        chance = {"chance": float(np.mean(over.chances))}
        decoding.append({**_about(cohort, over.sessions), **named_row, **numbers, **chance})


def _drawn(
    where: Where, models: Mapping[Named, Sequence[Marks]]
) -> dict[Named, dict[str, np.ndarray]]:
    """Each metric of each model, the mean over seeds: its value and its resamples.

    All models see the same resamples of the trials, so that differences of them are paired.
    """
    n = next(iter(models.values()))[0].n
    weights = trial_weights(n, seed_of("trials", *where))
    kept: dict[int, dict[str, np.ndarray]] = {}
    for seeds in models.values():
        for marks in seeds:
            if id(marks) not in kept:
                kept[id(marks)] = {m: marks.drawn(m, weights) for m in marks.metrics}
    return {
        named: {m: np.mean([kept[id(s)][m] for s in seeds], axis=0) for m in seeds[0].metrics}
        for named, seeds in models.items()
    }


def _ensemble_rows(cohort: CohortMarks, session: Session, task: str) -> Iterator[Row]:
    """Rows of decoding.csv of the ensembles of seeds, on selection and on test trials."""
    for (model, _), by_part in cohort.by_part[session.name, task].items():
        for part, marks in by_part.items() if model.endswith(ENSEMBLE) else ():
            for metric in marks.metrics if marks.n else ():
                seed = seed_of(cohort.name, session.name, task, model, part, metric)
                values = marks.drawn(metric, trial_weights(marks.n, seed))
                low, high = interval(values[1:])
                if metric == "accuracy":
                    low, high = exact_interval(int(marks.by_metric[metric].sum()), marks.n)
                yield {
                    **_about(cohort, [session]),
                    "session": session.name,
                    **_tested(task, model, metric, part),
                    **_numbers("value", (values[0], low, high), marks.n),
                    "chance": marks.chance(metric),
                }


def _refuse_other_trials(
    cohort: CohortMarks,
    where: Where,
    models: Mapping[Named, Sequence[Marks]],
    baselines: Mapping[str, Marks],
) -> None:
    every = [marks for seeds in models.values() for marks in seeds]
    for baseline, marks in baselines.items():
        if not all(same_trials(marks, other) for other in every):
            raise UserError(
                f"{cohort.path}: {where[0]}, {where[1]}: the trials are not those of the baseline "
                f"{baseline}. Delete the decoder and the reference of this session and run "
                "train_decoder and fit_reference again."
            )


def _about(cohort: CohortMarks, sessions: Iterable[Session]) -> Row:
    """Cohort and split, and mouse and Cre line where all sessions have one in common."""
    mice, lines = {s.mouse for s in sessions}, {s.cre_line for s in sessions}
    return {
        "cohort": cohort.name,
        "level": cohort.level,
        "mouse": mice.pop() if len(mice) == 1 else "",
        "genotype": lines.pop() if len(lines) == 1 else "",
        "split": cohort.split,
    }


def _named(task: str, named: Named, baseline: str, chosen: bool, metric: str) -> Row:
    model, seed = named
    return {
        "task": task,
        "model": model,
        "seed": seed,
        "baseline": baseline,
        "chosen": chosen,
        "metric": metric,
    }


def _tested(task: str, model: str, metric: str, part: int) -> Row:
    where = {"fold": POOLED, "part": PART_NAMES[part]}
    return {**where, "task": task, "model": model, "metric": metric}


def _numbers(name: str, value: tuple[float, float, float], n: int) -> Row:
    middle, low, high = value
    return {name: float(middle), "ci_low": low, "ci_high": high, "n": n}

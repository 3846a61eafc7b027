"""Which cells each unit of a cohort's dictionaries hears, and what it loses without them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.randomness import numpy_generator
from glassbox.dictionaries.activations import DecodedSession
from glassbox.interventions.attribution_options import AttributionOptions
from glassbox.interventions.deletion import deleter_of, deletions, variance_of_cells
from glassbox.interventions.integrated import attributions, pulls
from glassbox.interventions.ranking import Candidates
from glassbox.interventions.runs import Run
from glassbox.tables import as_text
from glassbox.tensors.splits import SELECTION, TEST, TRAIN
from glassbox.units.tuning import tuning_curves

TUNING = tuple(
    "cohort seed fold session unit subject index cell_specimen_id variable condition response sem "
    "n".split()
)
Row = dict[str, Any]


@dataclass(frozen=True)
class Attributed:
    """What the cells of one session add to the units of a run.

    Attributes:
        weight: mean over the attributed trials, (units, cells) f8; NaN for a unit without one.
        trials: how many they are, (units,).
        error: by how much the parts of a pair of trial and unit miss the difference between its
            ends, as a share of it, (pairs,).
    """

    weight: np.ndarray
    trials: np.ndarray
    error: np.ndarray


@dataclass
class Traces:
    """Rows of attribution.csv, of attribution_check.csv, of tuning.csv, and notes on each run."""

    cells: list[Row]
    checks: list[Row]
    tuning: list[Row]
    notes: list[Row]

    def __iadd__(self, more: Traces) -> Traces:
        """Of the tuning the first run's alone is kept: it is what the figure shows."""
        self.cells += more.cells
        self.checks += more.checks
        self.tuning = self.tuning or more.tuning
        self.notes += more.notes
        return self


def trace_run(
    who: Row,
    decoder: FittedDecoder,
    run: Run,
    sessions: Sequence[DecodedSession],
    candidates: Candidates,
    options: AttributionOptions,
) -> Traces:
    """Which cells the units of one run hear, and what units lose without theirs.

    Cells are deleted in the first session of the body alone, for the units of each variable that
    are most selective; the tuning is of those units with their cells.
    """
    found = attribute_run(decoder, run, sessions, options)
    errors = np.concatenate([f.error for f in found])
    note = {
        "seed": run.seed,
        "fold": run.fold,
        "pairs_of_trial_and_unit": len(errors),
        "completeness_error_median": float(f"{np.median(errors):.3g}"),
        "completeness_error_largest": float(f"{errors.max(initial=0.0):.3g}"),
    }
    first = next(i for i, session in enumerate(sessions) if not session.held_out)
    chosen = most_selective(candidates, options.checked)
    units = tuple(dict.fromkeys(unit for _, unit, _ in chosen))
    named = {key: who[key] for key in ("cohort", "seed", "fold")}
    shown = decoder, run, sessions[first], first, found[0]
    return Traces(
        list(attribution_rows(who, run, sessions, found, options.cells)),
        list(check_rows(who, *shown, chosen, options)),
        [named | row for row in tuning_rows(*shown, units, options.cells)],
        [note],
    )


def attribute_run(
    decoder: FittedDecoder,
    run: Run,
    sessions: Sequence[DecodedSession],
    options: AttributionOptions,
) -> list[Attributed]:
    """What the cells of each session of the body add to every living unit.

    Of each unit the selection trials in which it is most active, as many in each session, so that
    there are about `options.trials` over all sessions.
    """
    body = [i for i, session in enumerate(sessions) if not session.held_out]
    most = -(-options.trials // len(body))
    return [_attributed(decoder, run, sessions[i], i, most, options.nodes) for i in body]


def _attributed(
    decoder: FittedDecoder,
    run: Run,
    session: DecodedSession,
    index: int,
    most: int,
    nodes: int,
) -> Attributed:
    width, n_cells = run.dictionary.width, session.data.n_cells
    own = np.flatnonzero(run.trials.session_index == index)
    selection = np.flatnonzero(run.trials.part[own] == SELECTION)
    activation = run.unit_activation[own][selection] * run.alive
    strongest = np.argsort(-activation, axis=0, kind="stable")[:most]
    fires = np.take_along_axis(activation, strongest, 0) > 0
    unit = np.broadcast_to(np.arange(width), strongest.shape)[fires]
    place = selection[strongest[fires]]
    units = torch.from_numpy(unit.copy())
    latents = run.trials.latents[torch.from_numpy(own[place])]
    with torch.no_grad():
        pull = pulls(run.dictionary, latents, units)
        at_mean = decoder.model.scaling(session.data.session).mean.cpu()
        start = decoder.latents(
            session.data.session, at_mean.expand(session.data.windows.shape[1:])[None]
        )
        difference = (pull * (latents - start.cpu())).sum((1, 2)).double().numpy()
    windows = torch.as_tensor(session.data.windows)
    added = attributions(
        decoder, session.data.session, windows, torch.from_numpy(place), pull, nodes
    )
    added = added.cpu().double().numpy()
    weight, trials = np.zeros((width, n_cells)), np.bincount(unit, minlength=width)
    np.add.at(weight, unit, added)
    size = np.maximum(np.abs(difference), np.finfo(np.float32).tiny)
    return Attributed(
        weight / np.where(trials > 0, trials, np.nan)[:, None],
        trials,
        np.abs(added.sum(1) - difference) / size,
    )


def attribution_rows(
    who: Row,
    run: Run,
    sessions: Sequence[DecodedSession],
    found: Sequence[Attributed],
    cells: int,
) -> Iterator[Row]:
    """The most driving cells of each living unit in each session, the strongest first."""
    body = [session for session in sessions if not session.held_out]
    for unit in np.flatnonzero(run.alive):
        for session, of_session in zip(body, found, strict=True):
            if of_session.trials[unit] == 0:
                continue
            weight = of_session.weight[unit]
            whole = np.abs(weight).sum()
            for rank, cell in enumerate(np.argsort(-weight, kind="stable")[:cells], start=1):
                yield who | {
                    "unit": int(unit),
                    "session": session.data.session,
                    "cell": int(cell),
                    "cell_specimen_id": int(session.data.cell_specimen_id[cell]),
                    "weight": weight[cell],
                    "share": weight[cell] / whole if whole > 0 else None,
                    "rank": rank,
                    "n": int(of_session.trials[unit]),
                }


def most_selective(candidates: Candidates, n: int) -> list[tuple[str, int, float]]:
    """(variable, unit, effect size) of the units that a variable explains best, of its claims."""
    chosen = []
    for variable, units in candidates.units.items():
        effect = np.asarray(candidates.effect_size[variable])
        order = np.argsort(-effect, kind="stable")[:n]
        chosen += [(variable, int(units[i]), float(effect[i])) for i in order]
    return chosen


def check_rows(
    who: Row,
    decoder: FittedDecoder,
    run: Run,
    session: DecodedSession,
    index: int,
    found: Attributed,
    chosen: Sequence[tuple[str, int, float]],
    options: AttributionOptions,
) -> Iterator[Row]:
    """Deletions on the test trials in which a unit is most active, of one session.

    A unit that fires in none of them, or had no trial to be attributed in, has no row.
    """
    data = session.data
    own = run.trials.session_index == index
    test = np.flatnonzero(run.trials.part[own] == TEST)
    selection = data.windows[run.trials.part[own] == SELECTION]
    variance = variance_of_cells(decoder, data.session, selection)
    deleter = deleter_of(decoder, data.session)
    known: dict[int, list] = {}
    for variable, unit, effect_size in chosen:
        activation = run.unit_activation[own][test, unit]
        most = np.argsort(-activation, kind="stable")[: options.trials]
        most = test[most[activation[most] > 0]]
        if len(most) == 0 or found.trials[unit] == 0:
            continue
        if unit not in known:
            rng = numpy_generator("deletion", options.seed, run.seed, run.fold, unit)
            ranked = np.argsort(-found.weight[unit], kind="stable")
            known[unit] = deletions(
                deleter,
                run.dictionary,
                data.windows[most],
                unit,
                ranked,
                options.deleted,
                variance,
                options.sets,
                rng,
            )
        for deletion in known[unit]:
            row = who | {
                "variable": variable,
                "unit": unit,
                "effect_size": effect_size,
                "session": data.session,
                "n_cells": deletion.n_cells,
                "activation": deletion.activation,
                "drop": deletion.drop,
                "p": deletion.p,
                "n_controls": len(deletion.controls),
                "n": len(most),
            }
            if len(deletion.controls):
                low, median, high = np.percentile(deletion.controls, [2.5, 50, 97.5])
                row |= {"control_low": low, "control_median": median, "control_high": high}
            yield row


def tuning_rows(
    decoder: FittedDecoder,
    run: Run,
    session: DecodedSession,
    index: int,
    found: Attributed,
    units: Sequence[int],
    cells: int,
) -> Iterator[Row]:
    """Tuning of units and of their cells, over training and selection trials of a session.

    Of a cell: its mean scaled dF/F over the window.
    """
    data = session.data
    own = run.trials.session_index == index
    seen = np.isin(run.trials.part[own], (TRAIN, SELECTION))
    with torch.no_grad():
        scaled = (
            decoder.model.scaling(data.session).cpu().scaled(torch.as_tensor(data.windows), None)
        )
    of_cells = scaled.mean(2).numpy()
    for unit in units:
        if found.trials[unit] == 0:
            continue
        ranked = np.argsort(-found.weight[unit], kind="stable")[:cells]
        values = np.column_stack([run.unit_activation[own][:, unit], of_cells[:, ranked]])
        for task, classes in decoder.tasks.items():
            label = run.trials.labels[task][own]
            keep = seen & (label >= 0)
            curves = tuning_curves(values[keep], label[keep], len(classes))
            for i in range(values.shape[1]):
                cell = None if i == 0 else int(ranked[i - 1])
                for c, condition in enumerate(classes):
                    yield {
                        "session": data.session,
                        "unit": int(unit),
                        "subject": "unit" if cell is None else "cell",
                        "index": int(unit) if cell is None else cell,
                        "cell_specimen_id": None
                        if cell is None
                        else int(data.cell_specimen_id[cell]),
                        "variable": task,
                        "condition": as_text(condition),
                        "response": curves.response[i, c],
                        "sem": curves.sem[i, c],
                        "n": int(curves.n[c]),
                    }

"""Measure every living unit of a cohort's dictionaries: rows of units.csv and tuning.csv."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from glassbox.confounded import CONFOUNDED
from glassbox.files import replacing_file
from glassbox.options import to_json
from glassbox.tables import write_table
from glassbox.units.activations import Activations, DictionaryFolder, runs_of
from glassbox.units.genotype import claim_genotype, estimable, line_codes
from glassbox.units.mice import MouseTable, mouse_table
from glassbox.units.options import UnitOptions
from glassbox.units.selectivity import direction_selectivity, orientation_selectivity, preferred
from glassbox.units.trials import claim_trials
from glassbox.units.tuning import Tuning, tuning_curves

GENOTYPE = "genotype"
DIRECTION = "direction"
Row = dict[str, Any]


@dataclass
class Measured:
    """Rows of the two tables, and what a reader must know beside them."""

    units: list[Row] = field(default_factory=list)
    tuning: list[Row] = field(default_factory=list)
    notes: list[Row] = field(default_factory=list)


def measure_units(
    dictionary: str | Path, out: str | Path, cohort: str, level: str, options: UnitOptions
) -> None:
    """Write `units.csv`, `tuning.csv` and `units.json` into the folder `out`."""
    folder = DictionaryFolder.open(dictionary)
    measured = Measured()
    for seed, fold, activations in runs_of(folder):
        who = {
            "cohort": cohort,
            "level": level,
            "seed": seed,
            "fold": fold,
            "hook": folder.hook,
            "dictionary": folder.dictionary,
        }
        measure_run(folder, activations, who, options, measured)
    out = Path(out)
    write_table("units", out / "units.csv", measured.units)
    write_table("tuning", out / "tuning.csv", measured.tuning)
    notes = {"options": json.loads(to_json(options)), "notes": measured.notes}
    with replacing_file(out / "units.json") as file:
        file.write_text(json.dumps(notes, indent=1, sort_keys=True) + "\n")


def measure_run(
    folder: DictionaryFolder,
    activations: Activations,
    who: Row,
    options: UnitOptions,
    measured: Measured,
) -> None:
    """Add the rows of one seed and fold to `measured`."""
    alive = activations.alive()
    values = activations.activation[:, alive].astype(float)
    density = activations.density[alive]
    for task, classes in folder.classes.items():
        if len(values) == 0:
            measured.notes.append(who | {"variable": task, "note": "no selection trials"})
            continue
        label = activations.label[task]
        others = tuple(v for other, v in activations.label.items() if other != task)
        test = claim_trials(values, label, activations.session, activations.block, others, options)
        tuning = tuning_curves(values, label, len(classes))
        rows = _unit_rows(who, task, alive, density, tuning, classes)
        indices = {}
        if task == DIRECTION:
            indices = {
                "osi": orientation_selectivity(tuning.response, np.array(classes)),
                "dsi": direction_selectivity(tuning.response, np.array(classes)),
            }
        columns = {
            "score": test.explained.eta2,
            "effect_size": test.explained.omega2,
            "p": test.p,
            "q": test.q,
            "selective": test.selective,
        } | indices
        measured.units.extend(_with(rows, columns))
        measured.tuning.extend(_tuning_rows(who, task, alive, tuning, classes))
    if len({s.mouse for s in folder.sessions if not s.held_out}) > 1 and len(values):
        _measure_genotype(folder, activations, who, options, measured)


def mice_of(folder: DictionaryFolder, activations: Activations) -> MouseTable:
    """The mice of the selection trials, over the living units."""
    return mouse_table(
        activations.activation[:, activations.alive()],
        activations.session,
        {i: s.mouse for i, s in enumerate(folder.sessions)},
        {s.mouse: s.cre_line for s in folder.sessions},
    )


def _measure_genotype(
    folder: DictionaryFolder,
    activations: Activations,
    who: Row,
    options: UnitOptions,
    measured: Measured,
) -> None:
    table, note = estimable(mice_of(folder, activations))
    if folder.holds_session:
        measured.notes.append(who | {"variable": GENOTYPE, "note": CONFOUNDED})
    if note:
        measured.notes.append(who | {"variable": GENOTYPE, "note": note})
    if not table.mouse:
        return
    alive = activations.alive()
    lines, codes = line_codes(table)
    test = claim_genotype(table, options.labelings, options.seed)
    tuning = tuning_curves(table.mean, codes, len(lines))
    rows = _unit_rows(who, GENOTYPE, alive, activations.density[alive], tuning, lines)
    columns = {
        "score": test.score,
        "effect_size": test.effect_size,
        "p": test.p,
        "q": test.q,
        "selective": test.selective(options.q, options.min_effect),
    }
    measured.units.extend(_with(rows, columns))
    measured.tuning.extend(_tuning_rows(who, GENOTYPE, alive, tuning, lines))


def _unit_rows(
    who: Row,
    variable: str,
    alive: np.ndarray,
    density: np.ndarray,
    tuning: Tuning,
    conditions: tuple[float, ...] | tuple[str, ...],
) -> list[Row]:
    best = preferred(tuning.response)
    return [
        who
        | {
            "unit": int(unit),
            "variable": variable,
            "preferred": conditions[best[i]] if best[i] >= 0 else None,
            "density": float(density[i]),
        }
        for i, unit in enumerate(alive)
    ]


def _with(rows: list[Row], columns: dict[str, np.ndarray]) -> Iterator[Row]:
    plain = {name: column.tolist() for name, column in columns.items()}
    for i, row in enumerate(rows):
        yield row | {name: column[i] for name, column in plain.items()}


def _tuning_rows(
    who: Row,
    variable: str,
    alive: np.ndarray,
    tuning: Tuning,
    conditions: tuple[float, ...] | tuple[str, ...],
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

"""Claims of units.csv against the truth of the simulator: ground_truth.csv."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glassbox.progress import track
from glassbox.sessions.options import SimulateOptions
from glassbox.tables import read_rows, write_rows, write_table
from glassbox.units.measure import GENOTYPE
from glassbox.units.options import UnitOptions
from glassbox.units.scoring import score_claims
from glassbox.units.truth import FrozenRun, frozen_runs, genotype_truth, show_fresh_trials

TRUTH_COLUMNS = tuple(
    "cohort level seed fold unit variable effect_size q selective claimed true_effect_size "
    "true".split()
)
ALL = "all"
Row = dict[str, Any]


def score_ground_truth(
    units: Sequence[str | Path],
    dictionaries: Sequence[str | Path],
    decoders: Sequence[str | Path],
    simulate: SimulateOptions,
    options: UnitOptions,
    out: str | Path,
    truth_out: str | Path | None = None,
) -> None:
    """Score the claims of all cohorts and write the rows of ground_truth.csv.

    A claim is named after variable and level (`direction_units_mouse`): the units of all cohorts,
    seeds and folds of a level are pooled. Those are the selective units, from selection trials
    alone; `direction_claimed_mouse` are the claimed ones, from all trials that nothing was trained
    on, where the variable has such claims.

    Args:
        units, dictionaries, decoders: the folders of each cohort, in the same order.
        simulate: options of the simulated cohort.
        options: of the claims and of the truth.
        out: CSV with the columns of ground_truth.
        truth_out: CSV with claim and truth of every unit.
    """
    runs = [
        run
        for dictionary, decoder in zip(dictionaries, decoders, strict=True)
        for run in frozen_runs(dictionary, decoder)
    ]
    show_fresh_trials(runs, simulate, options.truth_trials, options.seed)
    truth = {}
    for run in track(runs, len(runs), "score_ground_truth", "decoder"):
        truth[run.cohort, run.seed, run.fold] = run.truth() | _genotype(run, simulate, options)
    rows = [
        _compared(row, truth[row["cohort"], int(row["seed"]), int(row["fold"])], options)
        for folder in units
        for row in read_rows(Path(folder) / "units.csv")
    ]
    rows = [row for row in rows if row is not None]
    write_table("ground_truth", out, _scores(rows, options))
    if truth_out is not None:
        write_rows(truth_out, TRUTH_COLUMNS, rows)


def _genotype(
    run: FrozenRun, simulate: SimulateOptions, options: UnitOptions
) -> dict[str, np.ndarray]:
    if run.decoder.level != ALL:
        return {}
    lines = sorted({run.decoder.sessions[session].cre_line for session in run.sessions})
    if len(lines) < 2:
        return {}
    mice, trials = options.truth_mice, options.truth_mouse_trials
    return {GENOTYPE: genotype_truth(run, lines, simulate, mice, trials, options.seed)}


def _compared(
    row: dict[str, str], truth: dict[str, np.ndarray], options: UnitOptions
) -> Row | None:
    """Claim and truth of one unit and variable; None where no truth was asked for."""
    if row["variable"] not in truth:
        return None
    share = float(truth[row["variable"]][int(row["unit"])])
    kept = ("cohort", "level", "seed", "fold", "unit", "variable", "effect_size", "q")
    return {name: row[name] for name in kept} | {
        "selective": row["selective"] == "true",
        "claimed": row["claimed"] == "true" if row["claimed"] else None,
        "true_effect_size": share,
        "true": share > options.min_effect,
    }


def _scores(rows: Sequence[Row], options: UnitOptions) -> list[Row]:
    scored = []
    for variable in sorted({row["variable"] for row in rows}):
        for level in sorted({row["level"] for row in rows if row["variable"] == variable}):
            chosen = [r for r in rows if r["variable"] == variable and r["level"] == level]
            true = np.array([row["true"] for row in chosen])
            detected = np.array([float(row["q"] or "nan") < options.q for row in chosen])
            for kind, column in (("units", "selective"), ("claimed", "claimed")):
                if chosen[0][column] is not None:
                    claims = np.array([row[column] for row in chosen])
                    scored += score_claims(f"{variable}_{kind}_{level}", claims, true, detected)
    return scored

"""The tidy tables that other people read: their columns, their order, and how they are written.

Columns may be added at the end, never renamed. Nothing that changes from run to run (times,
dates) stands in a table.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from glassbox.errors import UserError
from glassbox.files import replacing_file

COLUMNS: dict[str, tuple[str, ...]] = {
    "decoding": tuple(
        "cohort level mouse genotype session model seed split fold part task metric value ci_low "
        "ci_high chance n".split()
    ),
    "comparisons": tuple(
        "cohort level mouse genotype session split task model seed baseline chosen metric "
        "difference ci_low ci_high n".split()
    ),
    "insertion": tuple(
        "cohort level session seed hook dictionary width k condition task metric value ci_low "
        "ci_high n".split()
    ),
    "dictionaries": tuple(
        "cohort level seed fold hook dictionary width k fvu l0 dead_fraction loss_recovered "
        "epochs loss_recovered_mean shrinkage coherence explained_variance accuracy_change "
        "log_probability_change agreement_activations agreement_activations_chance".split()
    ),
    "dictionary_sessions": tuple(
        "cohort level seed fold hook dictionary width k session held_out explained_variance l0 "
        "firing_fraction density_p10 density_median density_p90 n".split()
    ),
    "comparison": tuple(
        "cohort level seed fold hook dictionary width k dictionary_seed part explained_variance l0 "
        "dead_fraction loss_recovered loss_recovered_mean shrinkage coherence agreement "
        "agreement_chance chosen accuracy_change log_probability_change "
        "log_probability_se agreement_activations agreement_activations_chance".split()
    ),
    "units": tuple(
        "cohort level seed fold hook dictionary unit variable score preferred effect_size p q "
        "selective density osi dsi circular_variance mean_angle rank_correlation auroc information "
        "ci_low ci_high effect_size_unseen p_small claimed partner_correlation "
        "partner_chance".split()
    ),
    "tuning": tuple(
        "cohort level seed fold hook dictionary unit variable condition response sem n".split()
    ),
    "probes": tuple(
        "cohort level seed fold hook features probe k task metric value ci_low ci_high chance "
        "n".split()
    ),
    "ablation": tuple(
        "cohort level mouse session seed hook dictionary intervention ablation selected_for "
        "measured_on control n_units strength metric value baseline drop ci_low ci_high p "
        "control_low control_high control_median n_controls selectivity".split()
    ),
    "confusion": tuple(
        "cohort level seed hook dictionary intervention ablation selected_for n_units condition "
        "task true predicted count".split()
    ),
    "steering": tuple(
        "cohort level mouse session seed fold hook dictionary variable control unit n_units asked "
        "dose before after gain moved_to moved predicted n".split()
    ),
    "patching": tuple(
        "cohort level mouse session seed hook dictionary variable donor units n_units metric "
        "measured_on value ci_low ci_high p control_low control_high control_median n_controls "
        "n".split()
    ),
    "genotype": tuple(
        "cohort level seed hook dictionary source baseline mouse genotype metric value ci_low "
        "ci_high p n relabelings reason".split()
    ),
    "mediators": tuple(
        "cohort level mouse session seed hook mediator part n_parts selected_for measured_on "
        "metric value baseline drop ci_low ci_high p control_low control_high control_median "
        "n_controls n available variance_share selectivity selectivity_low selectivity_high".split()
    ),
    "descriptions": tuple(
        "cohort level seed fold hook dictionary unit description variables score r2 auroc ceiling "
        "null_median null_high p q n content".split()
    ),
    "rewriting": tuple(
        "cohort level seed hook dictionary condition task metric value ci_low ci_high n".split()
    ),
    "attribution": tuple(
        "cohort level seed fold hook dictionary unit session cell cell_specimen_id weight share "
        "rank n".split()
    ),
    "attribution_check": tuple(
        "cohort level seed fold hook dictionary variable unit effect_size session n_cells "
        "activation drop control_low control_median control_high p n_controls n".split()
    ),
    "ground_truth": tuple("claim metric value ci_low ci_high n".split()),
    "excluded": tuple("session file stage reason".split()),
    "benchmarks": tuple(
        "benchmark subject unit value peer peer_version peer_value ratio notes".split()
    ),
}


def as_text(value: Any) -> str:
    """A value as it stands in a table: six significant digits, nothing for missing."""
    if value is None:
        return ""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return str(value)


def write_rows(path: str | Path, columns: Iterable[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as CSV, atomically; a row with a key that is no column is a fault of ours."""
    columns = tuple(columns)
    with replacing_file(path) as partial, open(partial, "w", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(columns)
        for row in rows:
            extra = set(row) - set(columns)
            if extra:
                raise KeyError(f"{path}: no such column: {sorted(extra)}")
            writer.writerow([as_text(row.get(column)) for column in columns])


def write_table(table: str, path: str | Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write the rows of one of the tables named in `COLUMNS`."""
    write_rows(path, COLUMNS[table], rows)


def read_rows(path: str | Path) -> list[dict[str, str]]:
    """The rows of a CSV as texts."""
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: no such table; run the rule that makes it first.")
    with open(path, newline="") as handle:
        return list(csv.DictReader(handle))

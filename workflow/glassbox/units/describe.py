"""The descriptions of a cohort's units, and how well each predicts its unit on test trials."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glassbox.errors import UserError
from glassbox.statistics import benjamini_hochberg
from glassbox.tables import as_text, read_rows
from glassbox.tensors.splits import SELECTION, TEST, TRAIN
from glassbox.units.activations import DictionaryFolder
from glassbox.units.descriptions import Curve, Description, describe
from glassbox.units.groups import group_codes, group_sums
from glassbox.units.variables import DIRECTION, ORIENTATION, axial

GENOTYPE = "genotype"
DESCRIBED_BEFORE = {ORIENTATION: DIRECTION}  # the axis of a direction that is named already
Row = dict[str, Any]
Run = tuple[int, int]


@dataclass(frozen=True)
class SeenTrials:
    """Some trials of a run.

    Attributes:
        activation: mean over latents of each unit, (trials, width).
        values: of each variable that the trials have, (trials,) of texts as in tuning.csv.
    """

    activation: np.ndarray
    values: dict[str, np.ndarray]


def trials_of(folder: DictionaryFolder, run: Run, parts: Sequence[int]) -> SeenTrials:
    """The trials of some parts, of the sessions that the decoder was trained on.

    A trial without a class of one of the tasks is left out.
    """
    with np.load(folder.path / f"activations-seed{run[0]}-fold{run[1]}.npz") as stored:
        session = stored["session_index"]
        trained = np.array([not s.held_out for s in folder.sessions])
        keep = np.isin(stored["part"], parts) & trained[session]
        labels = {task: stored[f"label_{task}"] for task in folder.classes}
        for label in labels.values():
            keep &= label >= 0
        lines = np.array([s.cre_line for s in folder.sessions])
        values = {
            task: np.array([as_text(value) for value in folder.classes[task]])[label[keep]]
            for task, label in labels.items()
        }
        values[GENOTYPE] = lines[session[keep]]
        if DIRECTION in labels and ORIENTATION not in labels:
            axes, axis = axial(folder.classes[DIRECTION], labels[DIRECTION][keep])
            values[ORIENTATION] = np.array([as_text(value) for value in axes])[axis]
        return SeenTrials(stored["unit_activation"][keep].astype(float), values)


def read_descriptions(
    units_csv: str | Path, tuning_csv: str | Path, folder: DictionaryFolder
) -> dict[Run, dict[int, Description]]:
    """The description of every living unit by run and unit, from the tables of stage 5.

    Raises:
        UserError: a claimed variable has no tuning in the other table.
    """
    runs = set(folder.runs())
    claimed: dict[tuple[Run, int], list[tuple[float, str]]] = {}
    for row in read_rows(units_csv):
        at = (int(row["seed"]), int(row["fold"])), int(row["unit"])
        if at[0] in runs:
            variables = claimed.setdefault(at, [])
            if row["selective"] == "true":
                variables.append((float(row["effect_size"] or 0), row["variable"]))
    curves: dict[tuple[Run, int], dict[str, list[tuple[str, float]]]] = {}
    for row in read_rows(tuning_csv):
        at = (int(row["seed"]), int(row["fold"])), int(row["unit"])
        points = curves.setdefault(at, {}).setdefault(row["variable"], [])
        points.append((row["condition"], float(row["response"] or "nan")))
    known = {*folder.classes, GENOTYPE}
    if DIRECTION in folder.classes and not folder.shows_orientation:
        known.add(ORIENTATION)
    found: dict[Run, dict[int, Description]] = {}
    means: dict[Run, np.ndarray] = {}
    for (run, unit), variables in claimed.items():
        if run not in means:
            means[run] = trials_of(folder, run, (SELECTION,)).activation.mean(0)
        # Ties in what they explain are put in order by name.
        names = [name for _, name in sorted(variables, key=lambda v: (-v[0], v[1]))]
        names = [n for n in names if n in known and DESCRIBED_BEFORE.get(n) not in names]
        tuned = curves.get((run, unit), {})
        missing = [name for name in names if name not in tuned]
        if missing:
            raise UserError(
                f"{tuning_csv}: no tuning of unit {unit} (seed {run[0]}, fold {run[1]}) for "
                f"{missing[0]}, which {units_csv} claims; run the rule measure_units again."
            )
        of_unit = [
            Curve(name, tuple(v for v, _ in tuned[name]), tuple(r for _, r in tuned[name]))
            for name in names
        ]
        found.setdefault(run, {})[unit] = describe(float(means[run][unit]), of_unit)
    return found


def description_rows(
    who: Row, run: Run, described: Mapping[int, Description], folder: DictionaryFolder
) -> list[Row]:
    """Rows of descriptions.csv of one seed and fold.

    The score is the correlation, over test trials, of what the sentence predicts with what the unit
    does. Its null: the sentences of all other units that are described, scored on the same unit.
    `ceiling` is the score of the mean over the training and selection trials of each test trial's
    conditions, which no sentence about conditions should surpass.
    """
    units = sorted(described)
    test = trials_of(folder, run, (TEST,))
    before = trials_of(folder, run, (TRAIN, SELECTION))
    actual = test.activation[:, units]
    predicted = np.stack([described[unit].predict(test.values) for unit in units], axis=1)
    usual = np.array([described[unit].mean for unit in units])
    every = correlations(actual, predicted)  # (units, descriptions)
    own = np.diag(every)
    ceiling = np.diag(correlations(actual, condition_means(before, test)[:, units]))
    has_content = np.array([bool(described[unit].concepts) for unit in units])
    nulls = [every[i, has_content & (np.arange(len(units)) != i)] for i in range(len(units))]
    p = np.array([_p(score, null) for score, null in zip(own, nulls, strict=True)])
    q = benjamini_hochberg(p)
    rows = []
    for i, unit in enumerate(units):
        about = described[unit]
        null = nulls[i][np.isfinite(nulls[i])] if np.isfinite(own[i]) else np.zeros(0)
        rows.append(
            who
            | {
                "unit": unit,
                "description": about.sentence(),
                "variables": " ".join(about.variables),
                "score": own[i],
                "r2": explained(actual[:, i], predicted[:, i]),
                "auroc": auroc(actual[:, i] > usual[i], predicted[:, i]),
                "ceiling": ceiling[i],
                "null_median": float(np.median(null)) if len(null) else None,
                "null_high": float(np.quantile(null, 0.95)) if len(null) else None,
                "p": p[i],
                "q": q[i],
                "n": len(actual),
                "content": json.dumps(about.content(), sort_keys=True, ensure_ascii=False),
            }
        )
    return rows


def condition_means(before: SeenTrials, trials: SeenTrials) -> np.ndarray:
    """Mean of each unit over the earlier trials of the same values in all variables, (trials,
    width).

    A combination that was not shown before has the mean over all of them.
    """
    n = len(before.activation)
    columns = [np.concatenate([before.values[v], trials.values[v]]) for v in before.values]
    codes = group_codes(*columns)
    count = np.bincount(codes[:n], minlength=codes.max() + 1)[:, None]
    sums = group_sums(before.activation, codes[:n], len(count))
    means = np.where(count > 0, sums / np.maximum(count, 1), before.activation.mean(0))
    return means[codes[n:]]


def correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson correlation of each column of (n, p) with each of (n, q), (p, q); NaN if constant."""
    parts = []
    for values in (a, b):
        away = values - values.mean(0)
        size = np.sqrt((away**2).sum(0))
        constant = size <= 1e-9 * np.sqrt(len(values)) * np.abs(values).max(0, initial=0.0)
        parts.append(away / np.where(constant, np.nan, np.where(constant, 1.0, size)))
    return parts[0].T @ parts[1]


def explained(actual: np.ndarray, predicted: np.ndarray) -> float:
    """Share of the variance that a prediction explains, as it stands; NaN for a constant unit."""
    total = ((actual - actual.mean()) ** 2).sum()
    return float(1 - ((actual - predicted) ** 2).sum() / total) if total > 0 else float("nan")


def auroc(fires: np.ndarray, predicted: np.ndarray) -> float:
    """How often a trial in which it fires is predicted above one in which it does not; ties half.

    NaN where it fires in all trials or in none.
    """
    n_fires, n_rests = int(fires.sum()), int((~fires).sum())
    if n_fires == 0 or n_rests == 0:
        return float("nan")
    _, place, count = np.unique(predicted, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[place]
    return float((rank[fires].sum() - n_fires * (n_fires + 1) / 2) / (n_fires * n_rests))


def _p(score: float, null: np.ndarray) -> float:
    """(1 + #null ≥ score) / (1 + N); NaN where there is no score."""
    null = null[np.isfinite(null)]
    if not np.isfinite(score) or len(null) == 0:
        return float("nan")
    return (1 + int((null >= score - 1e-12).sum())) / (1 + len(null))

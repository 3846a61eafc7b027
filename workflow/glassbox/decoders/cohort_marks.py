"""The marks of a cohort's decoders and of the baselines, from the predictions that they left."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glassbox.decoders.marks import Marks, ensemble_of, marks_of
from glassbox.decoders.predictions import Prediction, read_predictions
from glassbox.errors import UserError
from glassbox.tensors.splits import SELECTION, TEST

ENSEMBLE = "_ensemble"  # after the name of a model: the mean of its seeds' answers
HELD_OUT_LEVEL = "heldout"
DESCRIPTION, PREDICTIONS = "decoder.json", "predictions.npz"

Where = tuple[str, str]  # session and task
Named = tuple[str, int | None]  # model and seed


@dataclass(frozen=True)
class Session:
    """What `decoder.json` says of a session."""

    name: str
    mouse: str
    cre_line: str


class References:
    """The baselines of all sessions.

    Attributes:
        test, selection: marks by session and task, then by baseline.
    """

    def __init__(self, paths: Iterable[str | Path]):
        self.test: dict[Where, dict[str, Marks]] = {}
        self.selection: dict[Where, dict[str, Marks]] = {}
        for path in paths:
            for where, models in _grouped(read_predictions(path)).items():
                of_test, of_selection = {}, {}
                for (model, _), parts in models.items():
                    of_test[model] = marks_of(parts, TEST)
                    of_selection[model] = marks_of(parts, SELECTION)
                self.test[where], self.selection[where] = of_test, of_selection

    def chosen(self, where: Where) -> str | None:
        """The baseline to beat: the best on selection trials, all folds together.

        The highest accuracy, of a value r2; the higher mean log probability among equals, then the
        first by name. No test trial is looked at.
        """
        candidates = self.selection.get(where, {})

        def goodness(model: str) -> tuple[float, ...]:
            marks = candidates[model]
            if marks.n == 0:
                return (-np.inf,)
            return tuple(float(np.nan_to_num(marks.value(m), nan=-np.inf)) for m in marks.metrics)

        return max(sorted(candidates), key=goodness, default=None)


class CohortMarks:
    """The decoders of one cohort.

    Of a cohort with held-out mice those sessions alone count that its body never saw.

    Attributes:
        name, level, split: of the cohort.
        path: of the predictions.
        sessions: those that count, in the order of `decoder.json`.
        tasks: in the order of the predictions.
        by_part: by session and task, then by model and seed, then by part code. An ensemble has
            no seed.
    """

    def __init__(self, folder: str | Path):
        folder = Path(folder)
        folder = folder.parent if folder.name == DESCRIPTION else folder
        about = _description(folder / DESCRIPTION)
        self.name, self.level, self.split = about["cohort"], about["level"], about["split"]
        self.path = folder / PREDICTIONS
        self.sessions = [
            Session(entry["session"], entry["mouse"], entry["cre_line"])
            for entry in about["sessions"]
            if entry["held_out"] or self.level != HELD_OUT_LEVEL
        ]
        counted = {session.name for session in self.sessions}
        found = _grouped(p for p in read_predictions(self.path) if p.session in counted)
        self.tasks = tuple(dict.fromkeys(task for _, task in found))
        self.by_part: dict[Where, dict[Named, dict[int, Marks]]] = {}
        for where, models in found.items():
            self.by_part[where] = {
                named: {part: marks_of(parts, part) for part in (SELECTION, TEST)}
                for named, parts in (models | _ensembles(models)).items()
            }

    def test(self, where: Where) -> dict[Named, list[Marks]]:
        """Marks on test trials by model and seed; without a seed, those of all seeds."""
        found: dict[Named, list[Marks]] = {}
        for (model, seed), marks in self.by_part.get(where, {}).items():
            found.setdefault((model, None), []).append(marks[TEST])
            if seed is not None:
                found[model, seed] = [marks[TEST]]
        return found


def _grouped(predictions: Iterable[Prediction]) -> dict[Where, dict[Named, list[Prediction]]]:
    """Predictions by session and task, then by model and seed: one a stimulus and fold."""
    found: dict[Where, dict[Named, list[Prediction]]] = {}
    for p in predictions:
        models = found.setdefault((p.session, p.task), {})
        models.setdefault((p.model, p.seed), []).append(p)
    return found


def _ensembles(models: Mapping[Named, Sequence[Prediction]]) -> dict[Named, list[Prediction]]:
    """The ensemble of each model that has at least 2 seeds, by stimulus and fold."""
    by_model: dict[str, dict[tuple[str, int], list[Prediction]]] = {}
    for (model, seed), parts in models.items():
        for p in parts if seed is not None else ():
            by_model.setdefault(model, {}).setdefault((p.stimulus, p.fold), []).append(p)
    return {
        (f"{model}{ENSEMBLE}", None): [
            ensemble_of(seeds, f"{model}{ENSEMBLE}") for seeds in by_fold.values()
        ]
        for model, by_fold in by_model.items()
        if min(len(seeds) for seeds in by_fold.values()) >= 2
    }


def _description(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run the rule train_decoder first.") from None
    except ValueError:
        raise UserError(
            f"{path}: no JSON; delete {path.parent} and run the rule train_decoder again."
        ) from None

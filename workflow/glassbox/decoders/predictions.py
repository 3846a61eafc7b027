"""What a model answered to each trial: the file `predictions.npz` of decoders and references.

Trials of training are left out: their answers say nothing. numpy alone opens the file; one archive
entry for each of:

    blocks/{session, stimulus, model, task}  texts, (blocks,)
    blocks/{seed, fold, trials}              i8, (blocks,); a seed of −1 is none
    {task}/{trial, part}                     i8, i1, (all trials of the task's blocks,)
    {task}/labels                            class index i8, or value f4, of those trials
    {task}/answers                           log probabilities (trials, classes), or values, f4
    {task}/classes                           what a class index stands for, f8; none for a value
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from glassbox.errors import UserError
from glassbox.files import replacing_file
from glassbox.tensors.splits import SELECTION, TEST

NAMES = ("session", "stimulus", "model", "task")
NUMBERS = ("seed", "fold", "trials")
NO_SEED = -1
NO_CLASS = -1


@dataclass(frozen=True)
class Prediction:
    """The answers of one model, seed and fold to the trials of one stimulus, for one task.

    Attributes:
        session, stimulus, model, task: texts.
        seed: of the model; None where it has none.
        fold: of the split.
        classes: what a class index stands for, (classes,), f8; None where a value is predicted.
        trial: index in the table of the stimulus, (trials,), i8.
        part: part code, (trials,), i1.
        labels: class index, i8, or value, f4, (trials,).
        answers: log probabilities, (trials, classes), or values, (trials,), f4.
    """

    session: str
    stimulus: str
    model: str
    task: str
    seed: int | None
    fold: int
    classes: np.ndarray | None
    trial: np.ndarray
    part: np.ndarray
    labels: np.ndarray
    answers: np.ndarray

    @property
    def is_value(self) -> bool:
        return self.classes is None

    def only(self, chosen: np.ndarray) -> Prediction:
        """The same of fewer trials; `chosen` is (trials,) bool."""
        arrays = ("trial", "part", "labels", "answers")
        return replace(self, **{name: getattr(self, name)[chosen] for name in arrays})


def write_predictions(path: str | Path, predictions: Iterable[Prediction]) -> None:
    """Write the answers to labelled selection and test trials; the same input, the same bytes."""
    kept = [p.only(_is_kept(p)) for p in predictions]
    arrays = {f"blocks/{n}": np.array([getattr(p, n) for p in kept], dtype=np.str_) for n in NAMES}
    numbers = [(NO_SEED if p.seed is None else p.seed, p.fold, len(p.trial)) for p in kept]
    columns = np.array(numbers, dtype=np.int64).reshape(-1, len(NUMBERS)).T
    arrays |= {f"blocks/{name}": c for name, c in zip(NUMBERS, columns, strict=True)}
    for task in dict.fromkeys(p.task for p in kept):
        of_task = [p for p in kept if p.task == task]
        of_value = of_task[0].is_value
        for name, kind in (
            ("trial", np.int64),
            ("part", np.int8),
            ("labels", np.float32 if of_value else np.int64),
            ("answers", np.float32),
        ):
            joined = np.concatenate([getattr(p, name) for p in of_task])
            arrays[f"{task}/{name}"] = joined.astype(kind)
        if not of_value:
            arrays[f"{task}/classes"] = np.asarray(of_task[0].classes, dtype=np.float64)
    with replacing_file(path) as partial, open(partial, "wb") as handle:
        np.savez_compressed(handle, **arrays)


def read_predictions(path: str | Path) -> Iterator[Prediction]:
    """The predictions of a file, in the order in which they were written.

    Raises:
        UserError: there is no such file, or it is damaged.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = dict(archive)
        yield from _blocks(arrays)
    except FileNotFoundError:
        raise UserError(
            f"{path}: no such predictions; run the rule that makes them first."
        ) from None
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
        raise UserError(
            f"{path}: the predictions are damaged; delete the file and run its rule again."
        ) from None


def _is_kept(prediction: Prediction) -> np.ndarray:
    labels = prediction.labels
    labelled = np.isfinite(labels) if prediction.is_value else labels != NO_CLASS
    return labelled & np.isin(prediction.part, (SELECTION, TEST))


def _blocks(arrays: Mapping[str, np.ndarray]) -> Iterator[Prediction]:
    at: dict[str, int] = {}
    names = zip(*(arrays[f"blocks/{name}"].tolist() for name in NAMES), strict=True)
    numbers = zip(*(arrays[f"blocks/{name}"].tolist() for name in NUMBERS), strict=True)
    for texts, (seed, fold, trials) in zip(names, numbers, strict=True):
        task = texts[NAMES.index("task")]
        first = at.get(task, 0)
        at[task] = first + trials
        rows = {
            name: arrays[f"{task}/{name}"][first : first + trials]
            for name in ("trial", "part", "labels", "answers")
        }
        yield Prediction(
            **dict(zip(NAMES, texts, strict=True)),
            seed=None if seed == NO_SEED else seed,
            fold=fold,
            classes=arrays.get(f"{task}/classes"),
            **rows,
        )

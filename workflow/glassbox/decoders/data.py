"""The trials of a cohort as the decoders see them: windows, labels and parts, in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from glassbox.decoders.options import DecoderOptions
from glassbox.errors import UserError
from glassbox.tensors.splits import PART_NAMES, SELECTION, TRAIN
from glassbox.tensors.store import SessionTensor, open_session
from glassbox.tensors.tasks import tasks_named
from glassbox.tensors.windows import TrialWindows

LEAST_DEVIATION = 1e-6  # dF/F; a cell that never changes is not divided by zero
NO_CLASS = -1  # label of a trial that does not count for a task


@dataclass(frozen=True)
class SessionData:
    """The usable trials of one session: neither blank nor broken by a jump of the clock.

    Attributes:
        session, mouse, cre_line: texts.
        store: name of the tensor's folder.
        content_sha256: of the tensor.
        trial: index of each usable trial in the stimulus's table, (trials,), i8.
        windows: raw dF/F, (trials, cells, samples), f4.
        labels: class index by task, (trials,), i8, `NO_CLASS` where the trial has none.
        parts: part code by fold, (trials,), i1.
    """

    session: str
    mouse: str
    cre_line: str
    store: str
    content_sha256: str
    trial: np.ndarray
    windows: np.ndarray
    labels: Mapping[str, np.ndarray] = field(repr=False)
    parts: Mapping[int, np.ndarray] = field(repr=False)

    @property
    def n_cells(self) -> int:
        return self.windows.shape[1]

    def in_part(self, fold: int, part: int) -> np.ndarray:
        """Places of the trials of a part, (n,), i8."""
        return np.flatnonzero(self.parts[fold] == part)


@dataclass(frozen=True)
class CohortData:
    """The sessions of a cohort and the classes of its tasks.

    Attributes:
        body: sessions that train the whole decoder.
        held_out: sessions whose unit vectors alone are fitted, body frozen.
        classes: sorted values of each task over the body, (classes,), f8.
    """

    body: tuple[SessionData, ...]
    held_out: tuple[SessionData, ...]
    classes: Mapping[str, np.ndarray]

    @property
    def sessions(self) -> tuple[SessionData, ...]:
        return self.body + self.held_out


def open_cohort(
    body: Sequence[str | Path], held_out: Sequence[str | Path], options: DecoderOptions
) -> CohortData:
    """Open the tensors of a cohort and read the windows of their usable trials.

    Raises:
        UserError: a tensor is damaged or lacks the stimulus, a part of a fold has no trials, or a
            session is named twice.
    """
    tensors = [open_session(path) for path in (*body, *held_out)]
    names = [tensor.session for tensor in tensors]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{name}: the cohort names this session twice; name it once.")
    classes = _classes(tensors[: len(body)], options)
    sessions = tuple(read_session(tensor, options, classes) for tensor in tensors)
    return CohortData(sessions[: len(body)], sessions[len(body) :], classes)


def read_session(
    tensor: SessionTensor, options: DecoderOptions, classes: Mapping[str, np.ndarray]
) -> SessionData:
    """The usable trials of one session, labelled by the given classes."""
    trials = tensor.trials(options.stimulus)
    reader = TrialWindows(tensor, options.stimulus, options.window())
    usable = np.flatnonzero(~trials.blank & reader.whole)
    parts = {fold: trials.part(options.split, fold)[usable] for fold in options.folds}
    for fold, part in parts.items():
        for code in (TRAIN, SELECTION):
            if not np.any(part == code):
                raise UserError(
                    f"{tensor.path.name}: fold {fold} of the split {options.split} has no usable "
                    f"{PART_NAMES[code]} trial of {options.stimulus}; exclude the session with "
                    "sessions.exclude."
                )
    labels = {
        task.name: labelled(trials.conditions[task.condition][usable], classes[task.name])
        for task in tasks_named(options.tasks)
    }
    return SessionData(
        session=tensor.session,
        mouse=tensor.mouse,
        cre_line=tensor.cre_line,
        store=tensor.path.name,
        content_sha256=tensor.manifest["content_sha256"],
        trial=usable,
        windows=reader.read(usable),
        labels=labels,
        parts=parts,
    )


def labelled(values: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Class index of each condition value, (trials,), i8; `NO_CLASS` where it is no class."""
    values = np.asarray(values, dtype=np.float64)
    place = np.minimum(np.searchsorted(classes, values), len(classes) - 1)
    return np.where(classes[place] == values, place, NO_CLASS).astype(np.int64)


def _classes(tensors: Sequence[SessionTensor], options: DecoderOptions) -> dict[str, np.ndarray]:
    """Sorted distinct values of each task over the trials that are not blank."""
    found = {}
    for task in tasks_named(options.tasks):
        values = []
        for tensor in tensors:
            trials = tensor.trials(options.stimulus)
            values.append(trials.conditions[task.condition][~trials.blank].astype(np.float64))
        distinct = np.unique(np.concatenate(values))
        found[task.name] = distinct[np.isfinite(distinct)]
        if len(found[task.name]) < 2:
            raise UserError(
                f"decoders.tasks: the trials of this cohort have {len(found[task.name])} value "
                f"of {task.name}; a decoder needs at least 2. Leave the task out."
            )
    return found

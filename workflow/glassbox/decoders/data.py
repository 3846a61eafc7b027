"""The trials of a cohort as the decoders see them: windows, labels and parts, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np

from glassbox.decoders.options import DecoderOptions
from glassbox.decoders.room import WindowsRoom
from glassbox.errors import UserError
from glassbox.tensors.splits import PART_NAMES, SELECTION, TRAIN
from glassbox.tensors.store import SessionTensor, open_session
from glassbox.tensors.tasks import tasks_named
from glassbox.tensors.windows import TrialWindows

LEAST_DEVIATION = 1e-6  # dF/F; a cell that never changes is not divided by zero
NO_CLASS = -1  # label of a trial that does not count for a task


@dataclass(frozen=True)
class TrialSet:
    """The usable trials of one stimulus in one session: neither blank nor broken by a jump.

    Attributes:
        session, mouse, cre_line: texts.
        stimulus: whose trials these are.
        store: name of the tensor's folder.
        content_sha256: of the tensor.
        trial: index of each usable trial in the stimulus's table, (trials,), i8.
        windows: raw dF/F, (trials, cells, samples), f4.
        labels: by task of the stimulus, (trials,): class index, i8, `NO_CLASS` where the trial has
            none; for behaviour its mean over the window, f4, NaN where it was not recorded.
        parts: part code by fold, (trials,), i1.
        cell_specimen_id: identity of each cell over sessions, (cells,), i8.
    """

    session: str
    mouse: str
    cre_line: str
    stimulus: str
    store: str
    content_sha256: str
    trial: np.ndarray
    windows: np.ndarray
    labels: Mapping[str, np.ndarray] = field(repr=False)
    parts: Mapping[int, np.ndarray] = field(repr=False)
    cell_specimen_id: np.ndarray = field(repr=False)

    @property
    def n_cells(self) -> int:
        return self.windows.shape[1]

    @property
    def key(self) -> tuple[str, str]:
        """Session and stimulus: which trial set of a cohort this is."""
        return self.session, self.stimulus

    def in_part(self, fold: int, part: int) -> np.ndarray:
        """Places of the trials of a part, (n,), i8."""
        return np.flatnonzero(self.parts[fold] == part)


@dataclass(frozen=True)
class CohortData:
    """The trials of a cohort and the classes of its tasks.

    Attributes:
        body: trial sets that train the whole decoder, those of a session side by side.
        held_out: trial sets of sessions whose unit vectors alone are fitted, body frozen.
        classes: sorted values of each task over the body, (classes,), f8; none for behaviour.
        tasks: those of the options that a training trial of the body has a label for.
    """

    body: tuple[TrialSet, ...]
    held_out: tuple[TrialSet, ...]
    classes: Mapping[str, np.ndarray]
    tasks: tuple[str, ...]

    @property
    def trial_sets(self) -> tuple[TrialSet, ...]:
        return self.body + self.held_out


def by_session(trial_sets: Iterable[TrialSet]) -> dict[str, tuple[TrialSet, ...]]:
    """The trial sets of each session, sessions and sets in the given order."""
    found: dict[str, list[TrialSet]] = {}
    for data in trial_sets:
        found.setdefault(data.session, []).append(data)
    return {session: tuple(sets) for session, sets in found.items()}


def is_counted(labels: np.ndarray) -> np.ndarray:
    """Which trials have a label, (trials,) bool."""
    return np.isfinite(labels) if labels.dtype.kind == "f" else labels != NO_CLASS


def open_cohort(
    body: Sequence[str | Path],
    held_out: Sequence[str | Path],
    options: DecoderOptions,
    spool: str | Path | None = None,
) -> CohortData:
    """Open the tensors of a cohort and read the windows of their usable trials.

    A session takes part with each stimulus of the tasks that it has.

    Args:
        body, held_out: Zarr stores.
        options: of the decoders.
        spool: folder for windows that do not fit `decoders.memory_mb`; None: all in memory.

    Raises:
        UserError: a tensor is damaged or lacks every stimulus of the tasks, a part of a fold has
            no trials, or a session is named twice.
    """
    tensors = [open_session(path) for path in (*body, *held_out)]
    names = [tensor.session for tensor in tensors]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{name}: the cohort names this session twice; name it once.")
    classes = _classes(tensors[: len(body)], options)
    room = WindowsRoom(options.memory_mb << 20, spool)
    sessions = [read_session(tensor, options, classes, room) for tensor in tensors]
    training = tuple(chain.from_iterable(sessions[: len(body)]))
    held_out_sets = tuple(chain.from_iterable(sessions[len(body) :]))
    return CohortData(training, held_out_sets, classes, _tasks(training, classes, options))


def read_session(
    tensor: SessionTensor,
    options: DecoderOptions,
    classes: Mapping[str, np.ndarray],
    room: WindowsRoom | None = None,
) -> tuple[TrialSet, ...]:
    """The trial sets of one session, one for each stimulus of the tasks that it has."""
    stimuli = [stimulus for stimulus in options.stimuli if stimulus in tensor.stimuli]
    if not stimuli:
        raise UserError(
            f"{tensor.path.name}: the tasks {', '.join(options.tasks)} need trials of "
            f"{' or '.join(options.stimuli)}; the session has those of "
            f"{', '.join(tensor.stimuli) or 'nothing'}."
        )
    return tuple(read_trials(tensor, stimulus, options, classes, room) for stimulus in stimuli)


def read_trials(
    tensor: SessionTensor,
    stimulus: str,
    options: DecoderOptions,
    classes: Mapping[str, np.ndarray],
    room: WindowsRoom | None = None,
) -> TrialSet:
    """The usable trials of one stimulus of a session, labelled by the given classes.

    Args:
        room: where the windows go; None: in memory.
    """
    trials = tensor.trials(stimulus)
    reader = TrialWindows(tensor, stimulus, options.window(stimulus))
    usable = np.flatnonzero(~trials.blank & reader.whole)
    parts = {fold: trials.part(options.split, fold)[usable] for fold in options.folds}
    for fold, part in parts.items():
        for code in (TRAIN, SELECTION):
            if not np.any(part == code):
                raise UserError(
                    f"{tensor.path.name}: fold {fold} of the split {options.split} has no usable "
                    f"{PART_NAMES[code]} trial of {stimulus}; exclude the session with "
                    "cohorts.exclude."
                )
    labels = {
        task.name: reader.mean_of(tensor.series(task.condition), usable)
        if task.is_value
        else labelled(trials.conditions[task.condition][usable], classes[task.name])
        for task in options.tasks_of(stimulus)
        if task.is_value or task.name in classes
    }
    shape = (len(usable), reader.n_cells, reader.n_samples)
    return TrialSet(
        session=tensor.session,
        mouse=tensor.mouse,
        cre_line=tensor.cre_line,
        stimulus=stimulus,
        store=tensor.path.name,
        content_sha256=tensor.manifest["content_sha256"],
        trial=usable,
        windows=reader.read(usable, room and room.take(shape)),
        labels=labels,
        parts=parts,
        cell_specimen_id=tensor.cell_specimen_id,
    )


def labelled(values: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Class index of each condition value, (trials,), i8; `NO_CLASS` where it is no class."""
    values = np.asarray(values, dtype=np.float64)
    place = np.minimum(np.searchsorted(classes, values), len(classes) - 1)
    return np.where(classes[place] == values, place, NO_CLASS).astype(np.int64)


def _classes(tensors: Sequence[SessionTensor], options: DecoderOptions) -> dict[str, np.ndarray]:
    """Sorted distinct values of each task over the trials that are not blank.

    A task whose stimulus no session of the cohort has is left out.
    """
    found = {}
    for task in tasks_named(options.tasks):
        having = [tensor for tensor in tensors if task.stimulus in tensor.stimuli]
        if not having:
            continue
        values = []
        for tensor in having:
            trials = tensor.trials(task.stimulus)
            values.append(trials.conditions[task.condition][~trials.blank].astype(np.float64))
        distinct = np.unique(np.concatenate(values))
        found[task.name] = distinct[np.isfinite(distinct)]
        if len(found[task.name]) < 2:
            raise UserError(
                f"decoders.tasks: the trials of this cohort have {len(found[task.name])} value "
                f"of {task.name}; a decoder needs at least 2. Leave the task out."
            )
    return found


def _tasks(
    body: Sequence[TrialSet], classes: Mapping[str, np.ndarray], options: DecoderOptions
) -> tuple[str, ...]:
    """The tasks that this cohort can be trained on, in the order of the options."""
    return tuple(
        task.name
        for task in tasks_named(options.tasks)
        if task.name in classes
        or (task.is_value and any(is_counted(data.labels[task.name]).any() for data in body))
    )

"""What the units of a simulated cohort truly stand for: fresh trials, and fresh mice.

The truth of a unit is the share of the variance of its activation that a variable explains over
many trials that the simulator draws anew and that run through the frozen decoder and dictionary.
For direction and temporal frequency they are new trials of the cohort's own mice, and the variance
is that within sessions, as in units.csv. For genotype they are trials of mice that no cohort
contains; their unit vectors are fitted without a genotype label, body frozen.

Nothing heavy is imported with this module; decoders and dictionaries come when they are needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from glassbox.errors import UserError
from glassbox.sessions.course import COURSE
from glassbox.sessions.simulate import Recording, fresh_session
from glassbox.sessions.simulated_mice import fresh_mice
from glassbox.sessions.stimuli import is_movie
from glassbox.sessions.stimulus_schedule import FRAME_RATE_HZ
from glassbox.units.activations import DictionaryFolder
from glassbox.units.genotype import line_codes, variance_of_lines
from glassbox.units.mice import mouse_table
from glassbox.units.variance import explained_variance

if TYPE_CHECKING:
    from glassbox.decoders.data import TrialSet
    from glassbox.decoders.fitted import FittedDecoder
    from glassbox.dictionaries.dictionary import Dictionary
    from glassbox.sessions.options import SimulateOptions

GUARD = 3  # trials left out at a border between parts of a fresh mouse's session


@dataclass
class FrozenRun:
    """One decoder with its dictionary, and what its units did in fresh trials.

    Attributes:
        cohort: name of the cohort.
        sessions: names of the sessions that trained the decoder.
        hook: where the dictionary is.
        activation, session, label: one array for each session shown so far.
    """

    cohort: str
    seed: int
    fold: int
    sessions: tuple[str, ...]
    decoder: FittedDecoder
    dictionary: Dictionary
    hook: str = "latents"
    activation: list[np.ndarray] = field(default_factory=list)
    session: list[np.ndarray] = field(default_factory=list)
    label: dict[str, list[np.ndarray]] = field(default_factory=dict)

    def truth(self) -> dict[str, np.ndarray]:
        """Share of the variance that each task's variable explains, (width,) by task."""
        activation, session = np.concatenate(self.activation), np.concatenate(self.session)
        labels = {task: np.concatenate(parts) for task, parts in self.label.items()}
        shares = {}
        for task, label in labels.items():
            others = tuple(v for other, v in labels.items() if other != task)
            shares[task] = explained_variance(activation, label, session, others).omega2
        return shares


def frozen_runs(dictionary_folder: str | Path, decoder_folder: str | Path) -> list[FrozenRun]:
    """The decoders and dictionaries of a cohort, one for each seed and fold."""
    from glassbox.decoders.fitted import FittedDecoder
    from glassbox.dictionaries.architectures import load_dictionary

    folder = DictionaryFolder.open(dictionary_folder)
    runs = []
    for seed, fold in folder.runs():
        decoder = FittedDecoder.load(decoder_folder, seed, fold)
        weights = folder.path / f"{folder.dictionary}-seed{seed}-fold{fold}.safetensors"
        sessions = tuple(s.session for s in folder.sessions if not s.held_out)
        dictionary = load_dictionary(weights)
        runs.append(
            FrozenRun(decoder.cohort, seed, fold, sessions, decoder, dictionary, folder.hook)
        )
    return runs


def show_fresh_trials(
    runs: Iterable[FrozenRun], simulate: SimulateOptions, trials: int, seed: int
) -> None:
    """Show new trials of each session to every run that was trained on it.

    A session is simulated once, whatever number of cohorts it is in, with the stimulus of their
    decoders alone.
    """
    runs = list(runs)
    for session in sorted({name for run in runs for name in run.sessions}):
        data: dict[str, TrialSet] = {}
        for run in (run for run in runs if session in run.sessions):
            stimulus = run.decoder.stimulus
            key = repr((stimulus, run.decoder.options.window(stimulus), sorted(run.decoder.tasks)))
            if key not in data:
                recording = fresh_session(simulate, session, seed, trials, stimulus)
                data[key] = session_of(recording, run.decoder)
            shown = data[key]
            run.activation.append(activation_of(run.decoder, run.dictionary, shown, run.hook))
            run.session.append(np.full(len(shown.trial), run.sessions.index(session)))
            for task, label in shown.labels.items():
                run.label.setdefault(task, []).append(label)


def genotype_truth(
    run: FrozenRun,
    lines: Iterable[str],
    simulate: SimulateOptions,
    mice: int,
    trials: int,
    seed: int,
) -> np.ndarray:
    """Share of the variance between the lines over fresh mice, (width,).

    Unit vectors are fitted to the training trials of a mouse's recording, activations read from its
    test trials. Differences between mice of a line are taken out as in units.csv.

    Args:
        run: of a cohort of several lines.
        lines: the Cre lines to compare.
        simulate: options of the cohort.
        mice: fresh mice of each line.
        trials: sweeps of a recording, blanks included.
        seed: of the recordings.
    """
    from glassbox.decoders.adapt import adapt
    from glassbox.tensors.splits import TEST

    line_of: dict[str, str] = {}
    activation, session = [], []
    stimulus = run.decoder.stimulus
    session_type = next(kind for kind in simulate.session_types if stimulus in COURSE[kind])
    for line in lines:
        for mouse in fresh_mice(line, mice, session_type=session_type):
            recording = fresh_session(simulate, mouse.session, seed, trials, stimulus)
            data = session_of(recording, run.decoder)
            decoder = adapt(run.decoder, data)
            test = data.in_part(run.fold, TEST)
            read = activation_of(decoder, run.dictionary, data, run.hook)[test]
            activation.append(read)
            session.append(np.full(len(read), len(line_of)))
            line_of[mouse.session] = line
    mouse_of = dict(enumerate(line_of))
    table = mouse_table(np.concatenate(activation), np.concatenate(session), mouse_of, line_of)
    return variance_of_lines(table, line_codes(table)[1])[1]


def session_of(recording: Recording, decoder: FittedDecoder) -> TrialSet:
    """The decoder's stimulus in a recording in memory, as decoders take it, blanks left out.

    Raises:
        UserError: it is a movie, whose trials the simulator does not tell apart.
    """
    from glassbox.decoders.data import TrialSet, labelled
    from glassbox.tensors.splits import crossfit, poyo
    from glassbox.tensors.tasks import tasks_named
    from glassbox.tensors.windows import frames_of_samples

    stimulus = decoder.stimulus
    if is_movie(stimulus):
        raise UserError(
            f"decoders.tasks: the units of a simulated cohort are scored by trials of the first "
            f"task's stimulus, which is {stimulus}; expected gratings or natural scenes. Put a "
            "task of those first."
        )
    blank = recording.shown[stimulus].blank
    # As the tensors hold them, from which the classes were read.
    conditions = {k: v.astype("f4") for k, v in recording.shown[stimulus].conditions.items()}
    shown = np.flatnonzero(~blank)
    first, count = frames_of_samples(decoder.options.window(stimulus), FRAME_RATE_HZ)
    part = (
        crossfit(blank, GUARD)[decoder.fold] if decoder.split == "crossfit" else poyo(blank, GUARD)
    )
    labels: Mapping[str, np.ndarray] = {
        task.name: labelled(conditions[task.condition][shown], decoder.tasks[task.name])
        for task in tasks_named(decoder.tasks)
    }
    return TrialSet(
        session=recording.mouse.session,
        mouse=recording.mouse.mouse,
        cre_line=recording.mouse.cre_line,
        stimulus=stimulus,
        store="",
        content_sha256="",
        trial=shown,
        windows=recording.windows(first, count, shown, stimulus),
        labels=labels,
        parts={decoder.fold: part[shown]},
        cell_specimen_id=np.arange(recording.cells.n),
    )


def activation_of(
    decoder: FittedDecoder,
    dictionary: Dictionary,
    data: TrialSet,
    hook: str = "latents",
    block: int = 256,
) -> np.ndarray:
    """Mean activation of each unit over the latents, (trials, width) f4."""
    means = []
    for first in range(0, len(data.trial), block):
        seen = decoder.at(hook, data.session, data.windows[first : first + block]).value
        means.append(dictionary.encode(seen).mean(1).numpy())
    return np.concatenate(means)

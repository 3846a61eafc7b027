"""A recording of a simulated mouse, in memory.

`simulate_session` is what the file of a session holds. `fresh_session` shows the same cells new
trials: what they answer was never in a file, so that nothing that was fitted to the file has seen
it. Both give a `Recording`, whose windows are those that the tensors of a written file give.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from glassbox.sessions.behaviour import Behaviour, draw_behaviour
from glassbox.sessions.calcium import dff_of
from glassbox.sessions.drive import draw_drive
from glassbox.sessions.layout import DRIFTING_GRATINGS
from glassbox.sessions.options import SimulateOptions
from glassbox.sessions.population import Cells, draw_cells, draw_running_rate
from glassbox.sessions.program import draw_program
from glassbox.sessions.seeding import generator
from glassbox.sessions.simulated_mice import SimulatedMouse, mouse_of
from glassbox.sessions.stimulus_schedule import Shown


@dataclass(frozen=True)
class Recording:
    """One session of one mouse.

    Attributes:
        times: of each frame, (frames,) f8, seconds.
        shown: the rows of each stimulus, by stimulus.
        running_rate: events/s that running adds, (cells,).
        dff: (cells, frames) f4.
    """

    mouse: SimulatedMouse
    options: SimulateOptions
    cells: Cells
    times: np.ndarray
    shown: Mapping[str, Shown]
    behaviour: Behaviour
    running_rate: np.ndarray
    dff: np.ndarray

    @property
    def schedule(self) -> Shown:
        """The rows of the stimulus that comes first."""
        return next(iter(self.shown.values()))

    def windows(
        self,
        first: np.ndarray,
        count: np.ndarray,
        indices: np.ndarray | None = None,
        stimulus: str | None = None,
    ) -> np.ndarray:
        """dF/F around the onset of each trial, (trials, cells, samples) f4, C-contiguous.

        The same numbers as the windows of the tensors, to the last digits of a mean.

        Args:
            first, count: (samples,) first frame of each sample relative to the onset and how many
                it averages: `glassbox.tensors.windows.frames_of_samples(options, FRAME_RATE_HZ)`.
            indices: which trials, (n,); all when None.
            stimulus: whose trials; those of the first stimulus when None.
        """
        start = (self.shown[stimulus] if stimulus else self.schedule).start
        onsets = start if indices is None else start[indices]
        out = np.empty((len(onsets), self.cells.n, len(first)), np.float32)
        for s, (at, n) in enumerate(zip(first, count, strict=True)):
            frames = onsets[:, None] + np.arange(at, at + n)[None]
            out[:, :, s] = self.dff[:, frames].mean(axis=2).T
        return out


def simulate_session(options: SimulateOptions, session: str) -> Recording:
    """The recording that the file of `session` holds."""
    return _record(options, mouse_of(options, session), "recording")


def fresh_session(
    options: SimulateOptions,
    session: str,
    seed: int,
    trials: int | None = None,
    stimulus: str | None = None,
) -> Recording:
    """New trials of the cells of `session`, which may be a cohort's or a fresh mouse's.

    Args:
        options: those of the cohort; `options.seed` and the session's name make the cells.
        session: such as `sim-Cux2-01`, or the `.session` of one of `fresh_mice`.
        seed: another seed gives other trials of the same cells.
        trials: of each stimulus that has trials, blanks included; those of the options when None.
        stimulus: shown alone; all that the session shows when None.
    """
    if trials is not None:
        names = ("trials", "static_presentations", "scene_presentations")
        options = replace(options, **dict.fromkeys(names, trials))
    if stimulus is not None:
        options = replace(options, stimuli=(stimulus,))
    return _record(options, mouse_of(options, session), f"fresh {seed}")


def _record(options: SimulateOptions, mouse: SimulatedMouse, use: str) -> Recording:
    def stream(purpose: str, stimulus: str = DRIFTING_GRATINGS) -> np.random.Generator:
        """Drifting gratings take the stream that has no stimulus in its name."""
        names = () if stimulus == DRIFTING_GRATINGS else (stimulus,)
        return generator(options.seed, mouse.session, use, purpose, *names)

    cells = draw_cells(mouse, options)
    program = draw_program(mouse.session_type, options, partial(stream, "schedule"))
    frames = len(program.times)
    behaviour = draw_behaviour(frames, stream("behaviour"))
    events = stream("events")
    drives = [
        draw_drive(
            cells,
            shown,
            frames,
            options.seed,
            events if stimulus == DRIFTING_GRATINGS else stream("gains", stimulus),
        )
        for stimulus, shown in program.shown.items()
    ]
    running_rate = draw_running_rate(cells, options)
    dff = dff_of(cells, drives, behaviour, running_rate, events)
    return Recording(
        mouse, options, cells, program.times, program.shown, behaviour, running_rate, dff
    )

"""A recording of a simulated mouse, in memory.

`simulate_session` is what the file of a session holds. `fresh_session` shows the same cells new
trials: what they answer was never in a file, so that nothing that was fitted to the file has seen
it. Both give a `Recording`, whose windows are those that the tensors of a written file give.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glassbox.sessions.behaviour import Behaviour, draw_behaviour
from glassbox.sessions.calcium import dff_of
from glassbox.sessions.options import SimulateOptions
from glassbox.sessions.population import Cells, draw_cells
from glassbox.sessions.seeding import generator
from glassbox.sessions.simulated_mice import SimulatedMouse, mouse_of
from glassbox.sessions.stimulus_schedule import Schedule, draw_schedule


@dataclass(frozen=True)
class Recording:
    """One session of one mouse."""

    mouse: SimulatedMouse
    cells: Cells
    schedule: Schedule
    behaviour: Behaviour
    dff: np.ndarray  # (cells, frames) f4

    @property
    def conditions(self) -> dict[str, np.ndarray]:
        """By name as in the tensors, (trials,) f4; NaN for a blank."""
        return {
            "direction": self.schedule.direction_deg.astype(np.float32),
            "temporal_frequency": self.schedule.temporal_frequency_hz.astype(np.float32),
        }

    def windows(
        self, first: np.ndarray, count: np.ndarray, indices: np.ndarray | None = None
    ) -> np.ndarray:
        """dF/F around the onset of each trial, (trials, cells, samples) f4, C-contiguous.

        The same numbers as the windows of the tensors, to the last digits of a mean.

        Args:
            first, count: (samples,) first frame of each sample relative to the onset and how many
                it averages: `glassbox.tensors.windows.frames_of_samples(options, FRAME_RATE_HZ)`.
            indices: which trials, (n,); all when None.
        """
        onsets = self.schedule.start if indices is None else self.schedule.start[indices]
        out = np.empty((len(onsets), self.cells.n, len(first)), np.float32)
        for s, (at, n) in enumerate(zip(first, count, strict=True)):
            frames = onsets[:, None] + np.arange(at, at + n)[None]
            out[:, :, s] = self.dff[:, frames].mean(axis=2).T
        return out


def simulate_session(options: SimulateOptions, session: str) -> Recording:
    """The recording that the file of `session` holds."""
    return _record(options, mouse_of(options, session), options.trials, "recording")


def fresh_session(
    options: SimulateOptions, session: str, seed: int, trials: int | None = None
) -> Recording:
    """New trials of the cells of `session`, which may be a cohort's or a fresh mouse's.

    Args:
        options: those of the cohort; `options.seed` and the session's name make the cells.
        session: such as `sim-Cux2-01`, or the `.session` of one of `fresh_mice`.
        seed: another seed gives other trials of the same cells.
        trials: sweeps, blanks included; those of the options when None.
    """
    return _record(options, mouse_of(options, session), trials or options.trials, f"fresh {seed}")


def _record(options: SimulateOptions, mouse: SimulatedMouse, trials: int, use: str) -> Recording:
    cells = draw_cells(mouse, options)
    schedule = draw_schedule(trials, generator(options.seed, mouse.session, use, "schedule"))
    behaviour = draw_behaviour(
        len(schedule.times), generator(options.seed, mouse.session, use, "behaviour")
    )
    dff = dff_of(cells, schedule, behaviour, generator(options.seed, mouse.session, use, "events"))
    return Recording(mouse, cells, schedule, behaviour, dff)

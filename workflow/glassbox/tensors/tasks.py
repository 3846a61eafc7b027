"""The tasks that decoders can be trained on: which condition of which stimulus is decoded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from glassbox.errors import UserError

EVERY_STIMULUS = ""


@dataclass(frozen=True)
class Task:
    """One thing to decode from a trial.

    Attributes:
        name: the name in tables and configuration.
        stimulus: the stimulus whose trials carry it; `EVERY_STIMULUS` for behaviour.
        condition: the condition array of those trials, whose sorted distinct values over a cohort
            are the classes; for behaviour the series, whose mean over the window is the target.
        unit: unit of the condition.
        period: where the condition is an angle, the angle at which it begins again, in `unit`.
    """

    name: str
    stimulus: str
    condition: str
    unit: str
    period: float | None = None

    @property
    def is_value(self) -> bool:
        """A number is predicted (behaviour); otherwise one of several classes."""
        return self.stimulus == EVERY_STIMULUS


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("direction", "drifting_gratings", "direction", "degree", 360.0),
        Task("temporal_frequency", "drifting_gratings", "temporal_frequency", "Hz"),
        Task("orientation", "static_gratings", "orientation", "degree", 180.0),
        Task("spatial_frequency", "static_gratings", "spatial_frequency", "cycle/degree"),
        Task("phase", "static_gratings", "phase", "cycle", 1.0),
        Task("scene", "natural_scenes", "scene", "1"),
        Task("movie_one_segment", "natural_movie_one", "segment", "1"),
        Task("movie_two_segment", "natural_movie_two", "segment", "1"),
        Task("movie_three_segment", "natural_movie_three", "segment", "1"),
        Task("running_speed", EVERY_STIMULUS, "running_speed", "cm/s"),
        Task("pupil_x", EVERY_STIMULUS, "pupil_x", "cm"),
        Task("pupil_y", EVERY_STIMULUS, "pupil_y", "cm"),
        Task("pupil_size", EVERY_STIMULUS, "pupil_size", "pixel"),
    )
}


def tasks_named(names: Iterable[str], section: str = "decoders.tasks") -> tuple[Task, ...]:
    """The tasks of these names, in the given order.

    Raises:
        UserError: a name is no task.
    """
    names = tuple(names)
    for name in names:
        if name not in TASKS:
            raise UserError(f"{section}: expected one of {', '.join(TASKS)}; found {name!r}.")
    return tuple(TASKS[name] for name in names)


def stimulus_of_tasks(names: Iterable[str], section: str = "decoders.tasks") -> dict[str, str]:
    """The stimulus that each of these tasks needs, by task; behaviour needs none of its own."""
    return {task.name: task.stimulus for task in tasks_named(names, section) if not task.is_value}

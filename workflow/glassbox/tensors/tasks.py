"""The tasks that decoders can be trained on: which condition of which stimulus is decoded."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from glassbox.errors import UserError


@dataclass(frozen=True)
class Task:
    """One thing to decode from a trial.

    Attributes:
        name: the name in tables and configuration.
        stimulus: the stimulus whose trials carry it.
        condition: the condition array of those trials; its sorted distinct values over a cohort
            are the classes.
        unit: unit of the condition.
        period: where the condition is an angle, the angle at which it begins again, in `unit`.
    """

    name: str
    stimulus: str
    condition: str
    unit: str
    period: float | None = None


TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        Task("direction", "drifting_gratings", "direction", "degree", 360.0),
        Task("temporal_frequency", "drifting_gratings", "temporal_frequency", "Hz"),
        Task("orientation", "static_gratings", "orientation", "degree", 180.0),
        Task("spatial_frequency", "static_gratings", "spatial_frequency", "cycle/degree"),
        Task("phase", "static_gratings", "phase", "cycle", 1.0),
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
    """The stimulus that each of these tasks needs, by the name of the task."""
    return {task.name: task.stimulus for task in tasks_named(names, section)}

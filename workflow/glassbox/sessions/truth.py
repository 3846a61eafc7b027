"""What was planted in a simulated session, beside its file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from glassbox.files import replacing_file
from glassbox.sessions.drive import planted_drive
from glassbox.sessions.population import Cells
from glassbox.sessions.simulate import Recording


def write_truth(recording: Recording, path: str | Path) -> None:
    """Write every parameter of every cell as an npz, with the same bytes on every run.

    Beside the fields of `Cells`: `drive` (cells, 8, 5) events/s by direction and temporal
    frequency, `tuned_to_direction` and `tuned_to_tf` (cells,), and `session`, `mouse`, `cre_line`.
    What was planted for the other stimuli that the session shows: see `drive.planted_drive`. Where
    cells fire with running: `running_rate` (cells,) events/s.
    """
    cells, mouse = recording.cells, recording.mouse
    arrays = {field.name: getattr(cells, field.name) for field in dataclasses.fields(cells)}
    with replacing_file(path) as partial, open(partial, "wb") as handle:
        np.savez(
            handle,
            **arrays,
            drive=cells.drive,
            tuned_to_direction=cells.tuned_to_direction,
            tuned_to_tf=cells.tuned_to_tf,
            session=mouse.session,
            mouse=mouse.mouse,
            cre_line=mouse.cre_line,
            **_beyond_drifting_gratings(recording),
        )


def _beyond_drifting_gratings(recording: Recording) -> dict[str, np.ndarray]:
    options, planted = recording.options, {}
    for stimulus in recording.shown:
        planted |= planted_drive(recording.cells, stimulus, options.scenes, options.seed)
    if options.running_cells:
        planted["running_rate"] = recording.running_rate
    return planted


def read_truth(path: str | Path) -> Cells:
    """The cells as they were planted."""
    with np.load(path) as arrays:
        return Cells(**{field.name: arrays[field.name] for field in dataclasses.fields(Cells)})

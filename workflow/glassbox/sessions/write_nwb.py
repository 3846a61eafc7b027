"""Write a recording as an NWB v1 file in the layout of Allen Visual Coding.

The bytes depend on the recording alone: no clock is asked, no object carries a time, the file
format's version is fixed. Strings are fixed-length bytes, as allensdk expects.

`general/session_id` and `experiment_container_id` are left out on purpose: allensdk takes them for
whole numbers of the Allen database, in which a simulated session is not. The session's id is the
name of the file. Scenes and movies have no stack of images: the simulator knows features of them,
no pixels.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from glassbox.files import replacing_file
from glassbox.sessions import layout
from glassbox.sessions.cre_lines import SPECIMEN_TAIL
from glassbox.sessions.roi_masks import draw_masks
from glassbox.sessions.seeding import generator
from glassbox.sessions.simulate import Recording
from glassbox.sessions.stimuli import CONDITIONS
from glassbox.sessions.stimulus_schedule import Shown

RUNNING_STARTS = 3  # frames: the wheel's trace is a little shorter than the movie, as in real files
RUNNING_LACKS = 5  # frames at its end
# Columns of the tables of gratings, in the order of Allen's files.
FEATURES = {
    layout.DRIFTING_GRATINGS: ("temporal_frequency", "orientation", layout.GRATINGS_BLANK),
    layout.STATIC_GRATINGS: ("spatial_frequency", "phase", "orientation"),
}
CELLS_A_CHUNK, FRAMES_A_CHUNK = 16, 4096
SESSION_START = "2026-01-01T09:00:00Z"
MONITOR_CM = 15.0  # distance of the eye from the monitor


def write_nwb(recording: Recording, path: str | Path, pupil: bool = True) -> None:
    """Write the file at `path` in one step: a file that is there is whole.

    It is made in memory first, for HDF5 does not survive a disk that fills up under an open file.
    """
    with h5py.File(
        str(path), "w", libver=("earliest", "v108"), driver="core", backing_store=False
    ) as file:
        _write_activity(file, recording)
        _write_cells(file, recording)
        _write_running(file, recording)
        if pupil:
            _write_pupil(file, recording)
        for shown in recording.shown.values():
            _write_stimulus(file, recording, shown)
        _write_metadata(file, recording)
        file.flush()
        image = file.id.get_file_image()
    with replacing_file(path) as partial:
        partial.write_bytes(image)


def _put(file: h5py.File, path: str, data: np.ndarray, chunks: tuple | bool | None = None) -> None:
    packed = {"chunks": chunks, "compression": "gzip", "compression_opts": 1, "shuffle": True}
    file.create_dataset(path, data=data, track_times=False, **(packed if chunks else {}))


def _write_activity(file: h5py.File, recording: Recording) -> None:
    cells, frames = recording.dff.shape
    _put(
        file,
        layout.DFF,
        recording.dff,
        (min(CELLS_A_CHUNK, cells), min(FRAMES_A_CHUNK, frames)),
    )
    _put(file, layout.DFF_TIMES, recording.times, (min(FRAMES_A_CHUNK, frames),))
    file[layout.FLUORESCENCE_TIMES] = file[layout.DFF_TIMES]


def _write_cells(file: h5py.File, recording: Recording) -> None:
    ids = recording.cells.cell_specimen_id
    _put(file, layout.CELL_SPECIMEN_IDS, ids)
    _put(file, layout.ROI_IDS, np.array([str(i) for i in ids], "S"))
    names = [f"roi_{i:04d}" for i in range(len(ids))]
    _put(file, layout.ROI_LIST, np.array(names, "S"))
    for name, mask in zip(names, masks_of(recording), strict=True):
        _put(file, f"{layout.ROI_PLANE}/{name}/{layout.ROI_MASK}", mask, mask.shape)


def masks_of(recording: Recording) -> np.ndarray:
    """(cells, 512, 512) u1, the same for every recording of a session's name."""
    return draw_masks(recording.cells.n, generator(0, recording.mouse.session, "masks"))


def _write_running(file: h5py.File, recording: Recording) -> None:
    behaviour, times = recording.behaviour, recording.times
    kept = slice(RUNNING_STARTS, len(times) - RUNNING_LACKS)
    chunk = (min(FRAMES_A_CHUNK, len(times)),)
    speed = _rounded(behaviour.running_speed[kept], 1 / 64)
    _put(file, layout.RUNNING_SPEED, speed, chunk)
    _put(file, layout.RUNNING_SPEED_TIMES, times[kept], chunk)


def _write_pupil(file: h5py.File, recording: Recording) -> None:
    behaviour = recording.behaviour
    chunk = (min(FRAMES_A_CHUNK, len(recording.times)),)
    _put(file, layout.PUPIL_SIZE, _rounded(behaviour.pupil_area, 1.0), chunk)
    file[layout.PUPIL_SIZE_TIMES] = file[layout.DFF_TIMES]
    location = _rounded(behaviour.pupil_location, 1 / 64)
    _put(file, layout.PUPIL_LOCATION, location, (*chunk, 2))
    file[layout.PUPIL_LOCATION_TIMES] = file[layout.DFF_TIMES]
    spherical = np.rad2deg(np.arctan(behaviour.pupil_location[:, ::-1] / MONITOR_CM))
    _put(file, layout.PUPIL_SPHERICAL, _rounded(spherical, 1 / 64), (*chunk, 2))
    file[layout.PUPIL_SPHERICAL_TIMES] = file[layout.DFF_TIMES]


def _write_stimulus(file: h5py.File, recording: Recording, shown: Shown) -> None:
    group = layout.stimulus_group(shown.stimulus)
    frames = np.stack([shown.start, shown.stop], axis=1)
    times = recording.times[shown.start]
    if shown.stimulus in FEATURES:
        features = FEATURES[shown.stimulus]
        table = np.stack([_feature(shown, feature) for feature in features], axis=1)
        _put(file, f"{group}/{layout.STIMULUS_DATA}", table)
        _put(file, f"{group}/{layout.STIMULUS_FEATURES}", np.array(features, "S"))
    elif shown.stimulus == layout.SPONTANEOUS:
        # Each interval has a row for its start and one for its end.
        marks = np.tile(np.array([1, -1], np.int8), len(frames))
        _put(file, f"{group}/{layout.STIMULUS_DATA}", marks)
        frames = np.repeat(frames.reshape(-1), 2).reshape(-1, 2)
        times = recording.times[frames[:, 0]]
    else:
        (image,) = shown.index.values()
        _put(file, f"{group}/{layout.STIMULUS_DATA}", image.astype(np.int64))
    _put(file, f"{group}/{layout.STIMULUS_FRAMES}", frames)
    _put(file, f"{group}/num_samples", np.int64(len(frames)))
    _put(file, f"{group}/timestamps", times)


def _feature(shown: Shown, feature: str) -> np.ndarray:
    """A column of a table of gratings, (rows,) f8."""
    if feature == layout.GRATINGS_BLANK:
        return shown.blank.astype(float)
    (name,) = (c.name for c in CONDITIONS[shown.stimulus] if c.feature == feature)
    return shown.conditions[name]


def _write_metadata(file: h5py.File, recording: Recording) -> None:
    for path, value in metadata(recording).items():
        _put(file, path, np.bytes_(value))
    made_by = ["pipeline", "glassbox simulator", "version", "3.0"]
    _put(file, layout.GENERATED_BY, np.array(made_by, "S"))


def metadata(recording: Recording) -> dict[str, str]:
    """The file's metadata by HDF5 path."""
    mouse = recording.mouse
    what = ", ".join(recording.shown).replace("_", " ")
    return {
        layout.SESSION_TYPE: mouse.session_type,
        layout.SPECIMEN_NAME: f"{mouse.cre_line};{SPECIMEN_TAIL}-{mouse.mouse}",
        layout.AREA: mouse.area,
        layout.GENOTYPE: mouse.genotype,
        layout.SEX: mouse.sex,
        layout.AGE: f"{mouse.age_days} days",
        layout.SUBJECT_ID: mouse.mouse,
        "general/subject/species": "Mus musculus",
        layout.DEPTH: f"{mouse.depth_um} microns",
        layout.INDICATOR: "GCaMP6f",
        layout.LOCATION: mouse.area,
        f"{layout.IMAGING_PLANE}/excitation_lambda": "910 nanometers",
        layout.DEVICE: "Simulated multiphoton microscope. GLASSBOX Please see the documentation",
        layout.FIELD_OF_VIEW: "400x400 microns (512 x 512 pixels)",
        layout.SESSION_START_TIME: SESSION_START,
        layout.NWB_VERSION: "NWB-1.0.5",
        layout.IDENTIFIER: mouse.session,
        "session_description": f"Simulated session of {what}; no animal was recorded",
    }


def _rounded(values: np.ndarray, step: float) -> np.ndarray:
    return (np.round(values / step) * step).astype(np.float32)

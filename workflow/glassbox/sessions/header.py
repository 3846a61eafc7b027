"""The header of an NWB v1 session: who, where, which stimuli, how many cells and frames.

Cheap enough to read for each file of a folder: shapes, scalars, the names of stimulus features
and the first timestamps; never dF/F.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from glassbox.names import cre_line_of
from glassbox.sessions import hdf5, layout, stimuli
from glassbox.sessions.hdf5 import fault

# Intervals between the first frames whose median is the frame interval: two minutes at 30 Hz, so
# that no jump between recorded segments moves it.
RATE_INTERVALS = 4096
UNKNOWN_CRE_LINE = "unknown"


@dataclass(frozen=True)
class Header:
    """What is known of a session without reading its recording.

    Attributes:
        session: `general/session_id`, or the name of the file where that is absent.
        file: name of the file.
        mouse: subject id, else the number at the end of the specimen name, else the session.
        cre_line: genotype before the first ';', then before '/'.
        stimuli: names without `_stimulus`, sorted.
        depth_um: imaging depth, µm, or None.
        cells, frames: shape of dF/F.
        frame_rate_hz: one over the median interval of the first frames, six digits.
        missing: metadata that the file lacks and that a warning should mention.
    """

    session: str
    file: str
    mouse: str
    cre_line: str
    genotype: str
    session_type: str
    stimuli: tuple[str, ...]
    area: str
    depth_um: float | None
    sex: str
    age: str
    cells: int
    frames: int
    frame_rate_hz: float
    missing: tuple[str, ...] = ()


def read_header(path: str | Path, ignore_stimuli: Iterable[str] = ()) -> Header:
    """Read and check the header of a session.

    Args:
        path: an NWB v1 file.
        ignore_stimuli: stimuli that Glassbox does not know and that the user lets pass.

    Raises:
        UserError: the file cannot be opened, lacks a dataset, has shapes that do not agree, or
            shows a stimulus that is not known.
    """
    with hdf5.opened(path) as file:
        return header_of(file, ignore_stimuli)


def header_of(file: h5py.File, ignore_stimuli: Iterable[str] = ()) -> Header:
    """The checked header of an open session; see `read_header`."""
    name = Path(file.filename)
    cells, frames = _shape(file)
    presented = _stimuli(file, frozenset(ignore_stimuli))
    session = hdf5.text(file, layout.SESSION_ID, name.stem)
    genotype = hdf5.text(file, layout.GENOTYPE)
    mouse = _mouse(file)
    area = hdf5.text(file, layout.AREA) or hdf5.text(file, layout.LOCATION)
    depth = _number(hdf5.text(file, layout.DEPTH))
    session_type = hdf5.text(file, layout.SESSION_TYPE)
    asked = {
        layout.SESSION_TYPE: session_type,
        layout.GENOTYPE: genotype,
        layout.SUBJECT_ID: mouse,
        layout.AREA: area,
        layout.DEPTH: depth,
    }
    return Header(
        session=session,
        file=name.name,
        mouse=mouse or session,
        cre_line=cre_line_of(genotype) or UNKNOWN_CRE_LINE,
        genotype=genotype,
        session_type=session_type,
        stimuli=presented,
        area=area,
        depth_um=depth,
        sex=hdf5.text(file, layout.SEX),
        age=hdf5.text(file, layout.AGE),
        cells=cells,
        frames=frames,
        frame_rate_hz=float(f"{1 / frame_interval(file):.6g}"),
        missing=tuple(path for path, value in asked.items() if value in ("", None)),
    )


def session_id(path: str | Path) -> str:
    """The session id of a file, as far as it can be read; else the name of the file."""
    try:
        with hdf5.opened(path) as file:
            return hdf5.text(file, layout.SESSION_ID, Path(path).stem)
    except Exception:  # the fault itself is told by read_header
        return Path(path).stem


def frame_interval(file: h5py.File) -> float:
    """Median interval of the first frames, seconds."""
    times = hdf5.dataset(file, layout.DFF_TIMES)
    first = np.asarray(hdf5.read(times, slice(0, RATE_INTERVALS + 1)), dtype=np.float64)
    intervals = np.diff(first)
    intervals = intervals[np.isfinite(intervals)]  # a time that is no number is told in reading
    interval = float(np.median(intervals)) if len(intervals) else float("nan")
    if not interval > 0:
        raise fault(
            file.filename,
            layout.DFF_TIMES,
            f"the median interval of the first frames is {interval:g} s, expected seconds that "
            "increase from frame to frame",
        )
    return interval


def _shape(file: h5py.File) -> tuple[int, int]:
    """(cells, frames) of dF/F after a check against the cells and the clock."""
    dff = hdf5.dataset(file, layout.DFF)
    times = hdf5.dataset(file, layout.DFF_TIMES)
    ids = hdf5.dataset(file, layout.CELL_SPECIMEN_IDS)
    if dff.ndim != 2:
        raise fault(
            file.filename,
            layout.DFF,
            f"found {dff.ndim} dimensions {dff.shape}, expected (cells, frames)",
        )
    if dff.dtype.kind != "f":
        raise fault(file.filename, layout.DFF, f"found type {dff.dtype}, expected dF/F as floats")
    cells, frames = dff.shape
    promised = hdf5.optional_dataset(file, f"{layout.DFF.rsplit('/', 1)[0]}/num_samples")
    if promised is not None and promised.size == 1:
        samples = int(np.asarray(hdf5.read(promised)).reshape(-1)[0])
        if samples != frames:
            raise fault(
                file.filename,
                layout.DFF,
                f"found {frames:,} frame{'s' * (frames != 1)}, but num_samples beside it "
                f"promises {samples:,}: the recording itself is not in this file",
            )
    if ids.shape != (cells,):
        raise fault(
            file.filename,
            layout.DFF,
            f"found {cells:,} cells, but cell_specimen_ids has shape {ids.shape}, "
            "expected one id for each cell and dF/F as (cells, frames)",
        )
    if times.shape != (frames,):
        raise fault(
            file.filename,
            layout.DFF,
            f"found {frames:,} frames, but timestamps has shape {times.shape}, "
            "expected one time for each frame",
        )
    if cells < 1 or frames < 2:
        raise fault(
            file.filename,
            layout.DFF,
            f"found {cells:,} cells and {frames:,} frames, expected at least one and two",
        )
    return cells, frames


def _stimuli(file: h5py.File, ignored: frozenset[str]) -> tuple[str, ...]:
    """Names of the stimuli, each known or ignored, their tables with the right shapes."""
    group = file.get(layout.PRESENTATION)
    if not isinstance(group, h5py.Group):
        return ()
    names = []
    for key in sorted(group):
        name = key.removesuffix(layout.STIMULUS_SUFFIX)
        if not stimuli.is_known(name) and name not in ignored:
            raise fault(
                file.filename,
                f"{layout.PRESENTATION}/{key}",
                f"the stimulus {name!r} is unknown; known are {stimuli.known_names()}",
                "Name it in sessions.ignore_stimuli to pass over its trials, or exclude the "
                "session with cohorts.exclude",
            )
        if name in stimuli.CONDITIONS:
            _check_table(file, name)
        names.append(name)
    return tuple(sorted(names))  # in the file's order the suffix would count


def _check_table(file: h5py.File, stimulus: str) -> None:
    """Refuse a stimulus table whose features, type or shapes are not those of its layout."""
    group = layout.stimulus_group(stimulus)
    data = hdf5.dataset(file, f"{group}/{layout.STIMULUS_DATA}")
    frames = hdf5.dataset(file, f"{group}/{layout.STIMULUS_FRAMES}")
    if stimuli.is_indexed(stimulus):
        what, shape = "the index of an image", "(rows,), one image each"
        right = data.ndim == 1
    else:
        features = _features(file, stimulus)
        what = f"numbers for {', '.join(c.feature for c in stimuli.CONDITIONS[stimulus])}"
        shape = f"(trials, {len(features)} features)"
        right = data.ndim == 2 and data.shape[1] == len(features)
    if data.dtype.kind not in "iuf":
        raise fault(
            file.filename,
            f"{group}/{layout.STIMULUS_DATA}",
            f"found type {data.dtype}, expected {what}",
        )
    if not right or data.shape[0] < 1:
        raise fault(
            file.filename,
            f"{group}/{layout.STIMULUS_DATA}",
            f"found shape {data.shape}, expected {shape}",
        )
    if frames.shape != (data.shape[0], 2):
        raise fault(
            file.filename,
            f"{group}/{layout.STIMULUS_FRAMES}",
            f"found shape {frames.shape}, expected ({data.shape[0]}, 2): the first and last "
            "frame of each trial",
        )


def _features(file: h5py.File, stimulus: str) -> tuple[str, ...]:
    """The columns of a table of gratings, with those that its layout needs."""
    path = f"{layout.stimulus_group(stimulus)}/{layout.STIMULUS_FEATURES}"
    features = hdf5.texts(hdf5.dataset(file, path))
    wanted = [condition.feature for condition in stimuli.CONDITIONS[stimulus]]
    if any(feature not in features for feature in wanted):
        raise fault(
            file.filename,
            path,
            f"found {', '.join(features) or 'nothing'}; expected {', '.join(wanted)}",
        )
    return features


def _mouse(file: h5py.File) -> str:
    given = hdf5.text(file, layout.SUBJECT_ID)
    if given:
        return given
    number = re.search(r"(\d+)$", hdf5.text(file, layout.SPECIMEN_NAME))
    return number.group(1) if number else ""


def _number(said: str) -> float | None:
    """The number at the start of a text such as '275 microns'."""
    found = re.match(r"\s*([0-9.]+)", said)
    try:
        return float(found.group(1)) if found else None
    except ValueError:
        return None

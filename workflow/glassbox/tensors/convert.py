"""Turning an NWB session into a tensor, in a stream and byte for byte the same each time."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec
from zarr.errors import ZarrUserWarning

import glassbox
from glassbox.errors import UserError
from glassbox.files import (
    replacing_file,
    replacing_folder,
    sha256_of_file,
    sha256_of_folder,
    sole_writer,
)
from glassbox.progress import Progress
from glassbox.sessions.catalogue import USER_COLUMNS, Row
from glassbox.sessions.header import Header
from glassbox.sessions.nwb import SERIES_BLOCK, NwbSession, StimulusTable
from glassbox.sessions.stimuli import CONDITIONS, is_movie
from glassbox.tensors import splits
from glassbox.tensors.events import events_by_frames
from glassbox.tensors.memory import give_large_blocks_back
from glassbox.tensors.movies import segments
from glassbox.tensors.options import TensorOptions
from glassbox.tensors.spool import readable_by_frames
from glassbox.tensors.tasks import TASKS

# A chunk is unpacked whole, and costs the same whatever it holds: few cells want long chunks. Read
# whole, 47 cells are 2.4 times as fast in chunks of 256 frames as of 64, and their windows as fast;
# 254 cells gain nothing, and a window of 2 s takes 1.4 times as long.
CHUNK_BYTES = 64 << 10
FEWEST_FRAMES, MOST_FRAMES = 64, 256  # of a chunk; a window of 2 s at 30 Hz is 60
SHARD_BYTES = 4 << 20  # one file holds at most this much dF/F, and memory holds a few of them
MEANING = {
    "dff": "dF/F, neither scaled nor filtered",
    "events": "size of the events detected in dF/F",
}
# One thread, one chunk at a time: the bytes and the memory do not depend on the machine.
ZARR_IN_ORDER = {"async.concurrency": 1, "threading.max_workers": 1}
# On real dF/F the smallest and the fastest of six tried (49 of 58 MB; zstd: 52).
COMPRESSOR = BloscCodec(cname="lz4", clevel=5, shuffle="bitshuffle", typesize=4)


def convert_session(
    nwb: str | Path,
    out: str | Path,
    manifest: str | Path,
    options: TensorOptions,
    row: Row | None = None,
    events: str | Path | None = None,
) -> dict[str, Any]:
    """Write the tensor of an NWB session and its manifest, both whole or not at all.

    Args:
        nwb: an NWB v1 file.
        out: the Zarr store to make, `{session}.zarr`.
        manifest: the manifest to make, `{session}.json`.
        row: the session's row of the catalogue. What it states wins over the file, and the
            stimuli it names have been let pass.
        events: the npz file of its events, where `options.signal` asks for them.

    Returns:
        the manifest.

    Raises:
        UserError: the session does not hold what its layout promises.
    """
    if (options.signal == "events") != (events is not None):
        raise UserError(
            f"tensors.signal: {options.signal} is asked for, and a file of events is "
            f"{'not given' if events is None else f'given, {events}'}; expected one with events "
            "and none with dff."
        )
    give_large_blocks_back()
    stimuli = row.stimuli if row is not None else ()
    with sole_writer(out), zarr.config.set(ZARR_IN_ORDER), NwbSession(nwb, stimuli) as session:
        with replacing_folder(out) as folder:
            source = {"file": Path(nwb).name, "sha256": sha256_of_file(nwb)}
            about = _Writer(folder, session, source, options, row, events).write()
            _consolidate(folder)
            about["content_sha256"] = sha256_of_folder(folder)
        with replacing_file(manifest) as partial:
            partial.write_text(json.dumps(about, indent=1, sort_keys=True) + "\n")
    return about


def chunk_frames(n_cells: int) -> int:
    """Frames of one chunk: a power of two, at most `CHUNK_BYTES` within the bounds above."""
    fitting = max(CHUNK_BYTES // (4 * n_cells), 1)
    return min(max(1 << (fitting.bit_length() - 1), FEWEST_FRAMES), MOST_FRAMES)


def shard_frames(n_cells: int) -> int:
    """Frames of one shard: a power of two of chunks, at most `SHARD_BYTES`, at least a chunk."""
    frames = chunk_frames(n_cells)
    chunks = max(SHARD_BYTES // (4 * n_cells * frames), 1)
    return frames * (1 << (chunks.bit_length() - 1))


def _consolidate(folder: Path) -> None:
    """Repeat the metadata of all arrays in the root, so that xarray opens the store at once.

    Zarr lists a folder in the order of the file system; sorted keys make the bytes the same
    everywhere.
    """
    with warnings.catch_warnings():
        # zarr warns that consolidated metadata is no part of the specification yet; readers that
        # do not know it pass over it.
        warnings.simplefilter("ignore", ZarrUserWarning)
        zarr.consolidate_metadata(folder, zarr_format=3)
    root = folder / "zarr.json"
    root.write_text(json.dumps(json.loads(root.read_text()), indent=1, sort_keys=True) + "\n")


@dataclass
class _Writer:
    folder: Path
    session: NwbSession
    source: dict[str, str]
    options: TensorOptions
    row: Row | None
    events: str | Path | None

    def write(self) -> dict[str, Any]:
        """Fill the folder; returns the manifest without the content hash."""
        tables = {
            name: segments(table, self.options.movie_segment_frames) if is_movie(name) else table
            for name, table in self.session.stimulus_tables().items()
        }
        ids = self.session.cell_specimen_ids()
        header = _stated(self.session.header, self.row)
        about = {
            "session": header.session,
            "mouse": header.mouse,
            "cre_line": header.cre_line,
            "genotype": header.genotype,
            "area": header.area,
            "depth_um": header.depth_um,
            "session_type": header.session_type,
            "sex": header.sex,
            "age": header.age,
            "frame_rate_hz": header.frame_rate_hz,
            "stimuli": sorted(tables),
            "source_file": self.source["file"],
            "source_sha256": self.source["sha256"],
        }
        if self.events is not None:
            about |= {
                "signal": "events",
                "events_file": Path(self.events).name,
                "events_sha256": sha256_of_file(self.events),
            }
        units = {"depth_um": "µm", "frame_rate_hz": "Hz"}
        self.root = zarr.create_group(
            self.folder,
            zarr_format=3,
            attributes={**about, "units": units, "glassbox": glassbox.__version__},
        )
        self._array(self.root, "cell_specimen_id", ids, ("cell",))
        after_jump = self._clock()
        self._array(self.root, "after_jump", after_jump, ("jump",))
        recorded = self._behaviour()
        self._dff()
        for table in tables.values():
            self._trials(table, after_jump)
        return {
            **about,
            "missing": list(header.missing),
            "shapes": {"dff": [self.session.n_frames, self.session.n_cells]},
            "jumps": len(after_jump),
            "trials": {
                name: {
                    "total": len(table.start),
                    "blank": int(table.blank.sum()),
                    "conditions": {
                        condition: [float(f"{v:.6g}") for v in np.unique(values[~table.blank])]
                        for condition, values in table.conditions.items()
                    },
                }
                for name, table in tables.items()
            },
            "tasks": _tasks(tables, recorded),
        }

    def _clock(self) -> np.ndarray:
        """Write `time`; returns the first frame after each jump."""
        n = self.session.n_frames
        array = self._series("time", "f8", {"units": "s", "long_name": "time of the frame"})
        limit = self.options.jump * self.session.frame_interval_s
        jumps = []
        for first in range(0, n, SERIES_BLOCK):
            times = self.session.frame_times(max(first - 1, 0), min(first + SERIES_BLOCK, n))
            jumps.append(np.flatnonzero(np.diff(times) > limit) + 1 + max(first - 1, 0))
            array[first : first + SERIES_BLOCK] = times[1:] if first else times
        return np.concatenate(jumps).astype(np.int64)

    def _behaviour(self) -> list[str]:
        """Write the behavioural series on the imaging clock, NaN where there are none.

        Returns:
            the series that were recorded.
        """
        read = {
            "running_speed": (self.session.running_speed(), "cm/s", "running speed"),
            "pupil_x": (self.session.pupil_location(0), "cm", "horizontal position of the pupil"),
            "pupil_y": (self.session.pupil_location(1), "cm", "vertical position of the pupil"),
            "pupil_size": (self.session.pupil_size(), "pixel", "size of the pupil"),
        }
        n = self.session.n_frames
        for name, (series, unit, meaning) in read.items():
            about = {"units": unit, "long_name": meaning, "recorded": series is not None}
            array = self._series(name, "f4", about)
            if series is None:
                continue  # the fill value is NaN
            for first in range(0, n, SERIES_BLOCK):
                last = min(first + SERIES_BLOCK, n)
                array[first:last] = series.at(self.session.frame_times(first, last))
        return [name for name, (series, _, _) in read.items() if series is not None]

    def _dff(self) -> None:
        """Write dF/F, or events, shard by shard, each read once and turned over."""
        frames, cells = self.session.n_frames, self.session.n_cells
        step = shard_frames(cells)
        array = self.root.create_array(
            "dff",
            shape=(frames, cells),
            dtype="f4",
            chunks=(chunk_frames(cells), cells),
            shards=(step, cells),
            compressors=COMPRESSOR,
            fill_value=np.float32("nan"),
            dimension_names=("time", "cell"),
            attributes={
                "units": "1",
                "long_name": MEANING[self.options.signal],
                "coordinates": "cell_specimen_id",
            },
        )
        progress = Progress(frames, f"convert {self.session.header.session}", "frame")
        opened = (
            readable_by_frames(self.session, step, self.folder)
            if self.events is None
            else events_by_frames(self.events, self.session, self.folder)
        )
        with opened as source:
            for first in range(0, frames, step):
                last = min(first + step, frames)
                array[first:last] = source.dff_frames(first, last)
                progress.step(last - first)
        progress.close()

    def _trials(self, table: StimulusTable, after_jump: np.ndarray) -> None:
        """Write the group of a stimulus."""
        group = self.root.create_group(
            table.stimulus, attributes={"conditions": list(table.conditions)}
        )
        guard = self.options.guard_trials
        meaning = {"meaning": "0 training, 1 selection, 2 test, -1 none"}
        clock = self.root["time"]
        onset = clock.get_coordinate_selection(table.start)
        block = splits.presentation_blocks(table.start, after_jump)
        self._array(group, "start", table.start, ("trial",), {"long_name": "first frame"})
        self._array(group, "stop", table.stop, ("trial",), {"long_name": "frame after the last"})
        self._array(group, "onset", onset, ("trial",), {"units": "s"})
        for condition in CONDITIONS[table.stimulus]:
            values = table.conditions[condition.name]
            self._array(group, condition.name, values, ("trial",), {"units": condition.unit})
        self._array(group, "blank", table.blank, ("trial",))
        self._array(group, "block", block, ("trial",), {"long_name": "contiguous presentation"})
        crossfit = splits.crossfit(table.blank, guard)
        self._array(group, "crossfit", crossfit, ("fold", "trial"), meaning)
        self._array(group, "poyo", splits.poyo(table.blank, guard), ("trial",), meaning)

    def _series(self, name: str, dtype: str, attributes: dict[str, Any]) -> zarr.Array:
        return self.root.create_array(
            name,
            shape=(self.session.n_frames,),
            dtype=dtype,
            chunks=(SERIES_BLOCK,),
            fill_value=float("nan"),
            dimension_names=("time",),
            attributes=attributes,
        )

    def _array(
        self,
        group: zarr.Group,
        name: str,
        values: np.ndarray,
        dimensions: tuple[str, ...],
        attributes: dict[str, Any] | None = None,
    ) -> None:
        array = group.create_array(
            name,
            shape=values.shape,
            dtype=values.dtype,
            chunks=tuple(max(length, 1) for length in values.shape),
            dimension_names=dimensions,
            attributes=attributes or {},
        )
        if values.size:
            array[...] = values


def _stated(header: Header, row: Row | None) -> Header:
    """The header with what the catalogue states in its place."""
    if row is None:
        return header
    stated = {name: getattr(row, name) for name in USER_COLUMNS if name != "file"}
    return replace(header, **{name: v for name, v in stated.items() if v not in ("", None)})


def _tasks(tables: Mapping[str, StimulusTable], recorded: Iterable[str]) -> list[str]:
    """The tasks that the session has: two classes or more, or behaviour beside any trials."""
    having = []
    for task in TASKS.values():
        if task.is_value:
            has = bool(tables) and task.condition in recorded
        else:
            table = tables.get(task.stimulus)
            has = table is not None and _classes(table, task.condition) > 1
        having += [task.name] * has
    return having


def _classes(table: StimulusTable, condition: str) -> int:
    """How many different values a condition takes on trials that are not blank."""
    return len(np.unique(table.conditions[condition][~table.blank]))

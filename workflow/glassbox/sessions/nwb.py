"""Reading an NWB v1 session in blocks, each value checked as it passes.

Source of the layout: allensdk 2.16.2, `brain_observatory/brain_observatory_nwb_data_set.py`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from glassbox.sessions import hdf5, layout, stimuli
from glassbox.sessions.hdf5 import fault
from glassbox.sessions.header import Header, frame_interval, header_of

SERIES_BLOCK = 65_536  # samples of a one-dimensional series held in memory at once
DFF_BLOCK_BYTES = 4 << 20  # dF/F held in memory at once while it is searched for NaN


@dataclass(frozen=True)
class StimulusTable:
    """The rows of the table of one stimulus, in order of time. Each is a trial, of a movie a frame.

    Attributes:
        stimulus: such as 'drifting_gratings'.
        start, stop: first frame and the frame after the last, (rows,), i8. A frame of a movie may
            be over within one frame of the recording, or share it with the next: stop = start.
        conditions: (rows,) f4 for each condition, NaN on blank rows; of a movie the clip's `frame`.
        blank: (rows,) bool, nothing but grey was shown.
    """

    stimulus: str
    start: np.ndarray
    stop: np.ndarray
    conditions: dict[str, np.ndarray]
    blank: np.ndarray


class Series:
    """Behaviour on a clock of its own, read in blocks and put on the imaging clock.

    Values between two samples are interpolated linearly; before the first sample and after the
    last they are NaN. Where both clocks agree the samples pass unchanged, which is what allensdk
    does with running speed (the first timestamp equals an imaging timestamp, the rest is padded
    with NaN).
    """

    def __init__(self, data: h5py.Dataset, times: h5py.Dataset, column: int | None):
        self.data, self.times, self.column = data, times, column

    def at(self, times: np.ndarray) -> np.ndarray:
        """Values at increasing imaging times, (times,), f4."""
        first = max(bisect_left(self.times, times[0]) - 1, 0)
        last = min(bisect_left(self.times, times[-1]) + 1, len(self.times))
        if last - first < 1:
            return np.full(len(times), np.nan, dtype=np.float32)
        where = slice(first, last) if self.column is None else (slice(first, last), self.column)
        values = np.asarray(hdf5.read(self.data, where), dtype=np.float64)
        known = np.asarray(hdf5.read(self.times, slice(first, last)), dtype=np.float64)
        return np.interp(times, known, values, left=np.nan, right=np.nan).astype(np.float32)


class NwbSession:
    """An open NWB v1 session. Use as a context manager; nothing large is read on opening.

    Raises:
        UserError: from every method, where the file does not hold what the layout promises.
    """

    def __init__(self, path: str | Path, ignore_stimuli: Iterable[str] = ()):
        self.path = Path(path)
        self._ignore_stimuli = tuple(ignore_stimuli)
        self._stack = ExitStack()

    def __enter__(self) -> NwbSession:
        self._file = self._stack.enter_context(hdf5.opened(self.path))
        try:
            self.header: Header = header_of(self._file, self._ignore_stimuli)
            self.frame_interval_s = frame_interval(self._file)
        except BaseException:
            self._stack.close()
            raise
        self._dff = hdf5.dataset(self._file, layout.DFF)
        self._times = hdf5.dataset(self._file, layout.DFF_TIMES)
        return self

    def __exit__(self, *about: object) -> None:
        self._stack.close()

    @property
    def n_cells(self) -> int:
        return self._dff.shape[0]

    @property
    def n_frames(self) -> int:
        return self._dff.shape[1]

    def frame_times(self, first: int = 0, last: int | None = None) -> np.ndarray:
        """Times of the frames first..last, (frames,), f8 seconds, checked to increase."""
        return self._increasing(self._times, layout.DFF_TIMES, first, last, "frame")

    def cell_specimen_ids(self) -> np.ndarray:
        """Identity of each cell, (cells,), i8, each once."""
        ids = hdf5.read(hdf5.dataset(self._file, layout.CELL_SPECIMEN_IDS))
        if ids.dtype.kind not in "iu":
            raise fault(
                self.path,
                layout.CELL_SPECIMEN_IDS,
                f"found type {ids.dtype}, expected whole numbers",
            )
        values, counts = np.unique(ids, return_counts=True)
        if len(values) != len(ids):
            twice = values[counts > 1][0]
            raise fault(
                self.path,
                layout.CELL_SPECIMEN_IDS,
                f"the id {twice} stands there {counts.max()} times, expected each cell once",
            )
        return ids.astype(np.int64)

    @property
    def dff_chunk(self) -> tuple[int, int] | None:
        """(cells, frames) that HDF5 unpacks at once, or None where dF/F lies plain in the file."""
        return self._dff.chunks

    def dff_rows(self, first: int, last: int) -> np.ndarray:
        """dF/F of the cells first..last over the whole recording, (cells, frames), f4."""
        return self.dff_values(first, last, 0, self.n_frames)

    def dff_values(self, cell: int, last_cell: int, frame: int, last_frame: int) -> np.ndarray:
        """dF/F of some cells in some frames as it stands in the file, (cells, frames), f4."""
        where = np.s_[cell:last_cell, frame:last_frame]
        return np.asarray(hdf5.read(self._dff, where), dtype=np.float32)

    def dff_frames(self, first: int, last: int) -> np.ndarray:
        """dF/F of all cells in the frames first..last, (frames, cells), f4, C-contiguous.

        Raises:
            UserError: a value is NaN or infinite; all such values of the recording are counted.
        """
        return self.checked(self.dff_values(0, self.n_cells, first, last))

    def checked(self, block: np.ndarray) -> np.ndarray:
        """A block of dF/F turned from (cells, frames) to (frames, cells), without NaN."""
        if not np.isfinite(block.min(initial=0) + block.max(initial=0)):
            self._tell_not_finite()
        return np.ascontiguousarray(block.T)

    def running_speed(self) -> Series | None:
        """Running speed, cm/s, or None where the session has none."""
        return self._series(layout.RUNNING_SPEED, layout.RUNNING_SPEED_TIMES, None)

    def pupil_location(self, axis: int) -> Series | None:
        """Position of the pupil along an axis (0 x, 1 y), cm, or None."""
        return self._series(layout.PUPIL_LOCATION, layout.PUPIL_LOCATION_TIMES, axis)

    def pupil_size(self) -> Series | None:
        """Size of the pupil, pixels, or None."""
        return self._series(layout.PUPIL_SIZE, layout.PUPIL_SIZE_TIMES, None)

    def stimulus_tables(self) -> dict[str, StimulusTable]:
        """The table of each stimulus whose layout is known, by stimulus."""
        known = [name for name in self.header.stimuli if name in stimuli.CONDITIONS]
        return {
            name: self._indexed_table(name)
            if stimuli.is_indexed(name)
            else self._gratings_table(name)
            for name in known
        }

    def _series(self, data_path: str, times_path: str, column: int | None) -> Series | None:
        data = hdf5.optional_dataset(self._file, data_path)
        times = hdf5.optional_dataset(self._file, times_path)
        if data is None or times is None or data.shape[0] == 0:
            return None
        wanted = (len(times),) if column is None else (len(times), 2)
        if data.shape != wanted:
            raise fault(
                self.path,
                data_path,
                f"found shape {data.shape}, expected {wanted} as its {len(times):,} timestamps",
            )
        for first in range(0, len(times), SERIES_BLOCK):
            self._increasing(times, times_path, first, first + SERIES_BLOCK, "sample")
        return Series(data, times, column)

    def _increasing(
        self, found: h5py.Dataset, path: str, first: int, last: int | None, what: str
    ) -> np.ndarray:
        """A block of timestamps, checked to increase from the sample before it on."""
        before = max(first - 1, 0)
        times = np.asarray(hdf5.read(found, slice(before, last)), dtype=np.float64)
        wrong = np.flatnonzero(~(np.diff(times) > 0))
        if len(wrong):
            at = int(wrong[0])
            raise fault(
                self.path,
                path,
                f"{what} {before + at + 1:,} is at {times[at + 1]:.6f} s, the one before it at "
                f"{times[at]:.6f} s; expected times that increase",
            )
        return times[first - before :]

    def _gratings_table(self, stimulus: str) -> StimulusTable:
        group = layout.stimulus_group(stimulus)
        data = np.asarray(hdf5.read(self._file[f"{group}/{layout.STIMULUS_DATA}"]), dtype=float)
        frames = self._frames(f"{group}/{layout.STIMULUS_FRAMES}")
        features = hdf5.texts(self._file[f"{group}/{layout.STIMULUS_FEATURES}"])
        wanted = stimuli.CONDITIONS[stimulus]
        conditions = {c.name: data[:, features.index(c.feature)].copy() for c in wanted}
        empty = np.all([np.isnan(values) for values in conditions.values()], axis=0)
        if layout.GRATINGS_BLANK in features:
            blank = data[:, features.index(layout.GRATINGS_BLANK)] == 1
        else:
            blank = empty
        for condition in wanted:
            lost = np.flatnonzero(~blank & ~np.isfinite(conditions[condition.name]))
            if len(lost):
                raise fault(
                    self.path,
                    f"{group}/{layout.STIMULUS_DATA}",
                    f"trial {lost[0]} has no {condition.feature} and is no blank sweep "
                    f"({len(lost)} such trial{'s' * (len(lost) > 1)}), expected a number",
                )
            conditions[condition.name][blank] = np.nan
        return StimulusTable(
            stimulus=stimulus,
            start=frames[:, 0].copy(),
            stop=frames[:, 1].copy(),
            conditions={name: values.astype(np.float32) for name, values in conditions.items()},
            blank=blank,
        )

    def _indexed_table(self, stimulus: str) -> StimulusTable:
        """Natural scenes, where an index of -1 is a blank, or the frames of a natural movie."""
        group, movie = layout.stimulus_group(stimulus), stimuli.is_movie(stimulus)
        path = f"{group}/{layout.STIMULUS_DATA}"
        image = np.asarray(hdf5.read(self._file[path]), dtype=float)
        frames = self._frames(f"{group}/{layout.STIMULUS_FRAMES}", back_to_back=movie)
        lowest = 0 if movie else layout.SCENE_BLANK
        wrong = np.flatnonzero(~((image >= lowest) & (image == np.floor(image))))
        if len(wrong):
            blank = "" if movie else f", or {layout.SCENE_BLANK} for a blank"
            raise fault(
                self.path,
                path,
                f"row {wrong[0]} has the image {image[wrong[0]]:g}, expected a whole number from 0 "
                f"on{blank}",
            )
        if movie:
            self._check_turns(path, image)
        blank = image == layout.SCENE_BLANK
        name = stimuli.IMAGE if movie else stimuli.CONDITIONS[stimulus][0].name
        return StimulusTable(
            stimulus=stimulus,
            start=frames[:, 0].copy(),
            stop=frames[:, 1].copy(),
            conditions={name: np.where(blank, np.nan, image).astype(np.float32)},
            blank=blank,
        )

    def _check_turns(self, path: str, image: np.ndarray) -> None:
        """Refuse a movie whose frames do not follow each other, from 0 on in each repeat."""
        before = np.concatenate([[-1.0], image[:-1]])
        wrong = np.flatnonzero((image != before + 1) & (image != 0))
        if len(wrong):
            at = wrong[0]
            after = f"after frame {before[at]:.0f}" if at else "first"
            raise fault(
                self.path,
                path,
                f"row {at:,} shows frame {image[at]:.0f} of the clip {after}, expected the frames "
                "in turn, from 0 on in each repeat",
            )

    def _frames(self, path: str, back_to_back: bool = False) -> np.ndarray:
        """First and last frame of each row, (rows, 2), i8, inside the recording, in order.

        Args:
            back_to_back: a row may be as short as no frame, and begin with the one before it:
                a movie runs about as fast as the recording.
        """
        found = np.asarray(hdf5.read(self._file[path]))
        if found.dtype.kind not in "iuf" or not np.array_equal(found, np.floor(found)):
            raise fault(self.path, path, "found values that are no whole numbers of frames")
        frames = found.astype(np.int64)
        start, stop = frames[:, 0], frames[:, 1]
        short, step = (0, 0) if back_to_back else (1, 1)
        checks = (
            (start < 0, lambda i: f"trial {i} starts at frame {start[i]:,}, before the recording"),
            (
                stop < start + short,
                lambda i: (
                    f"trial {i} starts at frame {start[i]:,} and ends at frame "
                    f"{stop[i]:,}; expected an end {'after' if short else 'not before'} the start"
                ),
            ),
            (
                stop > self.n_frames,
                lambda i: (
                    f"trial {i} ends at frame {stop[i]:,}, the recording has "
                    f"{self.n_frames:,} frames; the file is probably truncated"
                ),
            ),
            (
                np.concatenate([[False], np.diff(start) < step]),
                lambda i: (
                    f"trial {i} starts at frame {start[i]:,}, {'not after' if step else 'before'} "
                    f"the trial before it at frame {start[i - 1]:,}; expected trials in order of "
                    "time"
                ),
            ),
        )
        for wrong, sentence in checks:
            if wrong.any():
                raise fault(self.path, path, sentence(int(np.flatnonzero(wrong)[0])))
        return frames

    def _tell_not_finite(self) -> None:
        """Count the values of dF/F that are NaN or infinite and raise the sentence about them."""
        step = max(DFF_BLOCK_BYTES // (4 * self.n_cells), 1)
        count, cells, first = 0, set(), None
        for at in range(0, self.n_frames, step):
            cell, frame = np.nonzero(~np.isfinite(hdf5.read(self._dff, np.s_[:, at : at + step])))
            if len(cell) and first is None:
                k = np.lexsort((cell, frame))[0]
                first = (int(cell[k]), at + int(frame[k]))
            count += len(cell)
            cells.update(cell.tolist())
        ids = hdf5.read(hdf5.dataset(self._file, layout.CELL_SPECIMEN_IDS))
        raise fault(
            self.path,
            layout.DFF,
            f"{count:,} value{'s' * (count > 1)} of {len(cells):,} cell{'s' * (len(cells) > 1)} "
            f"{'are' if count > 1 else 'is'} NaN or infinite, the first at cell {first[0]} "
            f"(cell specimen {ids[first[0]]}), frame {first[1]:,}; expected numbers",
            "Leave out such cells or frames when exporting the session, or exclude it with "
            "cohorts.exclude",
        )

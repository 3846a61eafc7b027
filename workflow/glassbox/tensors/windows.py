"""Windows of trials on a time grid that sessions of any frame rate share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from glassbox.errors import UserError
from glassbox.tensors.store import SessionTensor

SLAB_BYTES = 16 << 20  # dF/F read at once; windows that lie close together share one read
# A frame whose mid-time meets a border of samples up to this much belongs to the later sample.
ROUNDING = 1e-9


@dataclass(frozen=True)
class WindowOptions:
    """Which part of a trial is handed out, in seconds from its onset."""

    start_s: float = 0.0  # from the onset, may be negative
    length_s: float = 2.0
    samples_per_s: float = 30.0

    @property
    def n_samples(self) -> int:
        return round(self.length_s * self.samples_per_s)

    def check(self, section: str) -> None:
        if not (self.samples_per_s > 0 and self.n_samples >= 1):
            raise UserError(
                f"{section}.length_s: expected at least one sample of {section}.samples_per_s; "
                f"found {self.length_s:g} s at {self.samples_per_s:g} samples a second."
            )


def frames_of_samples(options: WindowOptions, rate_hz: float) -> tuple[np.ndarray, np.ndarray]:
    """First frame of each sample relative to the onset, and how many frames it averages.

    A sample is the mean of the frames whose mid-time falls in its bin. Where the recording is
    slower than the grid and a bin has none, it takes the frame that is being recorded at the
    middle of the bin.

    Returns:
        (samples,) i8 and (samples,) i8, at least one.
    """
    edges = options.start_s + np.arange(options.n_samples + 1) / options.samples_per_s
    first_at = np.ceil(edges * rate_hz - 0.5 - ROUNDING).astype(np.int64)
    middle = (edges[:-1] + edges[1:]) / 2
    held = np.floor(middle * rate_hz + ROUNDING).astype(np.int64)
    count = np.diff(first_at)
    return np.where(count > 0, first_at[:-1], held), np.maximum(count, 1)


class TrialWindows:
    """Hands out windows of the trials of one stimulus in one session.

    Attributes:
        n_trials, n_cells, n_samples: the shape of everything.
        whole: the window lies inside the recording and crosses no jump, (trials,) bool.
    """

    def __init__(self, tensor: SessionTensor, stimulus: str, options: WindowOptions):
        self._tensor = tensor
        self._first, self._count = frames_of_samples(options, tensor.frame_rate_hz)
        start = tensor.trials(stimulus).start
        self._begin = start + self._first.min()
        self._end = start + (self._first + self._count).max()
        self.n_trials, self.n_cells = len(start), tensor.n_cells
        self.n_samples = options.n_samples
        inside = (self._begin >= 0) & (self._end <= tensor.n_frames)
        # A jump lies inside where its first frame afterwards is later than the first frame here.
        jumps = np.searchsorted(tensor.after_jump, self._end, side="left") - np.searchsorted(
            tensor.after_jump, self._begin, side="right"
        )
        self.whole: np.ndarray = inside & (jumps == 0)

    def read(self, indices: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Windows of these trials in this order, (n, cells, samples), float32, C-contiguous.

        Args:
            indices: of the trials, (n,).
            out: array of that shape and type to fill; None: a new one.

        Raises:
            IndexError: a trial has no whole window (see `whole`).
        """
        indices = np.asarray(indices, dtype=np.int64).reshape(-1)
        if len(indices) and not self.whole[indices].all():
            broken = indices[~self.whole[indices]][0]
            raise IndexError(f"trial {broken} has no whole window")
        shape = (len(indices), self.n_cells, self.n_samples)
        windows = np.empty(shape, dtype=np.float32) if out is None else out
        if windows.shape != shape or windows.dtype != np.float32:
            raise ValueError(f"expected {shape} float32, found {windows.shape} {windows.dtype}")
        for places in self._slabs(indices):
            first = int(self._begin[indices[places[0]]])
            slab = self._tensor.dff(first, int(self._end[indices[places]].max()))
            for place in places:
                at = self._begin[indices[place]] - first - self._first.min()
                windows[place] = self._resampled(slab, at + self._first).T
        return windows

    def mean_of(self, series: np.ndarray, indices: np.ndarray) -> np.ndarray:
        """Mean of a series, (frames,), over the window of each trial, (n,), f4.

        Frames without a value do not count; NaN where a window has none.
        """
        known = np.isfinite(series)
        total = np.concatenate([[0.0], np.cumsum(np.where(known, series, 0), dtype=np.float64)])
        count = np.concatenate([[0], np.cumsum(known)])
        first, last = self._begin[indices], self._end[indices]
        n = count[last] - count[first]
        return np.where(n > 0, (total[last] - total[first]) / np.maximum(n, 1), np.nan).astype("f4")

    def batches(
        self, indices: np.ndarray, size: int, rng: np.random.Generator | None = None
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield (indices, windows) of at most `size` trials, shuffled where `rng` is given."""
        indices = np.asarray(indices, dtype=np.int64).reshape(-1)
        if rng is not None:
            indices = rng.permutation(indices)
        for at in range(0, len(indices), size):
            batch = indices[at : at + size]
            yield batch, self.read(batch)

    def _slabs(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        """Places in `indices` whose windows are read at once, in order of time."""
        order = np.argsort(self._begin[indices], kind="stable")
        limit = max(SLAB_BYTES // (4 * self.n_cells), 1)
        length = self._end[0] - self._begin[0] if self.n_trials else 0
        at = 0
        while at < len(order):
            first = self._begin[indices[order[at]]]
            stop = at + 1
            # Windows join while the frames between two of them are fewer than in one window.
            while stop < len(order):
                previous, this = indices[order[stop - 1]], indices[order[stop]]
                if self._begin[this] - self._end[previous] > length:
                    break
                if self._end[this] - first > limit:
                    break
                stop += 1
            yield order[at:stop]
            at = stop

    def _resampled(self, slab: np.ndarray, first: np.ndarray) -> np.ndarray:
        """(samples, cells) as means of the frames that begin at `first`, (samples,)."""
        total = slab[first]
        for extra in range(1, int(self._count.max())):
            more = self._count > extra
            total[more] += slab[first[more] + extra]
        if self._count.max() > 1:
            total /= self._count[:, None].astype(np.float32)
        return total

"""What the baselines see of a trial: each cell's mean dF/F in a few bins of time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from glassbox.tensors.store import SessionTensor
from glassbox.tensors.windows import TrialWindows, WindowOptions, frames_of_samples

LEAST_DEVIATION = 1e-6  # dF/F; a cell that never changes is not divided by zero
# A presentation that is shorter than this is over before calcium has answered it, and the next one
# follows: its bins are fixed times after the onset, what the last one left and two of the answer.
FLASH_S = 0.5
FLASH_BINS = ((0.0, 0.1), (1 / 6, 1 / 3), (1 / 3, 0.5))  # s; frames 0-3, 5-10, 10-15 at 30 Hz

Bins = tuple[tuple[float, float], ...]


def bins_of(duration_s: float) -> dict[str, Bins]:
    """The choices of bins for presentations of this duration, each in seconds from the onset."""
    if duration_s < FLASH_S:
        return {"three_bins": FLASH_BINS}
    third = duration_s / 3
    thirds = ((0.0, third), (third, 2 * third), (2 * third, duration_s))
    return {"mean": ((0.0, duration_s),), "thirds": thirds}


def read_features(
    tensor: SessionTensor, stimulus: str, trials: np.ndarray
) -> dict[str, np.ndarray]:
    """Features of trials by choice of bins, (trials, bins × cells), f8, raw dF/F.

    A bin has the frames whose mid-time falls in it; in a recording too slow for that, the frame at
    its middle. A trial whose frames leave the recording or meet a jump of the clock is NaN.

    Args:
        trials: indices in the table of the stimulus, (trials,).
    """
    rate = tensor.frame_rate_hz
    table = tensor.trials(stimulus)
    choices = bins_of(float(np.median(table.stop - table.start)) / rate)
    frames = {name: [_frames(bin_, rate) for bin_ in bins] for name, bins in choices.items()}
    length = max(bin_.stop for bins in frames.values() for bin_ in bins)
    reader = TrialWindows(tensor, stimulus, WindowOptions(0.0, length / rate, rate))
    trials = np.asarray(trials)
    whole = reader.whole[trials]
    windows = reader.read(trials[whole])
    found = {}
    for name, bins in frames.items():
        values = np.full((len(trials), len(bins) * tensor.n_cells), np.nan)
        means = [windows[:, :, bin_].mean(axis=2, dtype=np.float64) for bin_ in bins]
        values[whole] = np.hstack(means)
        found[name] = values
    return found


def _frames(edges: tuple[float, float], rate_hz: float) -> slice:
    """The frames of a bin, counted from the onset."""
    start, stop = edges
    window = WindowOptions(start, stop - start, 1 / (stop - start))
    (first,), (count,) = frames_of_samples(window, rate_hz)
    return slice(int(first), int(first + count))


def scaled(features: Mapping[str, np.ndarray], train: np.ndarray) -> dict[str, np.ndarray]:
    """Features z-scored on the training trials; what is NaN becomes their mean, 0.

    Args:
        features: by choice, (trials, inputs).
        train: which trials are training, (trials,) bool.
    """
    found = {}
    for name, values in features.items():
        whole = np.isfinite(values).all(axis=1)
        fitted = values[train & whole]
        z = np.zeros_like(values)
        if len(fitted):
            deviation = np.maximum(fitted.std(axis=0), LEAST_DEVIATION)
            z[whole] = (values[whole] - fitted.mean(axis=0)) / deviation
        found[name] = z
    return found

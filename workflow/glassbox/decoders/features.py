"""What the baselines see of a trial: each cell's mean scaled dF/F in a few bins of time.

Frames are scaled and clipped as the decoder's are, before they are averaged: a cell whose mean
answers little compared with its frames then weighs little.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from glassbox.tensors.store import SessionTensor
from glassbox.tensors.windows import TrialWindows, WindowOptions, frames_of_samples

LEAST_DEVIATION = 1e-6  # dF/F; a cell that never changes is not divided by zero
# A presentation that is shorter than this is over before calcium has answered it, and the next one
# follows: its bins are fixed times after the onset, what the last one left and two of the answer.
FLASH_S = 0.5
FLASH_BINS = ((0.0, 0.1), (1 / 6, 1 / 3), (1 / 3, 0.5))  # s; frames 0-3, 5-10, 10-15 at 30 Hz
# ... or the rise alone: the answer less what the last one left. Of six such inputs the one that
# logistic regression and LDA read best on selection trials of a real session.
ANSWER, LEFT_OVER = (0.2, 0.5), (-0.1, 0.1)  # s

Bin = tuple[float, float]  # first and last time, s
Input = tuple[Bin, ...]  # the mean over a bin, less the mean over a second one where there is one


@dataclass(frozen=True)
class TrialFrames:
    """The frames of the trials of one stimulus, and the choices of bins to average them in.

    Attributes:
        frames: raw dF/F around the onset, (whole trials, cells, frames), f4.
        whole: which trials have all frames: inside the recording, without a jump, (trials,) bool.
        weights: of each input on the frames of a cell, (inputs, frames), f4, by choice.
    """

    frames: np.ndarray
    whole: np.ndarray
    weights: Mapping[str, np.ndarray]

    def features(self, train: np.ndarray, clip: tuple[float, float]) -> dict[str, np.ndarray]:
        """Inputs of the baselines by choice, (trials, inputs of a cell × cells), f8.

        Each cell's frames are z-scored with mean and deviation of the training trials' frames and
        clipped, then averaged. A trial that is not whole gets 0, the mean.

        Args:
            train: which trials are training, (trials,) bool.
            clip: lowest and highest scaled dF/F, standard deviations.
        """
        fitted = self.frames[train[self.whole]]
        scaled = np.zeros_like(self.frames)
        if len(fitted):
            mean = fitted.mean(axis=(0, 2), dtype=np.float64)[:, None].astype(np.float32)
            deviation = fitted.std(axis=(0, 2), dtype=np.float64)[:, None].astype(np.float32)
            np.subtract(self.frames, mean, out=scaled)
            scaled /= np.maximum(deviation, LEAST_DEVIATION)
            np.clip(scaled, *clip, out=scaled)
        found = {}
        for name, weights in self.weights.items():
            means = (scaled @ weights.T).transpose(0, 2, 1)
            found[name] = np.zeros((len(self.whole), len(weights) * self.frames.shape[1]))
            found[name][self.whole] = means.reshape(len(means), -1)
        return found


def inputs_of(duration_s: float) -> dict[str, tuple[Input, ...]]:
    """The choices of inputs for presentations of this duration, in seconds from the onset."""
    if duration_s < FLASH_S:
        return {"three_bins": tuple((each,) for each in FLASH_BINS), "rise": ((ANSWER, LEFT_OVER),)}
    third = duration_s / 3
    thirds = (((0.0, third),), ((third, 2 * third),), ((2 * third, duration_s),))
    return {"mean": (((0.0, duration_s),),), "thirds": thirds}


def read_frames(tensor: SessionTensor, stimulus: str, trials: np.ndarray) -> TrialFrames:
    """The frames of trials of a stimulus.

    Args:
        trials: indices in the table of the stimulus, (trials,).
    """
    rate = tensor.frame_rate_hz
    table = tensor.trials(stimulus)
    choices = inputs_of(float(np.median(table.stop - table.start)) / rate)
    bins = [_frames(each, rate) for inputs in choices.values() for one in inputs for each in one]
    first = min(each.start for each in bins)  # below 0: before the onset
    length = max(each.stop for each in bins) - first
    weights = {name: _weights(inputs, rate, first, length) for name, inputs in choices.items()}
    reader = TrialWindows(tensor, stimulus, WindowOptions(first / rate, length / rate, rate))
    whole = reader.whole[trials]
    return TrialFrames(reader.read(np.asarray(trials)[whole]), whole, weights)


def _weights(inputs: tuple[Input, ...], rate_hz: float, first: int, frames: int) -> np.ndarray:
    """Of each input on so many frames from `first` on, counted from the onset, (inputs, frames)."""
    weights = np.zeros((len(inputs), frames), dtype=np.float32)
    for row, bins in zip(weights, inputs, strict=True):
        for sign, each in zip((1, -1), bins, strict=False):
            of_bin = _frames(each, rate_hz)
            row[of_bin.start - first : of_bin.stop - first] += sign / (of_bin.stop - of_bin.start)
    return weights


def _frames(edges: tuple[float, float], rate_hz: float) -> slice:
    """The frames whose mid-time falls in a bin, counted from the onset.

    In a recording too slow for that, the frame at its middle.
    """
    start, stop = edges
    window = WindowOptions(start, stop - start, 1 / (stop - start))
    (first,), (count,) = frames_of_samples(window, rate_hz)
    return slice(int(first), int(first + count))

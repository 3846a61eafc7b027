"""What a simulated mouse does while it looks: it runs in bouts, its pupil widens, it drifts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glassbox.sessions.stimulus_schedule import FRAME_RATE_HZ

RUNNING_CM_S = 20.0  # typical speed in a bout
MEAN_BOUT_S = 12.0
SHARED_S = 4.0  # time constant of the fluctuation that all cells share
NEUROPIL_S = 0.8  # time constant of the additive signal that all cells share


@dataclass(frozen=True)
class Behaviour:
    """Traces on the imaging clock; every array is (frames,) unless said."""

    running_speed: np.ndarray  # cm/s
    running: np.ndarray  # 0 at rest to 1 at typical speed and above
    shared: np.ndarray  # mean 0, s.d. 1: slow fluctuation of all rates (arousal)
    neuropil: np.ndarray  # mean 0, s.d. 1: additive signal
    pupil_area: np.ndarray  # pixels
    pupil_location: np.ndarray  # (frames, 2), cm on the monitor


def draw_behaviour(frames: int, rng: np.random.Generator) -> Behaviour:
    """Behaviour over a recording of that many frames."""
    share = rng.beta(2, 4)  # of the time spent running; about a third, mouse to mouse different
    bout = _bouts(frames, share, rng)
    speed = smooth(bout * RUNNING_CM_S * np.exp(0.2 * slow_noise(frames, 2.0, rng)), 0.4)
    shared = slow_noise(frames, SHARED_S, rng)
    location = np.stack([slow_noise(frames, 1.5, rng), slow_noise(frames, 1.5, rng)], axis=1)
    running = np.clip(speed / RUNNING_CM_S, 0, 1)
    return Behaviour(
        running_speed=speed + 0.3 * rng.standard_normal(frames),
        running=running,
        shared=shared,
        neuropil=slow_noise(frames, NEUROPIL_S, rng),
        pupil_area=1500 * np.exp(0.4 * smooth(running, 1.0) + 0.15 * shared),
        pupil_location=location * [4.0, 2.0],
    )


def smooth(trace: np.ndarray, seconds: float) -> np.ndarray:
    """Causal exponential smoothing of a trace, (frames,), by its time constant."""
    taps = np.exp(-np.arange(int(8 * seconds * FRAME_RATE_HZ) + 1) / (seconds * FRAME_RATE_HZ))
    return convolve(trace, taps / taps.sum())


def slow_noise(frames: int, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise, (frames,), smoothed to a time constant; mean 0, s.d. 1."""
    trace = smooth(rng.standard_normal(frames), seconds)
    return (trace - trace.mean()) / trace.std()


def convolve(traces: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Causal convolution along the last axis, as long as `traces`, by the Fourier transform."""
    length = traces.shape[-1] + len(kernel) - 1
    size = 1 << (length - 1).bit_length()
    product = np.fft.rfft(traces, size) * np.fft.rfft(kernel, size)
    return np.fft.irfft(product, size)[..., : traces.shape[-1]]


def _bouts(frames: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """(frames,) 1.0 in a running bout, 0.0 between: exponential durations."""
    mean = np.array([MEAN_BOUT_S * (1 - share) / share, MEAN_BOUT_S]) * FRAME_RATE_HZ
    pairs = int(frames / mean.sum() * 3) + 20
    durations = 1 + rng.exponential(mean, (pairs, 2)).astype(np.int64)
    state = np.repeat(np.tile([0.0, 1.0], pairs), durations.ravel())
    missing = max(0, frames - len(state))
    return np.concatenate([state, np.zeros(missing)])[:frames]

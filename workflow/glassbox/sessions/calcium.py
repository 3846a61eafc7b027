"""From the events of a cell to its GCaMP6f signal.

The kernel rises with 50 ms and decays with the cell's own constant, around 450 ms for the short
bursts that two-photon imaging sees.

Source: Chen et al. 2013, Nature 499, 295 (GCaMP6f kinetics).
"""

from __future__ import annotations

import numpy as np

from glassbox.sessions.behaviour import Behaviour, convolve
from glassbox.sessions.population import Cells
from glassbox.sessions.stimulus_schedule import (
    FRAME_RATE_HZ,
    SWEEP_FRAMES,
    TEMPORAL_FREQUENCIES_HZ,
    Schedule,
)

RISE_S = 0.05
LATENCY_FRAMES = 2  # from onset to the first visual events, about 65 ms
SUSTAINED = 0.6  # of the onset response that stays
ADAPTATION_S = 0.4
KERNEL_S = 4.0  # kept length of the kernel
STEP = 1 / 4096  # dF/F is stored in these steps: 250 times finer than the noise of a frame


def kernel(decay_s: float) -> np.ndarray:
    """Response to one event, (taps,), peak 1."""
    t = np.arange(int(KERNEL_S * FRAME_RATE_HZ)) / FRAME_RATE_HZ
    shape = np.exp(-t / decay_s) - np.exp(-t / RISE_S)
    return shape / shape.max()


def dff_of(
    cells: Cells, schedule: Schedule, behaviour: Behaviour, rng: np.random.Generator
) -> np.ndarray:
    """dF/F of every cell, (cells, frames) f4: rates, Poisson events, kernel, noise."""
    frames = len(schedule.times)
    gains = rng.standard_gamma(cells.reliability[:, None], (cells.n, len(schedule.start)))
    gains /= cells.reliability[:, None]
    dff = np.empty((cells.n, frames), np.float32)
    for c in range(cells.n):
        rate = cells.base_rate[c] + _driven_rate(cells, c, schedule, gains[c])
        rate *= np.exp(
            cells.shared_gain[c] * behaviour.shared + cells.running_gain[c] * behaviour.running
        )
        events = rng.poisson(rate / FRAME_RATE_HZ)
        trace = cells.amplitude[c] * convolve(events.astype(float), kernel(cells.decay_s[c]))
        trace -= np.median(trace)  # the baseline of dF/F is what the cell does most of the time
        trace += cells.neuropil[c] * behaviour.neuropil
        trace += cells.frame_noise[c] * rng.standard_normal(frames)
        dff[c] = np.round(trace / STEP) * STEP
    return dff


def _driven_rate(cells: Cells, c: int, schedule: Schedule, gain: np.ndarray) -> np.ndarray:
    """(frames,) events/s that the sweeps add to cell `c`; `gain` (trials,)."""
    rate = np.zeros(len(schedule.times))
    shown = np.flatnonzero(~schedule.blank)
    direction, tf = schedule.direction[shown], schedule.temporal_frequency[shown]
    t = np.arange(SWEEP_FRAMES) / FRAME_RATE_HZ
    onset = SUSTAINED + (1 - SUSTAINED) * np.exp(-t / ADAPTATION_S)
    cycle = 2 * np.pi * np.array(TEMPORAL_FREQUENCIES_HZ)[:, None] * t[None]
    shape = onset * (1 + cells.phase_depth[c] * np.cos(cycle[None] + cells.phase[c][:, None, None]))
    drive = cells.peak_rate[c] * np.outer(cells.direction_tuning[c], cells.tf_tuning[c])
    strength = gain[shown] * drive[direction, tf]
    at = schedule.start[shown, None] + LATENCY_FRAMES + np.arange(SWEEP_FRAMES)[None]
    rate[at] = strength[:, None] * shape[direction, tf]
    return rate

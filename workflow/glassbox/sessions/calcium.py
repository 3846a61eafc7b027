"""From the events of a cell to its GCaMP6f signal.

The kernel rises with 50 ms and decays with the cell's own constant, around 450 ms for the short
bursts that two-photon imaging sees.

Source: Chen et al. 2013, Nature 499, 295 (GCaMP6f kinetics).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glassbox.sessions.behaviour import Behaviour, convolve
from glassbox.sessions.drive import Drive
from glassbox.sessions.population import Cells
from glassbox.sessions.stimulus_schedule import FRAME_RATE_HZ

RISE_S = 0.05
KERNEL_S = 4.0  # kept length of the kernel
STEP = 1 / 4096  # dF/F is stored in these steps: 250 times finer than the noise of a frame


def kernel(decay_s: float) -> np.ndarray:
    """Response to one event, (taps,), peak 1."""
    t = np.arange(int(KERNEL_S * FRAME_RATE_HZ)) / FRAME_RATE_HZ
    shape = np.exp(-t / decay_s) - np.exp(-t / RISE_S)
    return shape / shape.max()


def dff_of(
    cells: Cells,
    drives: Sequence[Drive],
    behaviour: Behaviour,
    running_rate: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """dF/F of every cell, (cells, frames) f4: rates, Poisson events, kernel, noise.

    Args:
        drives: what each stimulus adds to the rates.
        running_rate: events/s that running at typical speed adds, (cells,).
    """
    frames = len(behaviour.running)
    dff = np.empty((cells.n, frames), np.float32)
    for c in range(cells.n):
        rate = cells.base_rate[c] + sum(drive(c) for drive in drives)
        rate *= np.exp(
            cells.shared_gain[c] * behaviour.shared + cells.running_gain[c] * behaviour.running
        )
        rate += running_rate[c] * behaviour.running
        events = rng.poisson(rate / FRAME_RATE_HZ)
        trace = cells.amplitude[c] * convolve(events.astype(float), kernel(cells.decay_s[c]))
        trace -= np.median(trace)  # the baseline of dF/F is what the cell does most of the time
        trace += cells.neuropil[c] * behaviour.neuropil
        trace += cells.frame_noise[c] * rng.standard_normal(frames)
        dff[c] = np.round(trace / STEP) * STEP
    return dff

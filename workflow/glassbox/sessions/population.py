"""The cells of a simulated mouse: what each prefers, how strongly and how reliably it responds.

Population statistics of the average line; `cre_lines.LINE_EFFECTS` shifts them. They are set so
that a session's distributions of explained variance, event amplitudes, skewness and noise
correlation resemble those of a real session of Visual Coding.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from glassbox.sessions.course import SESSION_A
from glassbox.sessions.cre_lines import LINE_EFFECTS, scaled
from glassbox.sessions.options import SimulateOptions
from glassbox.sessions.seeding import generator
from glassbox.sessions.simulated_mice import SimulatedMouse
from glassbox.sessions.stimulus_schedule import DIRECTIONS_DEG, TEMPORAL_FREQUENCIES_HZ

# What carries what. A `joint` cell's drive is the product of its two tuning curves.
SILENT, UNTUNED, DIRECTION, TEMPORAL_FREQUENCY, JOINT = (
    "silent",
    "untuned",
    "direction",
    "temporal_frequency",
    "joint",
)

RESPONSIVE_LOGIT = 1.5  # 82% of cells respond to gratings
UNTUNED_OF_RESPONSIVE = 0.12
DIRECTION_OF_SEPARATE = 0.6  # of tuned cells, where direction and TF have cells of their own
FLAT = 0.7  # of the peak rate: what a cell without tuning to a variable gives to each value
PREFERRED_TF_OCTAVES = 1.3  # mean log2(preferred TF / 1 Hz): 2.5 Hz
PREFERRED_TF_SPREAD = 1.1  # octaves, over cells
CONCENTRATION = 4.5  # median κ of direction tuning: half width about 32 degrees
TF_BANDWIDTH = 1.7  # median s.d. of temporal-frequency tuning, octaves
PEAK_RATE = 3.5  # median of event rate at the preferred condition, events/s
BASE_RATE = 0.05  # median spontaneous event rate, events/s
AMPLITUDE = 0.09  # median dF/F of one event at the peak of the kernel
RUNNING_RATE = 1.0  # median of what running adds to a cell that fires with it, events/s
FRAME_NOISE = 0.06  # median s.d. of white noise of a frame, dF/F

# Spread over mice of the same line, beside the spread over cells.
MOUSE_TF_OCTAVES = 0.2
MOUSE_LOG_RATE = 0.15
MOUSE_RESPONSIVE_LOGIT = 0.25
MOUSE_LOG_CONCENTRATION = 0.1
MOUSE_LOG_AMPLITUDE = 0.15


@dataclass(frozen=True)
class Cells:
    """The parameters of each cell of one mouse; every array is (cells,) unless said."""

    cell_specimen_id: np.ndarray  # i8
    kind: np.ndarray  # one of the five kinds above
    preferred_direction: np.ndarray  # degrees; drawn for every cell, used where tuned to it
    preferred_tf: np.ndarray  # Hz; likewise
    concentration: np.ndarray  # κ of the direction tuning
    direction_selectivity: np.ndarray  # 0: both directions of an axis alike, 1: one direction only
    tf_bandwidth: np.ndarray  # s.d. in octaves
    direction_tuning: np.ndarray  # (cells, 8), 0 to 1
    tf_tuning: np.ndarray  # (cells, 5), 0 to 1
    peak_rate: np.ndarray  # events/s at the preferred condition; 0 for silent cells
    base_rate: np.ndarray  # events/s without a stimulus
    amplitude: np.ndarray  # dF/F of one event
    decay_s: np.ndarray  # of the calcium kernel
    reliability: np.ndarray  # shape of the gamma of trial gains: CV = 1/√reliability
    phase_depth: np.ndarray  # 0 to 1, modulation of the drive by the drifting phase (F1/F0)
    phase: np.ndarray  # (cells, 8) radians, of that modulation
    running_gain: np.ndarray  # log fold of the response at full running
    shared_gain: np.ndarray  # log fold of all rates for 1 s.d. of the shared slow fluctuation
    neuropil: np.ndarray  # dF/F for 1 s.d. of the shared additive signal
    frame_noise: np.ndarray  # s.d. of white noise, dF/F

    @property
    def n(self) -> int:
        return len(self.cell_specimen_id)

    @property
    def drive(self) -> np.ndarray:
        """(cells, 8, 5) events/s that each condition adds, before gains."""
        return (
            self.peak_rate[:, None, None]
            * self.direction_tuning[:, :, None]
            * self.tf_tuning[:, None, :]
        )

    @property
    def tuned_to_direction(self) -> np.ndarray:
        return np.isin(self.kind, (DIRECTION, JOINT))

    @property
    def tuned_to_tf(self) -> np.ndarray:
        return np.isin(self.kind, (TEMPORAL_FREQUENCY, JOINT))


def draw_cells(mouse: SimulatedMouse, options: SimulateOptions) -> Cells:
    """The cells of a session of a mouse: the same for every recording of it.

    A session of type B finds a share of the cells of the mouse's session A again, with all that
    they prefer, among others that it alone has.
    """
    first = mouse.in_session(SESSION_A)
    rng = generator(options.seed, first.session, "population")
    common = _draw_common(mouse, options, rng)
    cells = _draw(common, _specimen_ids(first, options), options, rng)
    if mouse == first:
        return cells
    rng = generator(options.seed, mouse.session, "population")
    ids = _specimen_ids(mouse, options)
    found = rng.permutation(cells.n)[: min(round(options.shared_cells * cells.n), len(ids))]
    others = _draw(common, ids[len(found) :], options, rng)
    return _in_order(rng.permutation(len(ids)), _in_order(found, cells), others)


def draw_running_rate(cells: Cells, options: SimulateOptions) -> np.ndarray:
    """Events/s that running at typical speed adds to each cell, (cells,), whatever is shown.

    Drawn from the specimen ids: a cell that is found again fires again.
    """
    streams = [generator(options.seed, str(i), "running") for i in cells.cell_specimen_id]
    fires = np.array([rng.random() < options.running_cells for rng in streams])
    rate = np.array([rng.lognormal(np.log(RUNNING_RATE), 0.5) for rng in streams])
    return np.where(fires, rate, 0.0)


@dataclass(frozen=True)
class _Common:
    """What the cells of one mouse have in common."""

    log_rate: float
    log_amplitude: float
    tf_mean: float
    log_kappa: float
    responsive: float


def _draw_common(
    mouse: SimulatedMouse, options: SimulateOptions, rng: np.random.Generator
) -> _Common:
    line = scaled(LINE_EFFECTS[mouse.cre_line], options.genotype_effect)
    log_rate = line.log_event_rate + MOUSE_LOG_RATE * rng.standard_normal()
    log_amplitude = MOUSE_LOG_AMPLITUDE * rng.standard_normal()
    tf_mean = (
        PREFERRED_TF_OCTAVES + line.preferred_tf_octaves + MOUSE_TF_OCTAVES * rng.standard_normal()
    )
    log_kappa = (
        np.log(CONCENTRATION)
        + line.log_concentration
        + MOUSE_LOG_CONCENTRATION * rng.standard_normal()
    )
    logit = (
        RESPONSIVE_LOGIT + line.responsive_logit + MOUSE_RESPONSIVE_LOGIT * rng.standard_normal()
    )
    return _Common(log_rate, log_amplitude, tf_mean, log_kappa, 1 / (1 + np.exp(-logit)))


def _draw(
    common: _Common, ids: np.ndarray, options: SimulateOptions, rng: np.random.Generator
) -> Cells:
    """One cell for each specimen id."""
    n = len(ids)
    kind = _draw_kinds(n, common.responsive, options.separate_cells, rng)
    preferred_direction = rng.uniform(0, 360, n)
    preferred_tf = 2 ** np.clip(rng.normal(common.tf_mean, PREFERRED_TF_SPREAD, n), -0.5, 4.5)
    kappa = rng.lognormal(common.log_kappa, 0.4, n)
    selectivity = rng.beta(2.0, 1.0, n)
    floor = rng.beta(1, 8, n)
    bandwidth = rng.lognormal(np.log(TF_BANDWIDTH), 0.25, n)
    direction_tuning = _direction_curve(preferred_direction, kappa, selectivity, floor)
    tf_tuning = _tf_curve(preferred_tf, bandwidth)
    carries_direction = np.isin(kind, (DIRECTION, JOINT))
    carries_tf = np.isin(kind, (TEMPORAL_FREQUENCY, JOINT))
    peak_rate = rng.lognormal(np.log(PEAK_RATE) + common.log_rate, 0.8, n)
    return Cells(
        cell_specimen_id=ids,
        kind=kind,
        preferred_direction=preferred_direction,
        preferred_tf=preferred_tf,
        concentration=kappa,
        direction_selectivity=selectivity,
        tf_bandwidth=bandwidth,
        direction_tuning=np.where(carries_direction[:, None], direction_tuning, FLAT),
        tf_tuning=np.where(carries_tf[:, None], tf_tuning, FLAT),
        peak_rate=np.where(kind == SILENT, 0.0, peak_rate),
        base_rate=rng.lognormal(np.log(BASE_RATE) + common.log_rate, 0.6, n),
        amplitude=rng.lognormal(np.log(AMPLITUDE) + common.log_amplitude, 0.4, n),
        decay_s=rng.lognormal(np.log(0.45), 0.2, n),
        reliability=rng.lognormal(np.log(3.0), 0.5, n),
        phase_depth=rng.beta(1, 2, n),
        phase=rng.uniform(0, 2 * np.pi, (n, len(DIRECTIONS_DEG))),
        running_gain=rng.normal(0.3, 0.3, n),
        shared_gain=rng.normal(0.5, 0.2, n) * options.noise,
        neuropil=rng.lognormal(np.log(0.015), 0.4, n) * options.noise,
        frame_noise=rng.lognormal(np.log(FRAME_NOISE), 0.15, n) * options.noise,
    )


def _draw_kinds(n: int, responsive: float, separate: bool, rng: np.random.Generator) -> np.ndarray:
    responds = rng.random(n) < responsive
    untuned = rng.random(n) < UNTUNED_OF_RESPONSIVE
    first = rng.permutation(n) < DIRECTION_OF_SEPARATE * n
    tuned = np.where(first, DIRECTION, TEMPORAL_FREQUENCY) if separate else np.full(n, JOINT)
    kinds = np.where(responds, np.where(untuned, UNTUNED, tuned), SILENT)
    return kinds.astype("U18")


def _direction_curve(
    preferred: np.ndarray, kappa: np.ndarray, selectivity: np.ndarray, floor: np.ndarray
) -> np.ndarray:
    """(cells, 8): two von Mises bumps, the second 1 − selectivity high, on a floor."""
    angle = np.deg2rad(np.array(DIRECTIONS_DEG)[None] - preferred[:, None])
    bump = np.exp(kappa[:, None] * (np.cos(angle) - 1))
    opposite = np.exp(kappa[:, None] * (np.cos(angle - np.pi) - 1))
    curve = np.maximum(bump, (1 - selectivity[:, None]) * opposite)
    return floor[:, None] + (1 - floor[:, None]) * curve


def _tf_curve(preferred: np.ndarray, bandwidth: np.ndarray) -> np.ndarray:
    """(cells, 5): a Gaussian over octaves."""
    octaves = np.log2(np.array(TEMPORAL_FREQUENCIES_HZ)[None] / preferred[:, None])
    return np.exp(-0.5 * (octaves / bandwidth[:, None]) ** 2)


def _specimen_ids(mouse: SimulatedMouse, options: SimulateOptions) -> np.ndarray:
    """Ids of as many cells as the session has, which no other session draws, from its name."""
    rng = generator(options.seed, mouse.session, "specimens")
    return int(rng.integers(1 << 40)) * 1000 + np.arange(mouse.cells(options), dtype=np.int64)


def _in_order(order: np.ndarray, *parts: Cells) -> Cells:
    """The cells of all parts, one after the other, then those at the places `order`."""
    names = [field.name for field in dataclasses.fields(Cells)]
    return Cells(**{n: np.concatenate([getattr(p, n) for p in parts])[order] for n in names})

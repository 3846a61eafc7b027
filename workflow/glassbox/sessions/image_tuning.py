"""What a cell answers to an image: to static gratings, natural scenes and natural movies.

All of it is drawn from the cell's specimen id, so that a cell answers alike in every session that
finds it. Orientation tuning follows from the direction tuning: a static grating drives a cell as
the stronger of the two directions does in which it could drift. Scenes and frames of movies are
points in a space of random features, and a cell is driven by a weighted sum of them above a
threshold; a movie moves smoothly through that space.

Gains and widths are set so that a linear decoder of 40 to 60 cells reads static gratings as well
as one of the 269 cells of a real session does. Logistic regression on three means of a presentation
(frames 0 to 3, 5 to 10, 10 to 15 after onset; 57/10/33): orientation 0.36, spatial frequency 0.49,
phase 0.27 over the twelve default mice; 0.37, 0.50 and 0.30 in the real one.
"""

from __future__ import annotations

import numpy as np

from glassbox.sessions.behaviour import slow_noise
from glassbox.sessions.population import DIRECTION, FLAT, JOINT, TEMPORAL_FREQUENCY, UNTUNED, Cells
from glassbox.sessions.seeding import generator
from glassbox.sessions.stimulus_schedule import (
    CLIP_FRAMES,
    ORIENTATIONS_DEG,
    PHASES,
    SPATIAL_FREQUENCIES,
)

STATIC_GAIN = 1.15  # of the event rate at the preferred drifting grating
PREFERRED_SF = 0.05  # cycles/degree, median over cells
PREFERRED_SF_SPREAD = 1.3  # octaves, over cells
SF_BANDWIDTH = 1.05  # median s.d. of spatial-frequency tuning, octaves
IMAGE_GAIN = 1.0  # as STATIC_GAIN
FEATURES = 24
THRESHOLD = 0.7  # s.d. of the weighted sum over images
MOVIE_S = 0.6  # time constant of a movie's path through the features


def static_tuning(cells: Cells, seed: int) -> dict[str, np.ndarray]:
    """Tuning of each cell to static gratings.

    Returns:
        orientation_tuning (cells, 6), preferred_sf (cells,) cycles/degree, sf_tuning (cells, 5),
        phase_tuning (cells, 6, 5, 4) 0 to 1, static_drive (cells, 6, 5, 4) events/s.
    """
    streams = [generator(seed, str(i), "static gratings") for i in cells.cell_specimen_id]
    octaves = np.array([rng.normal(0, PREFERRED_SF_SPREAD) for rng in streams])
    bandwidth = np.array([rng.lognormal(np.log(SF_BANDWIDTH), 0.25) for rng in streams])
    depth = np.array([rng.beta(2.5, 1.0) for rng in streams])
    shape = (len(ORIENTATIONS_DEG), len(SPATIAL_FREQUENCIES))
    offset = np.array([rng.uniform(0, 1, shape) for rng in streams])

    carries_orientation = np.isin(cells.kind, (DIRECTION, JOINT))[:, None]
    carries_sf = np.isin(cells.kind, (TEMPORAL_FREQUENCY, JOINT))[:, None]
    orientation = np.where(carries_orientation, _axial_curve(cells), FLAT)
    preferred = PREFERRED_SF * 2**octaves
    distance = np.log2(np.array(SPATIAL_FREQUENCIES)[None] / preferred[:, None])
    curve = np.exp(-0.5 * (distance / bandwidth[:, None]) ** 2)
    sf = np.where(carries_sf, curve, FLAT)
    cycle = np.cos(2 * np.pi * (np.array(PHASES) - offset[..., None]))
    depth = np.where(carries_orientation[:, 0], depth, 0.0)
    phase = 1 - depth[:, None, None, None] * (1 - cycle) / 2
    drive = orientation[:, :, None, None] * sf[:, None, :, None] * phase
    return {
        "orientation_tuning": orientation,
        "preferred_sf": preferred,
        "sf_tuning": sf,
        "phase_tuning": phase,
        "static_drive": STATIC_GAIN * cells.peak_rate[:, None, None, None] * drive,
    }


def image_drive(cells: Cells, features: np.ndarray, seed: int) -> np.ndarray:
    """Events/s that each image adds to each cell, (cells, images).

    Args:
        features: of each image, (images, FEATURES), mean 0, s.d. 1.
    """
    streams = [generator(seed, str(i), "images") for i in cells.cell_specimen_id]
    weights = np.array([rng.standard_normal(FEATURES) for rng in streams])
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    above = np.maximum(weights @ features.T - THRESHOLD, 0)
    above = np.where((cells.kind == UNTUNED)[:, None], FLAT, above)
    return IMAGE_GAIN * cells.peak_rate[:, None] * above


def scene_features(scenes: int, seed: int) -> np.ndarray:
    """Features of each natural scene, (scenes, FEATURES), the same for all mice."""
    return generator(seed, "natural_scenes", "features").standard_normal((scenes, FEATURES))


def movie_features(movie: str, seed: int) -> np.ndarray:
    """Features of each frame of a clip, (frames, FEATURES), the same for all mice."""
    rng = generator(seed, movie, "features")
    return np.stack([slow_noise(CLIP_FRAMES[movie], MOVIE_S, rng) for _ in range(FEATURES)], axis=1)


def _axial_curve(cells: Cells) -> np.ndarray:
    """(cells, 6): one bump over orientations as sharp as each of the two over directions."""
    angle = np.deg2rad(np.array(ORIENTATIONS_DEG)[None] - cells.preferred_direction[:, None])
    kappa = cells.concentration[:, None]
    bump = np.exp(kappa * (np.abs(np.cos(angle)) - 1))
    floor = cells.direction_tuning.min(axis=1, keepdims=True)
    return floor + (1 - floor) * bump

"""Masks of simulated cells: ellipses of the size of a soma, at most touching."""

from __future__ import annotations

import numpy as np

FIELD_PIXELS = 512  # 400 µm
MARGIN_PIXELS = 20
RADII_PIXELS = (6.0, 9.0)  # 5 to 7 µm


def draw_masks(cells: int, rng: np.random.Generator) -> np.ndarray:
    """(cells, 512, 512) u1, 1 inside: one ellipse in each of as many places of a jittered grid."""
    side = int(np.ceil(np.sqrt(cells)))
    pitch = (FIELD_PIXELS - 2 * MARGIN_PIXELS) / side
    places = rng.permutation(side * side)[:cells]
    slack = max(0.0, pitch / 2 - RADII_PIXELS[1])
    y, x = np.ogrid[:FIELD_PIXELS, :FIELD_PIXELS]
    masks = np.zeros((cells, FIELD_PIXELS, FIELD_PIXELS), np.uint8)
    for mask, place in zip(masks, places, strict=True):
        row, column = divmod(int(place), side)
        centre = MARGIN_PIXELS + (np.array([row, column]) + 0.5) * pitch
        centre += rng.uniform(-slack, slack, 2)
        radii = rng.uniform(*RADII_PIXELS, 2)
        mask[((y - centre[0]) / radii[0]) ** 2 + ((x - centre[1]) / radii[1]) ** 2 <= 1] = 1
    return masks

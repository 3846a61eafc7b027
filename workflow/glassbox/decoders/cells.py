"""What the decoder knows of cells: the two vectors of each unit, and a session's scaling."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np
import torch
from torch import nn

from glassbox.decoders.data import LEAST_DEVIATION
from glassbox.decoders.randomness import torch_generator

KEY_STD = 0.02  # of the unit key vectors at the start
VALUE_STD = 0.5  # of the unit value vectors at the start


class UnitVectors(nn.Module):
    """The vectors of the units of one session, or of several sessions that share cells.

    Attributes:
        key: (units, dim): they say who a unit is and decide who looks at it.
        value: (units, value_dim): they weigh what a unit says.
    """

    def __init__(self, n_units: int, dim: int, value_dim: int):
        super().__init__()
        self.key = nn.Parameter(torch.zeros(n_units, dim))
        self.value = nn.Parameter(torch.zeros(n_units, value_dim))

    @torch.no_grad()
    def draw(self, seed: int, name: str) -> None:
        """Draw the vectors from the seed and a name alone."""
        noise = torch_generator(seed, "cells", name)
        self.key.copy_(torch.randn(self.key.shape, generator=noise) * KEY_STD)
        self.value.copy_(torch.randn(self.value.shape, generator=noise) * VALUE_STD)


class SessionScaling(nn.Module):
    """How the cells of one session are scaled, and which unit each of them is.

    Attributes:
        mean, deviation: of dF/F over the windows of the training trials, (cells, 1).
        unit: place of each cell among the units of its vectors, (cells,), i8.
    """

    def __init__(self, unit: torch.Tensor, clip: tuple[float, float]):
        super().__init__()
        self.clip = clip
        self.register_buffer("mean", torch.zeros(len(unit), 1))
        self.register_buffer("deviation", torch.ones(len(unit), 1))
        self.register_buffer("unit", unit)

    @property
    def n_cells(self) -> int:
        return len(self.unit)

    def fit(self, windows: Iterable[np.ndarray]) -> None:
        """Take mean and deviation of each cell from training windows.

        Args:
            windows: one array for each stimulus, (trials, cells, samples).
        """
        total, square, count = 0.0, 0.0, 0
        for part in windows:
            total = total + part.sum(axis=(0, 2), dtype=np.float64)
            square = square + np.einsum("tcs,tcs->c", part, part, dtype=np.float64)
            count += part.shape[0] * part.shape[2]
        mean = total / count
        deviation = np.sqrt(np.maximum(square / count - mean**2, LEAST_DEVIATION**2))
        self.mean.copy_(torch.from_numpy(mean[:, None]))
        self.deviation.copy_(torch.from_numpy(deviation[:, None]))

    def scaled(self, windows: torch.Tensor, keep: torch.Tensor | None) -> torch.Tensor:
        """Z-score and clip raw windows, (trials, cells kept, samples)."""
        mean, deviation = self.mean, self.deviation
        if keep is not None:
            mean, deviation = mean[keep], deviation[keep]
        return ((windows - mean) / deviation).clamp_(*self.clip)


def identities(
    cells: Mapping[str, np.ndarray], sharing: Collection[str]
) -> tuple[list[tuple[str, int]], dict[str, tuple[int, np.ndarray]]]:
    """Which vectors each session's cells have.

    Args:
        cells: identity of each cell over sessions, (cells,), by session.
        sharing: sessions in which cells of one identity have the same vectors.

    Returns:
        tables of vectors as (name, number of units), and by session (table, place of each cell in
        it, (cells,), i8). A session has a table of its own, in the order of its cells; sharing
        sessions that are connected by common identities have one together.
    """
    groups: list[list[str]] = []
    for name, ids in cells.items():
        meeting = [
            group
            for group in groups
            if name in sharing and any(np.isin(ids, cells[o]).any() for o in group if o in sharing)
        ]
        groups = [g for g in groups if g not in meeting]
        groups.append([*(other for g in meeting for other in g), name])
    tables, places = [], {}
    for table, group in enumerate(groups):
        if len(group) == 1:
            tables.append((group[0], len(cells[group[0]])))
            places[group[0]] = table, np.arange(len(cells[group[0]]))
            continue
        known = np.unique(np.concatenate([cells[name] for name in group]))
        tables.append(("+".join(group), len(known)))
        places |= {name: (table, np.searchsorted(known, cells[name])) for name in group}
    return tables, places

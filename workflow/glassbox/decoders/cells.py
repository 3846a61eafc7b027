"""What the decoder knows of the cells of one session: their scaling and their two vectors."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from glassbox.decoders.data import LEAST_DEVIATION
from glassbox.decoders.randomness import torch_generator

KEY_STD = 0.02  # of the unit key vectors at the start
VALUE_STD = 0.5  # of the unit value vectors at the start


class SessionCells(nn.Module):
    """The cells of one session.

    Attributes:
        key: unit key vectors, (cells, dim): they say who a cell is and decide who looks at it.
        value: unit value vectors, (cells, value_dim): they weigh what a cell says.
        mean, deviation: of dF/F over the windows of the training trials, (cells, 1).
    """

    def __init__(self, n_cells: int, dim: int, value_dim: int, clip: tuple[float, float]):
        super().__init__()
        self.clip = clip
        self.key = nn.Parameter(torch.zeros(n_cells, dim))
        self.value = nn.Parameter(torch.zeros(n_cells, value_dim))
        self.register_buffer("mean", torch.zeros(n_cells, 1))
        self.register_buffer("deviation", torch.ones(n_cells, 1))

    @property
    def n_cells(self) -> int:
        return self.key.shape[0]

    def draw(self, seed: int, session: str) -> None:
        """Draw the vectors from the seed and the session's name alone."""
        noise = torch_generator(seed, "cells", session)
        with torch.no_grad():
            self.key.copy_(torch.randn(self.key.shape, generator=noise) * KEY_STD)
            self.value.copy_(torch.randn(self.value.shape, generator=noise) * VALUE_STD)

    def fit_scaling(self, windows: np.ndarray) -> None:
        """Take mean and deviation of each cell from training windows, (trials, cells, samples)."""
        mean = windows.mean(axis=(0, 2), dtype=np.float64)
        square = np.einsum("tcs,tcs->c", windows, windows, dtype=np.float64)
        variance = square / (windows.shape[0] * windows.shape[2]) - mean**2
        deviation = np.sqrt(np.maximum(variance, LEAST_DEVIATION**2))
        self.mean.copy_(torch.from_numpy(mean[:, None]))
        self.deviation.copy_(torch.from_numpy(deviation[:, None]))

    def scaled(self, windows: torch.Tensor, keep: torch.Tensor | None) -> torch.Tensor:
        """Z-score and clip raw windows, (trials, cells kept, samples)."""
        mean, deviation = self.mean, self.deviation
        if keep is not None:
            mean, deviation = mean[keep], deviation[keep]
        return ((windows - mean) / deviation).clamp_(*self.clip)

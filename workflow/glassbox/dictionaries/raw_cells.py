"""Cells in the place of units: what do a few recorded cells say of the latents?

A trial's code is the activity of its session's k best cells, chosen one after the other for what
the others leave over; rows come from ridge regression of the latents on them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from glassbox.dictionaries.activations import DecodedSession, HookTrials
from glassbox.dictionaries.dictionary import Dictionary
from glassbox.dictionaries.metrics import Reconstruction
from glassbox.tensors.splits import SELECTION, TRAIN

PENALTIES = (
    1e-3,
    1e-2,
    1e-1,
    1.0,
    10.0,
)  # × training trials; the best on selection trials is taken
LEAST_DEVIATION = 1e-6  # dF/F; a cell that never changes is not divided by zero


class RawCells(Dictionary):
    """From a trial's cells to all its latents: `x̂ = z W_dec + b_dec`, `dim` = latents · their dim.

    Its input is not the latents but the cells' activity. The bias is another for each latent, so
    it is told which latent is asked for, which other dictionaries must spend units on.
    """

    architecture = "raw_cells"

    def __init__(self, dim: int, kept: torch.Tensor, k: int):
        super().__init__()
        self.k = k
        self.W_dec = nn.Parameter(torch.zeros(len(kept), dim))
        self.b_dec = nn.Parameter(torch.zeros(dim))
        self.register_buffer("kept", kept)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """(n, cells) → (n, kept), the activity of the cells that are kept."""
        return x[..., self.kept]


def cell_activity(
    sessions: Sequence[DecodedSession], fold: int, clip: tuple[float, float]
) -> torch.Tensor:
    """Mean scaled dF/F over the window of each trial, (trials, cells of all sessions) f4.

    Trials stand in the order of `hook_trials`. Samples are z-scored by the training trials of their
    session and clipped as the decoder's are, or a cell that is silent in training would outweigh
    all others where it fires. Means over training trials are 0, and so are other sessions' cells.

    Args:
        sessions: as they were given to `hook_trials`.
        fold: of the decoder.
        clip: lowest and highest scaled dF/F, standard deviations.
    """
    widths = [s.data.n_cells for s in sessions]
    activity = np.zeros((sum(len(s.data.trial) for s in sessions), sum(widths)), np.float32)
    row = column = 0
    for session, width in zip(sessions, widths, strict=True):
        windows, train = session.data.windows, session.data.parts[fold] == TRAIN
        mean = windows[train].mean(axis=(0, 2), dtype=np.float64)[:, None]
        deviation = windows[train].std(axis=(0, 2), dtype=np.float64)[:, None]
        scaled = ((windows - mean) / np.maximum(deviation, LEAST_DEVIATION)).clip(*clip).mean(2)
        scaled -= scaled[train].mean(0)
        activity[row : row + len(scaled), column : column + width] = scaled
        row, column = row + len(scaled), column + width
    return torch.from_numpy(activity)


def raw_cells(trials: HookTrials, cells: torch.Tensor, k: int) -> RawCells:
    """Cells and rows of training trials, the penalty chosen on selection trials.

    Args:
        trials: activations, all trials.
        cells: activity in the same trials, (trials, cells), its mean over training trials 0.
        k: cells of each session.
    """
    said = trials.latents.flatten(1).double()
    train, selection = (places(trials, part) for part in (TRAIN, SELECTION))
    centre = said[train].mean(0)
    kept = []
    for session in np.unique(trials.session_index[train]):
        its = train[torch.from_numpy(trials.session_index[train] == session)]
        own = cells[its].any(0).nonzero()[:, 0]
        kept.append(own[best_cells(cells[its][:, own].double(), said[its] - centre, k)])
    kept = torch.cat(kept)
    z = cells[train][:, kept].double()
    gram, along = z.T @ z, z.T @ (said[train] - centre)
    one = torch.eye(len(gram), dtype=gram.dtype)
    fits = [torch.linalg.solve(gram + penalty * len(z) * one, along) for penalty in PENALTIES]
    seen, wanted = cells[selection][:, kept].double(), said[selection] - centre
    rows = min(fits, key=lambda fit: float((wanted - seen @ fit).square().sum()))
    made = RawCells(said.shape[1], kept, k)
    with torch.no_grad():
        made.W_dec.copy_(rows)
        made.b_dec.copy_(centre)
    return made.requires_grad_(False)


def best_cells(cells: torch.Tensor, wanted: torch.Tensor, k: int) -> torch.Tensor:
    """Cells that together explain most, each chosen for what those before it leave over, (k,).

    Source: Chen, Billings & Luo 1989, orthogonal least squares.

    Args:
        cells: (n, cells).
        wanted: (n, dim).
    """
    cells, found = cells.clone(), []
    first = cells.square().sum(0)
    for _ in range(min(k, cells.shape[1])):
        norm = cells.square().sum(0)
        gain = (cells.T @ wanted).square().sum(1) / norm.clamp_min(1e-12)
        gain[norm <= 1e-9 * first] = -1  # nothing is left of it: chosen already, or a copy
        gain[found] = -2
        best = int(gain.argmax())
        found.append(best)
        along = cells[:, best] / norm[best].sqrt().clamp_min(1e-12)
        # What is left of each cell is at right angles to those chosen: so need not `wanted` be.
        cells -= along[:, None] * (along @ cells)
    return torch.tensor(found)


def places(trials: HookTrials, part: int) -> torch.Tensor:
    """Where the trials of `HookTrials.in_part` stand among all, (n,)."""
    return torch.from_numpy(np.flatnonzero((trials.part == part) & ~trials.held_out))


@torch.no_grad()
def reconstruct_from_cells(
    made: RawCells, latents: torch.Tensor, cells: torch.Tensor
) -> Reconstruction:
    """Pool the reconstruction of latents, (trials, latents, dim), from (trials, cells)."""
    pooled, z = Reconstruction(), made.encode(cells)
    reconstruction = made.decode(z).view_as(latents)
    for place in range(latents.shape[1]):
        pooled.add(latents[:, place], reconstruction[:, place], z)
    return pooled

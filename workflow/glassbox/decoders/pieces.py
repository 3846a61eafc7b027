"""What a decoder is asked at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Piece:
    """Trials of one stimulus in one session.

    Attributes:
        session, stimulus: of the trials.
        windows: raw dF/F on the model's device, (trials, cells, samples), f4.
        keep: indices of the cells to use, (kept,), i8; None: all.
    """

    session: str
    stimulus: str
    windows: torch.Tensor
    keep: torch.Tensor | None = None

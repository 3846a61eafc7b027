"""What a decoder answers for many trials, in pieces that fit memory."""

from __future__ import annotations

import numpy as np
import torch

from glassbox.decoders.model import Decoder
from glassbox.decoders.pieces import Piece

PIECE_BYTES = 64 << 20  # of the values of all tokens at once


def piece_of(model: Decoder, stimulus: str, n_cells: int) -> int:
    """Trials that are encoded at once."""
    return max(PIECE_BYTES // (4 * n_cells * model.numbers_per_cell(stimulus)), 1)


@torch.inference_mode()
def predicted(
    model: Decoder, session: str, stimulus: str, windows: torch.Tensor
) -> dict[str, np.ndarray]:
    """Log probabilities of the classes (trials, classes), or values (trials,), f4, by task.

    Without dropout.

    Args:
        windows: raw dF/F on the model's device, (trials, cells, samples).
    """
    found: dict[str, list[np.ndarray]] = {}
    for part in windows.split(piece_of(model, stimulus, windows.shape[1])):
        (answers,) = model((Piece(session, stimulus, part),))
        for task, answer in answers.items():
            said = answer if model.targets.is_value(task) else answer.log_softmax(dim=1)
            found.setdefault(task, []).append(said.float().cpu().numpy())
    return {task: np.concatenate(parts) for task, parts in found.items()}

"""Log probabilities of the classes for many trials, in pieces that fit memory."""

from __future__ import annotations

import numpy as np
import torch

from glassbox.decoders.identity_keyed import IdentityKeyedDecoder

PIECE_BYTES = 64 << 20  # of the values of all tokens at once


def piece_of(model: IdentityKeyedDecoder, n_cells: int) -> int:
    """Trials that are encoded at once."""
    tokens = n_cells * model.patch.shape[0]
    return max(PIECE_BYTES // (4 * tokens * model.filters.shape[1]), 1)


@torch.inference_mode()
def log_probabilities(
    model: IdentityKeyedDecoder, session: str, windows: torch.Tensor
) -> dict[str, np.ndarray]:
    """Log probabilities by task, (trials, classes), f4, without dropout.

    Args:
        windows: raw dF/F on the model's device, (trials, cells, samples).
    """
    pieces: dict[str, list[np.ndarray]] = {task: [] for task in model.tasks}
    for piece in windows.split(piece_of(model, windows.shape[1])):
        for task, logits in model.readout(model.encode(session, piece)).items():
            pieces[task].append(logits.log_softmax(dim=1).cpu().numpy())
    return {task: np.concatenate(parts) for task, parts in pieces.items()}

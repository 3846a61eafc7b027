"""A decoder as it was before training, for what is to be told apart from learning."""

from __future__ import annotations

from dataclasses import replace

import torch

from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.model import new_decoder


@torch.no_grad()
def untrained(decoder: FittedDecoder, seed: int) -> FittedDecoder:
    """The same decoder with weights drawn from the seed and never trained.

    What is measured and not learned stays: the scaling of each session's cells.
    """
    cells = {name: session.cells for name, session in decoder.sessions.items()}
    body = [name for name, session in decoder.sessions.items() if not session.held_out]
    sharing = body if decoder.options.share_units else ()
    targets = decoder.model.targets
    model = new_decoder(decoder.options, cells, targets, sharing).to(decoder.model.device)
    model.draw(seed)
    measured = dict(decoder.model.named_buffers())
    for name, buffer in model.named_buffers():
        buffer.copy_(measured[name])
    return replace(decoder, model=model.requires_grad_(False))

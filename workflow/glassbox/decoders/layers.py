"""The small parts that the decoder is made of."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from glassbox.decoders.hooks import Tap, untouched


class Noise:
    """Random numbers for the rows of several batches that are processed as one.

    Each batch has a generator of its own, so that its numbers do not depend on what it is
    processed with: one process or several give the same.
    """

    def __init__(self, generators: Sequence[torch.Generator], rows: Sequence[int]):
        self._parts = tuple(zip(generators, rows, strict=True))

    def part(self, place: int) -> Noise:
        """The noise of one batch."""
        generator, rows = self._parts[place]
        return Noise((generator,), (rows,))

    def uniform(self, shape: torch.Size) -> torch.Tensor:
        """Numbers from 0 to below 1; the first of `shape` is the number of rows."""
        return torch.cat(
            [torch.rand((n, *shape[1:]), generator=g, device=g.device) for g, n in self._parts]
        )


def drop(x: torch.Tensor, rate: float, noise: Noise | None) -> torch.Tensor:
    """Dropout with random numbers of its own; no `noise`, no dropout.

    The kept values are divided by 1 − rate, so that the mean stays.
    """
    if noise is None or rate == 0:
        return x
    kept = noise.uniform(x.shape) >= rate
    return x * (kept.to(x.dtype) / (1 - rate))


class ProcessorBlock(nn.Module):
    """Self-attention among the latents of a trial, then two linear layers; both residual.

    Source: Vaswani et al. 2017, normalised before each half (Xiong et al. 2020).
    """

    def __init__(self, dim: int, heads: int, feedforward: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm_attention = nn.LayerNorm(dim)
        self.queries_keys_values = nn.Linear(dim, 3 * dim)
        self.attended = nn.Linear(dim, dim)
        self.norm_feedforward = nn.LayerNorm(dim)
        self.widen = nn.Linear(dim, feedforward * dim)
        self.narrow = nn.Linear(feedforward * dim, dim)

    def forward(
        self, x: torch.Tensor, noise: Noise | None, place: str = "", tap: Tap = untouched
    ) -> torch.Tensor:
        """(batch, latents, dim) to the same shape."""
        heard = tap(f"{place}.attention", self.attention(x))
        return tap(place, self.after(x, heard, noise, place, tap))

    def attention(self, x: torch.Tensor) -> torch.Tensor:
        """What the latents hear of one another, the same shape."""
        batch, latents, dim = x.shape
        shape = (batch, latents, 3, self.heads, dim // self.heads)
        q, k, v = (
            self.queries_keys_values(self.norm_attention(x)).view(shape).permute(2, 0, 3, 1, 4)
        )
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, latents, dim)
        return self.attended(y)

    def after(
        self,
        x: torch.Tensor,
        heard: torch.Tensor,
        noise: Noise | None = None,
        place: str = "",
        tap: Tap = untouched,
    ) -> torch.Tensor:
        """What the block gives, from what entered it and what its latents heard."""
        x = x + drop(heard, self.dropout, noise)
        y = drop(F.gelu(self.widen(self.norm_feedforward(x))), self.dropout, noise)
        return x + drop(tap(f"{place}.mlp", self.narrow(y)), self.dropout, noise)

"""The small parts that the decoder is made of."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


def drop(x: torch.Tensor, rate: float, noise: torch.Generator | None) -> torch.Tensor:
    """Dropout with a generator of its own; no `noise`, no dropout.

    The kept values are divided by 1 − rate, so that the mean stays.
    """
    if noise is None or rate == 0:
        return x
    kept = torch.rand(x.shape, generator=noise, device=x.device) >= rate
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

    def forward(self, x: torch.Tensor, noise: torch.Generator | None) -> torch.Tensor:
        """(batch, latents, dim) to the same shape."""
        batch, latents, dim = x.shape
        shape = (batch, latents, 3, self.heads, dim // self.heads)
        q, k, v = (
            self.queries_keys_values(self.norm_attention(x)).view(shape).permute(2, 0, 3, 1, 4)
        )
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, latents, dim)
        x = x + drop(self.attended(y), self.dropout, noise)
        y = drop(F.gelu(self.widen(self.norm_feedforward(x))), self.dropout, noise)
        return x + drop(self.narrow(y), self.dropout, noise)

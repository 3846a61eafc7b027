"""The parts of POYO+: attention with rotary time, and gated feed-forward layers.

Source: Azabou et al. 2025 (POYO+, ICLR). Each part gives what the part of the same place in
torch_brain 0.1.2 gives (tests/peers/test_torch_brain.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from glassbox.decoders.hooks import Tap, untouched
from glassbox.decoders.layers import drop
from glassbox.decoders.poyo_plus_options import PoyoPlusOptions
from glassbox.decoders.rotary import turned

if TYPE_CHECKING:
    from glassbox.decoders.layers import Noise


class CrossAttention(nn.Module):
    """Queries attend to a context; both are normalised first.

    Args:
        dim: width of queries and context.
        heads, head_dim: of the attention.
        turn_values: the values too are turned by their times, and what is heard is turned back by
            the query's, so that it says how long ago something was.
        dropout: of the attention's weights.
    """

    def __init__(self, dim: int, heads: int, head_dim: int, turn_values: bool, dropout: float):
        super().__init__()
        self.heads, self.turn_values, self.dropout = heads, turn_values, dropout
        self.norm_query = nn.LayerNorm(dim)
        self.norm_context = nn.LayerNorm(dim)
        self.query = nn.Linear(dim, heads * head_dim, bias=False)
        self.key_value = nn.Linear(dim, 2 * heads * head_dim, bias=False)
        self.attended = nn.Linear(heads * head_dim, dim)

    def forward(
        self,
        query: torch.Tensor,
        context: torch.Tensor,
        query_turn: torch.Tensor,
        context_turn: torch.Tensor,
        mask: torch.Tensor | None = None,
        noise: Noise | None = None,
    ) -> torch.Tensor:
        """What the queries hear, (batch, queries, dim).

        Args:
            query: (batch, queries, dim).
            context: (batch, tokens, dim).
            query_turn, context_turn: of their times, (batch or 1, queries or tokens, pairs).
            mask: which tokens there are, (batch, tokens) bool; None: all.
            noise: of dropout; None: no dropout.
        """
        key, value = self.key_value(self.norm_context(context)).chunk(2, dim=-1)
        heard = _attend(
            self.query(self.norm_query(query)),
            key,
            value,
            query_turn,
            context_turn,
            self,
            mask,
            noise,
        )
        return self.attended(heard)


class SelfAttention(nn.Module):
    """Latents attend to one another, values turned as the keys are."""

    turn_values = True

    def __init__(self, dim: int, heads: int, head_dim: int, dropout: float):
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.norm = nn.LayerNorm(dim)
        self.query_key_value = nn.Linear(dim, 3 * heads * head_dim, bias=False)
        self.attended = nn.Linear(heads * head_dim, dim)

    def forward(
        self, x: torch.Tensor, turn: torch.Tensor, noise: Noise | None = None
    ) -> torch.Tensor:
        """(batch, latents, dim) to the same shape; `turn` of their times."""
        query, key, value = self.query_key_value(self.norm(x)).chunk(3, dim=-1)
        return self.attended(_attend(query, key, value, turn, turn, self, None, noise))


class FeedForward(nn.Module):
    """Normalisation, then two linear layers with a gate between them.

    Source: Shazeer 2020 (GEGLU, arXiv 2002.05202).
    """

    def __init__(self, dim: int, widening: int, dropout: float):
        super().__init__()
        self.dropout = dropout
        self.norm = nn.LayerNorm(dim)
        self.widen = nn.Linear(dim, 2 * widening * dim)
        self.narrow = nn.Linear(widening * dim, dim)

    def forward(self, x: torch.Tensor, noise: Noise | None = None) -> torch.Tensor:
        said, gate = self.widen(self.norm(x)).chunk(2, dim=-1)
        return self.narrow(drop(said * F.gelu(gate), self.dropout, noise))


class Block(nn.Module):
    """Self-attention and feed-forward layers, each added to the latents."""

    def __init__(self, options: PoyoPlusOptions):
        super().__init__()
        self.dropout = options.block_dropout
        self.attention = SelfAttention(
            options.dim, options.self_heads, options.head_dim, options.attention_dropout
        )
        self.feedforward = FeedForward(
            options.dim, options.feedforward, options.feedforward_dropout
        )

    def forward(
        self, x: torch.Tensor, turn: torch.Tensor, noise: Noise | None, place: str, tap: Tap
    ) -> torch.Tensor:
        heard = tap(f"{place}.attention", self.attention(x, turn, noise))
        return tap(place, self.after(x, heard, noise, place, tap))

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
        added = tap(f"{place}.mlp", self.feedforward(x, noise))
        return x + drop(added, self.dropout, noise)


def _attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    query_turn: torch.Tensor,
    key_turn: torch.Tensor,
    layer: CrossAttention | SelfAttention,
    mask: torch.Tensor | None,
    noise: Noise | None,
) -> torch.Tensor:
    """Attention of several heads, (batch, tokens, heads · head_dim) each."""
    query, key, value = (
        x.unflatten(-1, (layer.heads, -1)).transpose(1, 2) for x in (query, key, value)
    )
    query_turn, key_turn = query_turn.unsqueeze(-3), key_turn.unsqueeze(-3)
    query, key = turned(query, query_turn), turned(key, key_turn)
    if layer.turn_values:
        value = turned(value, key_turn)
    query = query.expand(len(key), -1, -1, -1)  # queries that are the same for a whole batch
    if mask is not None:
        mask = mask[:, None, None]
    if noise is None or layer.dropout == 0:
        heard = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    else:
        # PyTorch's kernels take the numbers of their dropout from a generator that all share.
        score = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
        if mask is not None:
            score = score.masked_fill(~mask, float("-inf"))
        heard = drop(score.softmax(dim=-1), layer.dropout, noise) @ value
    if layer.turn_values:
        heard = turned(heard, query_turn.conj())
    return heard.transpose(1, 2).flatten(-2)

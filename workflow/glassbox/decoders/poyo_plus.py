"""POYO+: attention over one token for each cell and sample, on latents that lie in time.

    tokens      linear(dF/F) beside the unit's embedding, at the time of the sample
    encoder     latents on a grid of time attend to the tokens          → hook `encoder`
    processor   blocks of self-attention among the latents              → `block0`, `block1`, …
                what the linear layers of one add                       → `block0.mlp`, …
                what the last one gives                                 → `latents`
    decoder     a query for each task, its embedding plus the session's,
                at the time that is asked about, attends to the latents → `queries`
    answers     a linear layer for each task

What each attention hears, before it is added, is at `encoder.attention`, `block0.attention`, …,
`queries.attention`. Rotary embeddings tell every attention how far apart two times lie.

It computes what CalciumPOYOPlus of torch_brain 0.1.2 computes: with the weights of one
(`poyo_plus_weights`) the outputs are the same. Unlike there, dropout takes its random numbers from
a generator of its own.

Source: Azabou et al. 2025, Multi-session, multi-task neural decoding from distinct cell-types and
brain regions (ICLR).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

from glassbox.decoders.hook_names import hooks_of
from glassbox.decoders.hooks import Tap, untouched
from glassbox.decoders.poyo_plus_layers import Block, CrossAttention, FeedForward
from glassbox.decoders.poyo_plus_options import PoyoPlusOptions
from glassbox.decoders.poyo_plus_tokens import PADDING, Tokens
from glassbox.decoders.rotary import RotaryTime

if TYPE_CHECKING:
    from glassbox.decoders.layers import Noise


class PoyoPlusBody(nn.Module):
    """What all units and sessions share.

    Args:
        options: sizes.
        widths: numbers that are given for each task.
    """

    def __init__(self, options: PoyoPlusOptions, widths: Sequence[int]):
        super().__init__()
        dim = options.dim
        cross = (dim, options.cross_heads, options.head_dim)
        forward = (dim, options.feedforward, options.feedforward_dropout)
        self.value = nn.Linear(1, dim // 2)
        self.latent = nn.Parameter(torch.zeros(options.latents_per_step, dim))
        self.task = nn.Parameter(torch.zeros(len(widths), dim))
        self.rotary = RotaryTime(
            options.head_dim, options.shortest_period_s, options.longest_period_s
        )
        self.encoder = CrossAttention(*cross, True, options.attention_dropout)
        self.encoder_forward = FeedForward(*forward)
        self.blocks = nn.ModuleList(Block(options) for _ in range(options.depth))
        self.decoder = CrossAttention(*cross, False, options.attention_dropout)
        self.decoder_forward = FeedForward(*forward)
        self.answers = nn.ModuleList(nn.Linear(dim, width) for width in widths)

    @property
    def hooks(self) -> tuple[str, ...]:
        """The places at which a tap is called, in the order of the calls."""
        return hooks_of("poyo_plus", len(self.blocks))

    def encode(
        self,
        value: torch.Tensor,
        unit: torch.Tensor,
        time: torch.Tensor,
        mask: torch.Tensor | None,
        latent: torch.Tensor,
        latent_time: torch.Tensor,
        noise: Noise | None = None,
        tap: Tap = untouched,
    ) -> torch.Tensor:
        """The latents behind the encoder, (trials, latents, dim).

        Args:
            value: dF/F, (trials, tokens).
            unit: embeddings, (trials or 1, tokens, dim / 2).
            time: (trials or 1, tokens), s.
            mask: which tokens there are, (trials, tokens) bool; None: all.
            latent: which latent of a step, (trials or 1, latents), i8.
            latent_time: (trials or 1, latents), s.
            noise: of dropout; None: no dropout.
        """
        said = self.value(value.unsqueeze(-1))
        tokens = torch.cat([said, unit.expand(len(said), -1, -1)], dim=-1)
        latents = self.latent[latent]
        turn, token_turn = self.rotary(latent_time), self.rotary(time)
        heard = self.encoder(latents, tokens, turn, token_turn, mask, noise)
        heard = tap("encoder.attention", heard)
        return tap("encoder", self.encoded(latents, heard, noise))

    def encoded(
        self, latents: torch.Tensor, heard: torch.Tensor, noise: Noise | None = None
    ) -> torch.Tensor:
        """The latents behind the encoder, from those before it and what they heard."""
        latents = latents + heard
        return latents + self.encoder_forward(latents, noise)

    def process(
        self,
        latents: torch.Tensor,
        latent_time: torch.Tensor,
        noise: Noise | None = None,
        tap: Tap = untouched,
        first: int = 0,
    ) -> torch.Tensor:
        """The latents behind the last block, from those before block `first`; the same shape."""
        turn = self.rotary(latent_time)
        for i, block in enumerate(self.blocks[first:], start=first):
            latents = block(latents, turn, noise, f"block{i}", tap)
        return tap("latents", latents)

    def ask(
        self,
        latents: torch.Tensor,
        latent_time: torch.Tensor,
        session: torch.Tensor,
        task: torch.Tensor,
        query_time: torch.Tensor,
        noise: Noise | None = None,
        tap: Tap = untouched,
    ) -> torch.Tensor:
        """The queries after they have heard the latents, (trials, queries, dim).

        Args:
            latents: (trials, latents, dim).
            latent_time: (trials or 1, latents), s.
            session: embedding of the session of each query, (trials or 1, queries, dim).
            task: what each query asks, (trials or 1, queries), i8.
            query_time: (trials or 1, queries), s.
        """
        query = session + self.task[task.clamp_min(0)]
        turn, latent_turn = self.rotary(query_time), self.rotary(latent_time)
        heard = self.decoder(query, latents, turn, latent_turn, None, noise)
        heard = tap("queries.attention", heard)
        return tap("queries", self.asked(query, heard, noise))

    def asked(
        self, query: torch.Tensor, heard: torch.Tensor, noise: Noise | None = None
    ) -> torch.Tensor:
        """The queries before the answers, from what they ask and what they heard."""
        query = query + heard
        return query + self.decoder_forward(query, noise)


class PoyoPlus(nn.Module):
    """The body with one table of units and one of sessions, on trials as tokens.

    Args:
        options: sizes.
        units, sessions: how many there are.
        widths: numbers that are given, by task.
    """

    def __init__(
        self, options: PoyoPlusOptions, units: int, sessions: int, widths: Mapping[str, int]
    ):
        super().__init__()
        self.tasks = tuple(widths)
        self.body = PoyoPlusBody(options, tuple(widths.values()))
        self.unit = nn.Parameter(torch.zeros(units, options.dim // 2))
        self.session = nn.Parameter(torch.zeros(sessions, options.dim))

    def forward(
        self, tokens: Tokens, noise: Noise | None = None, tap: Tap = untouched
    ) -> dict[str, torch.Tensor]:
        """Answers by task, (queries of the task, width), trial by trial in the order of queries.

        A task that nobody asks for is left out.
        """
        body, grid = self.body, (tokens.latent, tokens.latent_time)
        latents = body.encode(
            tokens.value, self.unit[tokens.unit], tokens.time, tokens.mask, *grid, noise, tap
        )
        latents = body.process(latents, tokens.latent_time, noise, tap)
        asked = (self.session[tokens.session], tokens.task, tokens.query_time)
        queries = body.ask(latents, tokens.latent_time, *asked, noise, tap)
        return {
            task: body.answers[i](queries[tokens.task == i])
            for i, task in enumerate(self.tasks)
            if (tokens.task == i).any()
        }


__all__ = ["PADDING", "PoyoPlus", "PoyoPlusBody", "Tokens"]

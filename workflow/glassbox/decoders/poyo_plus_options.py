"""Options of the POYO+ form of the decoder."""

from __future__ import annotations

from dataclasses import dataclass

from glassbox.errors import UserError


@dataclass(frozen=True)
class PoyoPlusOptions:
    """Sizes of a POYO+ decoder. Times are in seconds.

    The defaults are those that torch_brain trains on a single session. On the whole of Visual
    Coding it has dim 128, depth 24, 32 latents a step and 4 cross heads.
    """

    context_s: float = 1.0  # of dF/F that a query may look back and ahead at
    latent_step_s: float = 0.125  # from one group of latents to the next
    latents_per_step: int = 16
    dim: int = 64
    depth: int = 6  # blocks of self-attention
    head_dim: int = 64
    cross_heads: int = 2  # of the attention to the tokens, and of the queries to the latents
    self_heads: int = 8
    feedforward: int = 4  # hidden width of the second half of a block, × dim
    feedforward_dropout: float = 0.2
    block_dropout: float = 0.4  # of what each half of a block adds
    attention_dropout: float = 0.2
    shortest_period_s: float = 1e-4  # of the rotary embedding of time
    longest_period_s: float = 2.0627
    embedding_std: float = 0.02  # of unit, session, task and latent embeddings at the start

    def n_samples(self, samples_per_s: float) -> int:
        """Samples of the context."""
        return round(self.context_s * samples_per_s)

    def check(self, section: str) -> None:
        positive = (
            "context_s latent_step_s latents_per_step dim depth head_dim cross_heads self_heads "
            "feedforward shortest_period_s embedding_std"
        )
        for name in positive.split():
            if not getattr(self, name) > 0:
                raise UserError(
                    f"{section}.{name}: expected more than 0; found {getattr(self, name)}."
                )
        for name in ("feedforward_dropout", "block_dropout", "attention_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(
                    f"{section}.{name}: expected from 0 to below 1; found {getattr(self, name)}."
                )
        for name, divisor in (("dim", 2), ("head_dim", 4)):
            if getattr(self, name) % divisor:
                raise UserError(
                    f"{section}.{name}: expected a multiple of {divisor}; "
                    f"found {getattr(self, name)}."
                )
        if not self.shortest_period_s < self.longest_period_s:
            raise UserError(
                f"{section}.longest_period_s: expected more than {section}.shortest_period_s = "
                f"{self.shortest_period_s:g}; found {self.longest_period_s:g}."
            )

"""The identity-keyed decoder: who is looked at depends on identity and time, never on the trial.

    tokens      one for each cell and patch of time
    key         LayerNorm(unit key vector + patch embedding), projected: who and when
    value       (patch · filters) ⊙ unit value vector, projected head by head: what was said
    encoder     learned latents query the tokens. Neither query nor key sees the trial, so the
                attention pattern is computed once for a batch of a session, and what enters each
                latent is linear in the scaled dF/F: an exact receptive field over cells and time.
                The output is multiplied by the root of the number of cells
    processor   self-attention blocks among the latents           → hook point `latents`
    readout     one learned query per task attends to the latents, a linear layer gives the logits

The queries of the readout know nothing of the session: what the readout uses must be in the
latents.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import nn

from glassbox.decoders.cells import SessionCells
from glassbox.decoders.layers import ProcessorBlock, drop
from glassbox.decoders.options import DecoderOptions
from glassbox.decoders.randomness import torch_generator

EMBEDDING_STD = 0.02  # of patch embeddings and task queries at the start
# Latents must differ from the start, or all attend alike: on selection blocks of a real session the
# log probability of temporal frequency is −0.85 with 1 and −0.88 with 0.02.
LATENT_STD = 1.0
FILTER_NOISE = 0.02  # of the patch filters around the mean over the patch at the start


class IdentityKeyedDecoder(nn.Module):
    """Decodes the conditions of trials from windows of dF/F.

    Args:
        options: sizes of the model.
        cells: number of cells by session.
        classes: number of classes by task.
    """

    def __init__(
        self, options: DecoderOptions, cells: Mapping[str, int], classes: Mapping[str, int]
    ):
        super().__init__()
        dim, value_dim = options.dim, options.value_dim
        self.heads, self.dropout = options.heads, options.dropout
        self.tasks = tuple(classes)
        self._place = {session: place for place, session in enumerate(cells)}
        clip = (options.clip_low, options.clip_high)
        self.sessions = nn.ModuleList(SessionCells(n, dim, value_dim, clip) for n in cells.values())

        self.patch = nn.Parameter(torch.zeros(options.n_patches, dim))
        self.norm_key = nn.LayerNorm(dim)
        self.key = nn.Linear(dim, dim, bias=False)
        self.filters = nn.Parameter(torch.zeros(options.patch_samples, value_dim))
        self.filters_bias = nn.Parameter(torch.zeros(value_dim))
        self.latent = nn.Parameter(torch.zeros(options.latents, dim))
        self.query = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(value_dim, dim, bias=False)
        self.attended = nn.Linear(dim, dim)
        self.processor = nn.ModuleList(
            ProcessorBlock(dim, options.heads, options.feedforward, options.dropout)
            for _ in range(options.depth)
        )
        self.norm_latents = nn.LayerNorm(dim)
        self.task_query = nn.Parameter(torch.zeros(len(classes), dim))
        self.task_key = nn.Linear(dim, dim, bias=False)
        self.task_value = nn.Linear(dim, dim)
        self.logits = nn.ModuleList(nn.Linear(dim, n) for n in classes.values())

    @property
    def session_names(self) -> tuple[str, ...]:
        return tuple(self._place)

    @property
    def device(self) -> torch.device:
        return self.latent.device

    def cells_of(self, session: str) -> SessionCells:
        """The cells of a session: their vectors and scaling."""
        return self.sessions[self._place[session]]

    def body_parameters(self) -> tuple[str, ...]:
        """Names of the parameters that all sessions share."""
        return tuple(n for n, _ in self.named_parameters() if not n.startswith("sessions."))

    def cell_parameters(self, session: str) -> tuple[str, ...]:
        """Names of the unit key and value vectors of a session."""
        place = self._place[session]
        return f"sessions.{place}.key", f"sessions.{place}.value"

    @torch.no_grad()
    def draw(self, seed: int) -> None:
        """Draw all weights from the seed.

        The body's do not depend on the sessions, nor a session's on the others.
        """
        noise = torch_generator(seed, "body")
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear) and not name.startswith("sessions."):
                bound = 1 / math.sqrt(module.in_features)
                nn.init.uniform_(module.weight, -bound, bound, generator=noise)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for embedding in (self.patch, self.task_query):
            nn.init.normal_(embedding, std=EMBEDDING_STD, generator=noise)
        nn.init.normal_(self.latent, std=LATENT_STD, generator=noise)
        nn.init.normal_(self.filters, 1 / len(self.filters), FILTER_NOISE, generator=noise)
        for session in self.session_names:
            self.cells_of(session).draw(seed, session)

    def attention_pattern(self, session: str, keep: torch.Tensor | None = None) -> torch.Tensor:
        """How much each latent takes from each token, (heads, latents, cells × patches).

        It sums to 1 over the tokens, cell by cell and inside a cell patch by patch, and is the
        same for every trial.
        """
        who = self.cells_of(session).key
        if keep is not None:
            who = who[keep]
        dim = who.shape[1]
        tokens = self.norm_key(who[:, None] + self.patch).reshape(-1, dim)
        per_head = (-1, self.heads, dim // self.heads)
        key, query = self.key(tokens).view(per_head), self.query(self.latent).view(per_head)
        score = torch.einsum("lhd,thd->hlt", query, key) / math.sqrt(dim // self.heads)
        return score.softmax(dim=-1)

    def encode(
        self,
        session: str,
        windows: torch.Tensor,
        keep: torch.Tensor | None = None,
        noise: torch.Generator | None = None,
    ) -> torch.Tensor:
        """From raw windows of dF/F to the hook point `latents`, behind the last processor block.

        Args:
            windows: (trials, cells, samples), unscaled.
            keep: indices of the cells to use, (kept,), i8; None: all.
            noise: generator of dropout; None: no dropout.

        Returns:
            (trials, latents, dim).
        """
        return self.process(self.entering(session, windows, keep), noise)

    def process(self, entering: torch.Tensor, noise: torch.Generator | None) -> torch.Tensor:
        """The latents behind the last processor block, from what `entering` gave."""
        latents = self.latent + drop(entering, self.dropout, noise)
        for block in self.processor:
            latents = block(latents, noise)
        return latents

    def entering(
        self, session: str, windows: torch.Tensor, keep: torch.Tensor | None = None
    ) -> torch.Tensor:
        """What the encoder adds to the latents, (trials, latents, dim): linear in scaled dF/F."""
        cells = self.cells_of(session)
        value = cells.value
        if keep is not None:
            windows, value = windows[:, keep], value[keep]
        scaled = cells.scaled(windows, keep)
        trials, n_cells, _ = scaled.shape
        samples, value_dim = self.filters.shape
        # Trials lie innermost, so that all heads and latents attend in one matrix product.
        tokens = scaled.view(trials, -1, samples).transpose(0, 1).reshape(-1, samples)
        said = torch.addmm(self.filters_bias, tokens, self.filters)
        said = said.view(n_cells, -1, value_dim) * value[:, None]
        pattern = self.attention_pattern(session, keep)
        heard = pattern.flatten(0, 1) @ said.view(pattern.shape[2], trials * value_dim)
        heard = heard.view(self.heads, -1, trials, value_dim) * math.sqrt(n_cells)
        # Values are projected after they have been averaged over the tokens: the same, and cheaper.
        per_head = self.value.weight.view(self.heads, -1, value_dim)
        return self.attended(torch.einsum("hlbe,hde->blhd", heard, per_head).flatten(2))

    def readout(
        self, latents: torch.Tensor, noise: torch.Generator | None = None
    ) -> dict[str, torch.Tensor]:
        """Logits by task, (trials, classes), from the hook point `latents`, (trials, latents, dim).

        It needs no session. The projection of the keys is folded into the queries (q · W k =
        (qᵀ W) · k), and the values are projected after they have been averaged over the latents,
        so that a call costs little more than one pass over the latents.
        """
        trials, _, dim = latents.shape
        tasks, heads, head_dim = len(self.tasks), self.heads, dim // self.heads
        latents = self.norm_latents(latents)
        query = self.task_query.view(tasks, heads, head_dim)
        folded = torch.einsum("thd,hdi->thi", query, self.task_key.weight.view(heads, -1, dim))
        score = latents @ folded.reshape(tasks * heads, dim).T / math.sqrt(head_dim)
        heard = score.softmax(dim=1).transpose(1, 2) @ latents
        heard = heard.reshape(trials, tasks, heads, dim)
        value = self.task_value.weight.view(heads, head_dim, dim)
        said = torch.einsum("bthi,hdi->bthd", heard, value).reshape(trials, tasks, dim)
        said = drop(said + self.task_value.bias, self.dropout, noise)
        return {
            task: layer(said[:, i])
            for i, (task, layer) in enumerate(zip(self.tasks, self.logits, strict=True))
        }

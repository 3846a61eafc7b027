"""The identity-keyed decoder: who is looked at depends on identity and time, never on the trial.

    tokens      one for each cell and patch of time
    key         LayerNorm(unit key vector + patch embedding), projected: who and when
    value       (patch · filters) ⊙ unit value vector, projected head by head: what was said
    encoder     learned latents query the tokens. Neither query nor key sees the trial, so the
                attention pattern is computed once for a batch of a session, and what enters each
                latent is linear in the scaled dF/F: an exact receptive field over cells and time.
                The output is multiplied by the root of the number of cells → `encoder.attention`;
                added to the latents                                        → `encoder`
    processor   self-attention blocks among the latents                     → `block0`, `block1`, …
                what the latents of one hear, what its linear layers add    → `block0.attention`,
                                                                              `block0.mlp`, …
                what the last one gives                                     → `latents`
    readout     one learned query per task attends to the latents           → `queries`;
                a linear layer gives the logits

The arrows are hook points. The queries of the readout know nothing of the session: what the readout
uses must be in the latents.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch
from torch import nn

from glassbox.decoders.cells import SessionScaling, UnitVectors, identities
from glassbox.decoders.hook_names import hooks_of
from glassbox.decoders.hooks import Tap, untouched
from glassbox.decoders.layers import Noise, ProcessorBlock, drop
from glassbox.decoders.options import DecoderOptions, FrontOptions
from glassbox.decoders.pieces import Piece
from glassbox.decoders.randomness import torch_generator
from glassbox.decoders.targets import Targets

EMBEDDING_STD = 0.02  # of patch embeddings and task queries at the start
# Latents must differ from the start, or all attend alike: on selection blocks of a real session the
# log probability of temporal frequency is −0.85 with 1 and −0.88 with 0.02.
LATENT_STD = 1.0
FILTER_NOISE = 0.02  # of the patch filters around their first form (`FrontOptions`)
UNITS = "units."  # how the names of the parameters begin that belong to units, not to the body


class Front(nn.Module):
    """What belongs to the time course of one stimulus.

    Attributes:
        patch: embedding of each patch of the window, (patches, dim).
        filters: over the samples of a patch, (samples of a patch, value_dim); bias: (value_dim,).
    """

    def __init__(self, options: FrontOptions, samples_per_s: float, dim: int, value_dim: int):
        super().__init__()
        samples = options.patch_samples(samples_per_s)
        self.patch = nn.Parameter(torch.zeros(options.n_samples(samples_per_s) // samples, dim))
        self.filters = nn.Parameter(torch.zeros(samples, value_dim))
        self.bias = nn.Parameter(torch.zeros(value_dim))
        self._first = torch.tensor(options.first_filter(samples_per_s))

    @torch.no_grad()
    def draw(self, noise: torch.Generator) -> None:
        nn.init.normal_(self.patch, std=EMBEDDING_STD, generator=noise)
        nn.init.normal_(self.filters, 0.0, FILTER_NOISE, generator=noise)
        self.filters += self._first.to(self.filters.device)[:, None]


class IdentityKeyedDecoder(nn.Module):
    """Decodes what trials showed from windows of dF/F.

    Args:
        options: sizes of the model.
        cells: identity of each cell over sessions, (cells,) i8, by session.
        targets: what is decoded.
        sharing: sessions in which cells of one identity have the same vectors.
    """

    def __init__(
        self,
        options: DecoderOptions,
        cells: Mapping[str, np.ndarray],
        targets: Targets,
        sharing: Collection[str] = (),
    ):
        super().__init__()
        dim, value_dim = options.dim, options.value_dim
        self.heads, self.dropout = options.heads, options.dropout
        self.targets = targets
        self.tasks = targets.tasks
        clip = (options.clip_low, options.clip_high)
        tables, places = identities(cells, sharing)
        self._place = {session: place for place, session in enumerate(cells)}
        self._table = {session: table for session, (table, _) in places.items()}
        self._table_names = tuple(name for name, _ in tables)
        self.units = nn.ModuleList(UnitVectors(n, dim, value_dim) for _, n in tables)
        self.sessions = nn.ModuleList(
            SessionScaling(torch.from_numpy(places[session][1]), clip) for session in cells
        )
        # A session whose cells are its table, in order, needs no look-up.
        self._own = {
            session: np.array_equal(unit, np.arange(tables[table][1]))
            for session, (table, unit) in places.items()
        }
        self.fronts = nn.ModuleDict(
            {
                stimulus: Front(options.front(stimulus), options.rate(stimulus), dim, value_dim)
                for stimulus in targets.stimuli
            }
        )
        self.norm_key = nn.LayerNorm(dim)
        self.key = nn.Linear(dim, dim, bias=False)
        self.latent = nn.Parameter(torch.zeros(options.latents, dim))
        self.query = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(value_dim, dim, bias=False)
        self.attended = nn.Linear(dim, dim)
        self.processor = nn.ModuleList(
            ProcessorBlock(dim, options.heads, options.feedforward, options.dropout)
            for _ in range(options.depth)
        )
        self.norm_latents = nn.LayerNorm(dim)
        self.task_query = nn.Parameter(torch.zeros(len(self.tasks), dim))
        self.task_key = nn.Linear(dim, dim, bias=False)
        self.task_value = nn.Linear(dim, dim)
        self.answers = nn.ModuleList(nn.Linear(dim, targets.width(task)) for task in self.tasks)

    @property
    def session_names(self) -> tuple[str, ...]:
        return tuple(self._place)

    @property
    def device(self) -> torch.device:
        return self.latent.device

    @property
    def hooks(self) -> tuple[str, ...]:
        """The places at which a tap is called, in the order of the calls."""
        return hooks_of("identity_keyed", len(self.processor))

    def numbers_per_cell(self, stimulus: str) -> int:
        """Numbers that a trial needs for each cell at the widest place."""
        front = self.fronts[stimulus]
        return front.patch.shape[0] * front.filters.shape[1]

    def scaling(self, session: str) -> SessionScaling:
        """The scaling of a session's cells."""
        return self.sessions[self._place[session]]

    def unit_vectors(
        self, session: str, keep: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Key and value vectors of a session's cells, (cells, dim) and (cells, value_dim)."""
        units = self.units[self._table[session]]
        if self._own[session]:
            if keep is None:
                return units.key, units.value
            return units.key[keep], units.value[keep]
        which = self.scaling(session).unit
        which = which if keep is None else which[keep]
        return units.key[which], units.value[which]

    def body_parameters(self) -> tuple[str, ...]:
        """Names of the parameters that all sessions share."""
        return tuple(n for n, _ in self.named_parameters() if not n.startswith(UNITS))

    def cell_parameters(self, session: str) -> tuple[str, ...]:
        """Names of the unit key and value vectors of a session."""
        table = self._table[session]
        return f"{UNITS}{table}.key", f"{UNITS}{table}.value"

    @torch.no_grad()
    def draw(self, seed: int) -> None:
        """Draw all weights from the seed.

        The body's do not depend on the sessions, nor a session's on the others.
        """
        noise = torch_generator(seed, "body")
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                bound = 1 / math.sqrt(module.in_features)
                drawn = (
                    torch_generator(seed, "answers", self.tasks[int(name.split(".")[1])])
                    if name.startswith("answers.")
                    else noise
                )
                nn.init.uniform_(module.weight, -bound, bound, generator=drawn)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        nn.init.normal_(self.task_query, std=EMBEDDING_STD, generator=noise)
        nn.init.normal_(self.latent, std=LATENT_STD, generator=noise)
        for stimulus, front in self.fronts.items():
            front.draw(torch_generator(seed, "front", stimulus))
        for units, name in zip(self.units, self._table_names, strict=True):
            units.draw(seed, name)

    def attention_pattern(
        self, session: str, stimulus: str, keep: torch.Tensor | None = None
    ) -> torch.Tensor:
        """How much each latent takes from each token, (heads, latents, cells × patches).

        It sums to 1 over the tokens, cell by cell and inside a cell patch by patch, and is the
        same for every trial.
        """
        who, _ = self.unit_vectors(session, keep)
        return self._pattern(who, stimulus)

    def _pattern(self, who: torch.Tensor, stimulus: str) -> torch.Tensor:
        dim = who.shape[1]
        tokens = self.norm_key(who[:, None] + self.fronts[stimulus].patch).reshape(-1, dim)
        per_head = (-1, self.heads, dim // self.heads)
        key, query = self.key(tokens).view(per_head), self.query(self.latent).view(per_head)
        score = torch.einsum("lhd,thd->hlt", query, key) / math.sqrt(dim // self.heads)
        return score.softmax(dim=-1)

    def forward(
        self, pieces: Sequence[Piece], noise: Noise | None = None
    ) -> tuple[dict[str, torch.Tensor], ...]:
        """Answers by task for each piece: logits (trials, classes), or values (trials,).

        Only the tasks that the trials of a piece's stimulus serve are answered.
        """
        entering = [self.entering(p.session, p.stimulus, p.windows, p.keep) for p in pieces]
        latents = self.process(torch.cat(entering), noise)
        answers: list[dict[str, torch.Tensor]] = [{} for _ in pieces]
        said = self._said(latents, self.tasks, noise)
        sizes = [len(part) for part in entering]
        for place, part in enumerate(said.split(sizes)):
            tasks = self.targets.of(pieces[place].stimulus)
            answers[place] = {
                task: self._answer(task, part[:, self.tasks.index(task)]) for task in tasks
            }
        return tuple(answers)

    def encode(
        self,
        session: str,
        stimulus: str,
        windows: torch.Tensor,
        keep: torch.Tensor | None = None,
        noise: Noise | None = None,
        tap: Tap = untouched,
    ) -> torch.Tensor:
        """From raw windows of dF/F to the hook point `latents`, behind the last processor block.

        Args:
            windows: (trials, cells, samples), unscaled.
            keep: indices of the cells to use, (kept,), i8; None: all.
            noise: of dropout; None: no dropout.
            tap: called at the hook points on the way.

        Returns:
            (trials, latents, dim).
        """
        heard = tap("encoder.attention", self.entering(session, stimulus, windows, keep))
        return self.process(heard, noise, tap)

    def process(
        self, entering: torch.Tensor, noise: Noise | None = None, tap: Tap = untouched
    ) -> torch.Tensor:
        """The latents behind the last processor block, from what `entering` gave."""
        latents = tap("encoder", self.latent + drop(entering, self.dropout, noise))
        return tap("latents", self.processed(latents, 0, noise, tap))

    @property
    def blocks(self) -> nn.ModuleList:
        """The blocks of the processor."""
        return self.processor

    def behind_encoder(self, heard: torch.Tensor) -> torch.Tensor:
        """The hook point `encoder` from `encoder.attention`, (trials, latents, dim)."""
        return self.latent + heard

    def processed(
        self,
        latents: torch.Tensor,
        first: int,
        noise: Noise | None = None,
        tap: Tap = untouched,
    ) -> torch.Tensor:
        """The hook point `latents` from what enters block `first`, (trials, latents, dim)."""
        for i, block in enumerate(self.processor[first:], start=first):
            latents = block(latents, noise, f"block{i}", tap)
        return latents

    def entering(
        self, session: str, stimulus: str, windows: torch.Tensor, keep: torch.Tensor | None = None
    ) -> torch.Tensor:
        """What the encoder adds to the latents, (trials, latents, dim): linear in scaled dF/F."""
        front = self.fronts[stimulus]
        who, value = self.unit_vectors(session, keep)
        if keep is not None:
            windows = windows[:, keep]
        scaled = self.scaling(session).scaled(windows, keep)
        trials, n_cells, _ = scaled.shape
        samples, value_dim = front.filters.shape
        # Trials lie innermost, so that all heads and latents attend in one matrix product.
        tokens = scaled.view(trials, -1, samples).transpose(0, 1).reshape(-1, samples)
        said = torch.addmm(front.bias, tokens, front.filters)
        said = said.view(n_cells, -1, value_dim) * value[:, None]
        pattern = self._pattern(who, stimulus)
        heard = pattern.flatten(0, 1) @ said.view(pattern.shape[2], trials * value_dim)
        heard = heard.view(self.heads, -1, trials, value_dim) * math.sqrt(n_cells)
        # Values are projected after they have been averaged over the tokens: the same, and cheaper.
        per_head = self.value.weight.view(self.heads, -1, value_dim)
        return self.attended(torch.einsum("hlbe,hde->blhd", heard, per_head).flatten(2))

    def readout(
        self,
        latents: torch.Tensor,
        tasks: Sequence[str] | None = None,
        noise: Noise | None = None,
        sessions: Sequence[str] | None = None,
        tap: Tap = untouched,
    ) -> dict[str, torch.Tensor]:
        """Answers by task from the hook point `latents`, (trials, latents, dim).

        Args:
            tasks: which are answered; None: all.
            noise: of dropout; None: no dropout.
            sessions: of the trials; this readout knows nothing of them.
            tap: called at the hook points on the way.
        """
        tasks = tasks or self.tasks
        return self.answered(tap("queries", self._said(latents, tasks, noise)), tasks)

    def answered(self, queries: torch.Tensor, tasks: Sequence[str]) -> dict[str, torch.Tensor]:
        """Answers by task from the hook point `queries`, (trials, tasks, dim)."""
        return {task: self._answer(task, queries[:, i]) for i, task in enumerate(tasks)}

    def _said(
        self, latents: torch.Tensor, asked: Sequence[str], noise: Noise | None
    ) -> torch.Tensor:
        """What the query of each task that is asked hears in the latents, (trials, tasks, dim).

        The projection of the keys is folded into the queries (q · W k = (qᵀ W) · k), and the
        values are projected after they have been averaged over the latents, so that a call costs
        little more than one pass over the latents.
        """
        trials, _, dim = latents.shape
        tasks, heads, head_dim = len(asked), self.heads, dim // self.heads
        latents = self.norm_latents(latents)
        query = self.task_query
        if tuple(asked) != tuple(self.tasks):
            query = query[[self.tasks.index(task) for task in asked]]
        query = query.view(tasks, heads, head_dim)
        folded = torch.einsum("thd,hdi->thi", query, self.task_key.weight.view(heads, -1, dim))
        score = latents @ folded.reshape(tasks * heads, dim).T / math.sqrt(head_dim)
        heard = score.softmax(dim=1).transpose(1, 2) @ latents
        heard = heard.reshape(trials, tasks, heads, dim)
        value = self.task_value.weight.view(heads, head_dim, dim)
        said = torch.einsum("bthi,hdi->bthd", heard, value).reshape(trials, tasks, dim)
        return drop(said + self.task_value.bias, self.dropout, noise)

    def _answer(self, task: str, said: torch.Tensor) -> torch.Tensor:
        return self.targets.answer(task, self.answers[self.tasks.index(task)](said))

"""The POYO+ form as a decoder of trials: sessions, windows and queries around the network.

A window of dF/F, each cell z-scored on training trials, holds more than the network reads: its
context is a part of the window, `context_s` long. A query for each task asks about the middle of
the window: where it begins with the trial and ends with it, the trial's midpoint. In training the
context lies anywhere in the window where it holds that time; else it lies around it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch
from torch import nn

from glassbox.decoders.cells import SessionScaling, identities
from glassbox.decoders.hooks import Tap, untouched
from glassbox.decoders.layers import Noise
from glassbox.decoders.options import DecoderOptions
from glassbox.decoders.pieces import Piece
from glassbox.decoders.poyo_plus import PoyoPlusBody
from glassbox.decoders.poyo_plus_tokens import first_samples, latent_grid, sample_times
from glassbox.decoders.randomness import torch_generator
from glassbox.decoders.targets import Targets

OWN = ("units.", "session.")  # how the names begin of what belongs to units or sessions


class UnitEmbeddings(nn.Module):
    """Embeddings of the units of one session, or of several that share cells, (units, width)."""

    def __init__(self, n_units: int, width: int):
        super().__init__()
        self.embedding = nn.Parameter(torch.zeros(n_units, width))


class PoyoPlusDecoder(nn.Module):
    """Decodes what trials showed from windows of dF/F.

    Args:
        options: sizes of the model.
        cells: identity of each cell over sessions, (cells,) i8, by session.
        targets: what is decoded.
        sharing: sessions in which cells of one identity have the same embedding.
    """

    def __init__(
        self,
        options: DecoderOptions,
        cells: Mapping[str, np.ndarray],
        targets: Targets,
        sharing: Collection[str] = (),
    ):
        super().__init__()
        sizes = options.poyo_plus
        self.sizes, self.targets, self.tasks = sizes, targets, targets.tasks
        self.samples_per_s = options.samples_per_s
        self.n_context = sizes.n_samples(options.samples_per_s)
        tables, places = identities(cells, sharing)
        clip = (options.clip_low, options.clip_high)
        self._place = {session: place for place, session in enumerate(cells)}
        self._table = {session: table for session, (table, _) in places.items()}
        self._table_names = tuple(name for name, _ in tables)
        self.units = nn.ModuleList(UnitEmbeddings(n, sizes.dim // 2) for _, n in tables)
        self.sessions = nn.ModuleList(
            SessionScaling(torch.from_numpy(places[session][1]), clip) for session in cells
        )
        self.session = nn.ParameterList(torch.zeros(sizes.dim) for _ in cells)
        self.body = PoyoPlusBody(sizes, [targets.width(task) for task in self.tasks])
        which, time = latent_grid(sizes.context_s, sizes.latent_step_s, sizes.latents_per_step)
        samples = sample_times(self.n_context, options.samples_per_s)
        for name, tensor in (("grid", which), ("grid_time", time), ("sample_time", samples)):
            self.register_buffer(name, tensor, persistent=False)

    @property
    def session_names(self) -> tuple[str, ...]:
        return tuple(self._place)

    @property
    def device(self) -> torch.device:
        return self.body.latent.device

    @property
    def hooks(self) -> tuple[str, ...]:
        """The places at which a tap is called, in the order of the calls."""
        return self.body.hooks

    def numbers_per_cell(self, stimulus: str) -> int:
        """Numbers that a trial needs for each cell at the widest place: keys and values."""
        return self.n_context * 2 * self.sizes.cross_heads * self.sizes.head_dim

    def scaling(self, session: str) -> SessionScaling:
        """The scaling of a session's cells."""
        return self.sessions[self._place[session]]

    def session_embedding(self, session: str) -> torch.Tensor:
        """What the queries of a session have in common, (dim,)."""
        return self.session[self._place[session]]

    def body_parameters(self) -> tuple[str, ...]:
        """Names of the parameters that all sessions share."""
        return tuple(n for n, _ in self.named_parameters() if not n.startswith(OWN))

    def cell_parameters(self, session: str) -> tuple[str, ...]:
        """Names of the embeddings of a session's units, and of the session's own."""
        return f"units.{self._table[session]}.embedding", f"session.{self._place[session]}"

    @torch.no_grad()
    def draw(self, seed: int) -> None:
        """Draw all weights from the seed.

        The body's do not depend on the sessions, nor a session's on the others.
        """
        noise, std = torch_generator(seed, "body"), self.sizes.embedding_std
        for name, module in self.body.named_modules():
            if isinstance(module, nn.Linear):
                bound, drawn = 1 / math.sqrt(module.in_features), noise
                if name.startswith("answers."):
                    drawn = torch_generator(seed, "answers", self.tasks[int(name.split(".")[1])])
                nn.init.uniform_(module.weight, -bound, bound, generator=drawn)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for weight in (self.body.value.weight, self.body.latent, self.body.task):
            nn.init.normal_(weight, std=std, generator=noise)
        for units, name in zip(self.units, self._table_names, strict=True):
            self._draw_own(units.embedding, seed, "cells", name)
        for session, embedding in zip(self._place, self.session, strict=True):
            self._draw_own(embedding, seed, "session", session)

    def _draw_own(self, weight: nn.Parameter, *seed: object) -> None:
        # Drawn where generators agree on all machines, then moved.
        drawn = torch.randn(weight.shape, generator=torch_generator(*seed))
        weight.copy_(drawn * self.sizes.embedding_std)

    def forward(
        self, pieces: Sequence[Piece], noise: Noise | None = None
    ) -> tuple[dict[str, torch.Tensor], ...]:
        """Answers by task for each piece: logits (trials, classes), or values (trials,).

        Only the tasks that the trials of a piece's stimulus serve are asked.
        """
        own = [None if noise is None else noise.part(place) for place in range(len(pieces))]
        first = [self._first(piece, part) for piece, part in zip(pieces, own, strict=True)]
        entering = [self._entering(*given) for given in zip(pieces, first, own, strict=True)]
        latents = self.body.process(torch.cat(entering), self.grid_time[None], noise)
        answers, sizes = [], [len(part) for part in entering]
        for place, (piece, part) in enumerate(zip(pieces, latents.split(sizes), strict=True)):
            asked = (piece.windows.shape[2] / 2 - first[place]) / self.samples_per_s
            session = self.session_embedding(piece.session).expand(len(part), -1)
            tasks = self.targets.of(piece.stimulus)
            answers.append(self._answers(part, tasks, session, asked, own[place]))
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
        """From raw windows of dF/F to the hook point `latents`, behind the last block.

        The context lies in the middle of the window.

        Args:
            windows: (trials, cells, samples), unscaled.
            keep: indices of the cells to use, (kept,), i8; None: all.
            noise: of dropout; None: no dropout.
            tap: called at the hook points on the way.

        Returns:
            (trials, latents, dim).
        """
        piece = Piece(session, stimulus, windows, keep)
        entering = self._entering(piece, self._first(piece, None), noise, tap)
        return self.body.process(entering, self.grid_time[None], noise, tap)

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
            latents: as `encode` gave them.
            tasks: what is asked; None: all.
            noise: of dropout; None: no dropout.
            sessions: of each trial, (trials,): their embeddings are part of the queries.
            tap: called at the hook points on the way.
        """
        session = self._sessions(sessions)
        asked = torch.full((len(latents),), self.asked_s, device=self.device)
        return self._answers(latents, tasks or self.tasks, session, asked, noise, tap)

    @property
    def blocks(self) -> nn.ModuleList:
        """The blocks of the processor."""
        return self.body.blocks

    def behind_encoder(self, heard: torch.Tensor) -> torch.Tensor:
        """The hook point `encoder` from `encoder.attention`, (trials, latents, dim)."""
        return self.body.encoded(self.body.latent[self.grid], heard)

    def processed(self, latents: torch.Tensor, first: int) -> torch.Tensor:
        """The hook point `latents` from what enters block `first`, (trials, latents, dim)."""
        return self.body.process(latents, self.grid_time[None], first=first)

    def behind_queries(
        self, heard: torch.Tensor, tasks: Sequence[str], sessions: Sequence[str] | None
    ) -> torch.Tensor:
        """The hook point `queries` from `queries.attention`, (trials, tasks, dim)."""
        places = [self.tasks.index(task) for task in tasks]
        return self.body.asked(self._sessions(sessions)[:, None] + self.body.task[places], heard)

    def answered(self, queries: torch.Tensor, tasks: Sequence[str]) -> dict[str, torch.Tensor]:
        """Answers by task from the hook point `queries`, (trials, tasks, dim)."""
        layers = [self.body.answers[self.tasks.index(task)] for task in tasks]
        return {
            task: self.targets.answer(task, layer(queries[:, i]))
            for i, (task, layer) in enumerate(zip(tasks, layers, strict=True))
        }

    def _sessions(self, sessions: Sequence[str] | None) -> torch.Tensor:
        """The embedding of each trial's session, (trials, dim)."""
        if sessions is None:
            raise ValueError("the queries of POYO+ hold the session of each trial: name them")
        places = torch.tensor([self._place[name] for name in sessions], device=self.device)
        return torch.stack(list(self.session))[places]

    @property
    def asked_s(self) -> float:
        """The time that is asked about, in the context around the middle of a window."""
        return self.n_context / 2 / self.samples_per_s

    def _first(self, piece: Piece, noise: Noise | None) -> torch.Tensor:
        """First sample of each trial's context, (trials,) i8: anywhere with noise."""
        trials, _, samples = piece.windows.shape
        drawn = None if noise is None else noise.uniform(torch.Size((trials,)))
        first = first_samples(samples, self.n_context, samples / 2, drawn, trials)
        return first.to(self.device)

    def _entering(
        self, piece: Piece, first: torch.Tensor, noise: Noise | None, tap: Tap = untouched
    ) -> torch.Tensor:
        """The latents behind the encoder, (trials, latents, dim)."""
        keep, scaling = piece.keep, self.scaling(piece.session)
        windows = piece.windows if keep is None else piece.windows[:, keep]
        unit = scaling.unit if keep is None else scaling.unit[keep]
        trials, n_cells, _ = windows.shape
        places = first[:, None] + torch.arange(self.n_context, device=self.device)
        context = windows.gather(2, places[:, None].expand(-1, n_cells, -1))
        value = scaling.scaled(context, keep).reshape(trials, -1)
        embedding = self.units[self._table[piece.session]].embedding[unit]
        embedding = embedding.repeat_interleave(self.n_context, dim=0)[None]
        time = self.sample_time.repeat(n_cells)[None]
        grid = (self.grid[None], self.grid_time[None])
        return self.body.encode(value, embedding, time, None, *grid, noise, tap)

    def _answers(
        self,
        latents: torch.Tensor,
        tasks: Sequence[str],
        session: torch.Tensor,
        asked: torch.Tensor,
        noise: Noise | None,
        tap: Tap = untouched,
    ) -> dict[str, torch.Tensor]:
        """Args: latents (trials, latents, dim), session (trials, dim), asked (trials,) s."""
        places = torch.tensor([self.tasks.index(task) for task in tasks], device=self.device)
        queries = self.body.ask(
            latents,
            self.grid_time[None],
            session[:, None],
            places[None],
            asked[:, None].expand(-1, len(tasks)),
            noise,
            tap,
        )
        return self.answered(queries, tasks)

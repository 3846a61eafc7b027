"""Activations at the hook of all usable trials, as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from glassbox.decoders.data import TrialSet, read_trials
from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.room import WindowsRoom
from glassbox.errors import UserError
from glassbox.tensors.store import SessionTensor, open_session


@dataclass(frozen=True)
class DecodedSession:
    """A session that a decoder knows, with its usable trials.

    Attributes:
        data: windows, labels, parts of the usable trials.
        block: contiguous presentation that each usable trial belongs to, (trials,), i4.
        held_out: the decoder's body was trained without it.
        tensor: where the windows were read from; None where they came from elsewhere.
    """

    data: TrialSet
    block: np.ndarray
    held_out: bool
    tensor: SessionTensor | None = None

    def take(self, places: np.ndarray) -> DecodedSession:
        """The session with the trials at these places alone."""
        data = replace(
            self.data,
            trial=self.data.trial[places],
            windows=self.data.windows[places],
            labels={task: labels[places] for task, labels in self.data.labels.items()},
            parts={fold: part[places] for fold, part in self.data.parts.items()},
        )
        return replace(self, data=data, block=self.block[places])


@dataclass(frozen=True)
class HookTrials:
    """Activations of a decoder at the hook for the usable trials of its sessions.

    Attributes:
        latents: (trials, latents, dim) f4; whatever the positions of the hook are, latents or, at
            the queries, tasks.
        part: part code in the decoder's fold, (trials,), i1.
        session_index: into the sessions that were given, (trials,), i4.
        trial_index: place in the stimulus's table of trials, (trials,), i4.
        block: contiguous presentation, (trials,), i4.
        held_out: the trial's session was held out of the body, (trials,) bool.
        labels: class index by task, (trials,), i8, −1 where a trial has none.
        sessions: names of the sessions that were given.
        hook: where in the decoder.
        beside: what the activations are added to, (trials, latents, dim); None where it needs no
            trial.
    """

    latents: torch.Tensor
    part: np.ndarray
    session_index: np.ndarray
    trial_index: np.ndarray
    block: np.ndarray
    held_out: np.ndarray
    labels: dict[str, np.ndarray]
    sessions: tuple[str, ...] = ()
    hook: str = "latents"
    beside: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.part)

    @property
    def session(self) -> np.ndarray:
        """Name of each trial's session, (trials,) of texts; empty where no names were given."""
        names = np.asarray(self.sessions or [""] * (int(self.session_index.max(initial=0)) + 1))
        return names[self.session_index]

    def take(self, places: np.ndarray) -> HookTrials:
        """The trials at these places."""
        where = torch.from_numpy(np.asarray(places))
        return HookTrials(
            self.latents[where],
            self.part[places],
            self.session_index[places],
            self.trial_index[places],
            self.block[places],
            self.held_out[places],
            {task: label[places] for task, label in self.labels.items()},
            self.sessions,
            self.hook,
            None if self.beside is None else self.beside[where],
        )

    def readout(self, decoder: FittedDecoder) -> Callable[[torch.Tensor], dict[str, torch.Tensor]]:
        """From other activations of these trials, (trials, latents, dim), to logits by task."""
        return partial(decoder.answers, self.hook, sessions=self.session, beside=self.beside)

    def in_part(self, part: int, held_out: bool | None = False) -> HookTrials:
        """The trials of a part, of the body's sessions, of held-out ones, or (None) of both."""
        chosen = self.part == part
        if held_out is not None:
            chosen &= self.held_out == held_out
        return self.take(np.flatnonzero(chosen))


def open_sessions(
    decoder: FittedDecoder,
    tensors: Sequence[str | Path],
    known: Mapping[str, DecodedSession] | None = None,
    room: WindowsRoom | None = None,
) -> tuple[DecodedSession, ...]:
    """The sessions of a decoder with trials of its stimulus, in its order, read from their tensors.

    Args:
        decoder: whose sessions are wanted.
        tensors: stores, in any order; others may be among them.
        known: sessions by name that a decoder of equal options and classes has opened already.
        room: where the windows go; None: in memory.

    Raises:
        UserError: a session of the decoder has no tensor here, or another one than in training.
    """
    stores = {Path(path).name: path for path in tensors}
    known = known or {}
    sessions = []
    for about in decoder.sessions.values():
        if decoder.stimulus not in about.stimuli:
            continue
        if about.session in known:
            sessions.append(replace(known[about.session], held_out=about.held_out))
            continue
        if about.store not in stores:
            raise UserError(
                f"--tensors: the decoder was trained on session {about.session}; found no tensor "
                f"of it, {about.store}, among {len(stores)}. Name it too."
            )
        tensor = open_session(stores[about.store])
        data = read_trials(tensor, decoder.stimulus, decoder.options, decoder.tasks, room)
        block = tensor.trials(decoder.stimulus).block[data.trial]
        sessions.append(DecodedSession(data, block, about.held_out, tensor))
    return tuple(sessions)


def thinned(session: DecodedSession, share: float) -> DecodedSession:
    """A session with a share of its trials, evenly spread, at least one."""
    n = len(session.data.trial)
    return session.take(np.linspace(0, n - 1, max(1, round(share * n))).round().astype(np.int64))


@torch.no_grad()
def hook_trials(
    decoder: FittedDecoder, sessions: Sequence[DecodedSession], hook: str = "latents"
) -> HookTrials:
    """Run every usable trial of the sessions through the decoder up to the hook, all cells kept."""
    counts = [len(s.data.trial) for s in sessions]
    passed = [decoder.at(hook, s.data.session, s.data.windows) for s in sessions]
    beside = [p.beside for p in passed if p.beside is not None]
    return HookTrials(
        latents=torch.cat([p.value for p in passed]),
        part=np.concatenate([s.data.parts[decoder.fold] for s in sessions]),
        session_index=np.repeat(np.arange(len(sessions), dtype=np.int32), counts),
        trial_index=np.concatenate([s.data.trial for s in sessions]).astype(np.int32),
        block=np.concatenate([s.block for s in sessions]).astype(np.int32),
        held_out=np.repeat([s.held_out for s in sessions], counts),
        labels={
            task: np.concatenate([s.data.labels[task] for s in sessions]) for task in decoder.tasks
        },
        sessions=tuple(s.data.session for s in sessions),
        hook=hook,
        beside=torch.cat(beside) if beside else None,
    )

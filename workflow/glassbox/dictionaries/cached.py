"""A decoder's activations, made once: in memory, or in a store that several rules share.

What fits `dictionaries.memory_mb` stays in memory. Beyond it all copies of the activations of
training trials go into a Zarr array in a folder of caches, from where trainings draw, and trials
are run through the decoder some sessions at a time. The name of a store carries a key over code,
options, decoder and tensors: one that something else was made of is never read.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
import zarr

from glassbox.code import code_of_script
from glassbox.decoders.checkpoint import key_of
from glassbox.decoders.fitted import FittedDecoder
from glassbox.dictionaries.activations import DecodedSession, HookTrials, hook_trials, thinned
from glassbox.dictionaries.augment import training_copies
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.dictionaries.stream import MOST_SAMPLED, Stream, spread
from glassbox.files import replacing_folder, sha256_of_file, sole_writer
from glassbox.tensors.splits import SELECTION, TRAIN

HOUSE = Path(__file__).resolve().parents[2]
SHAPING = (
    "hook",
    "seed",
    "copies",
    "copies_keep",
    "copies_shift_s",
)  # options that change what is stored


@dataclass(frozen=True)
class Activations:
    """What the dictionaries of one decoder learn from and are measured on.

    Attributes:
        stream: activations of training trials, all copies.
        decoder: whose they are.
        sessions: whose trials are run.
        hook: where in the decoder.
        key: over all that the activations depend on.
        at_once: trials that fit in memory, where not all do.
        whole: all trials, where they fit in memory.
    """

    stream: Stream
    decoder: FittedDecoder
    sessions: tuple[DecodedSession, ...]
    hook: str
    key: str
    at_once: int = 0
    whole: HookTrials | None = None

    def trials(self) -> Iterator[HookTrials]:
        """All usable trials, as many sessions at a time as fit in memory."""
        if self.whole is not None:
            yield self.whole
            return
        names = tuple(session.data.session for session in self.sessions)
        counts = [len(session.data.trial) for session in self.sessions]
        for first, last in _groups(counts, self.at_once):
            seen = hook_trials(self.decoder, self.sessions[first:last], self.hook)
            yield replace(seen, session_index=seen.session_index + first, sessions=names)

    def some_trials(self) -> tuple[tuple[DecodedSession, ...], HookTrials]:
        """All trials, or of each session as large a share, evenly spread, as fits in memory."""
        if self.whole is not None:
            return self.sessions, self.whole
        share = min(1.0, self.at_once / sum(len(s.data.trial) for s in self.sessions))
        sessions = tuple(thinned(session, share) for session in self.sessions)
        return sessions, hook_trials(self.decoder, sessions, self.hook)

    def selection(self) -> torch.Tensor:
        """Selection trials of the body's sessions, at most `MOST_SAMPLED` activations, (m, dim)."""
        body = [s for s in self.sessions if not s.held_out]
        fold = self.decoder.fold
        n_trials = sum(int((s.data.parts[fold] == SELECTION).sum()) for s in body)
        parts, at, places = [], 0, None
        for trials in self.trials():
            flat = trials.in_part(SELECTION).latents
            if places is None:
                places = spread(n_trials * flat.shape[1], MOST_SAMPLED)
            flat = flat.flatten(0, 1)
            inside = places[(places >= at) & (places < at + len(flat))] - at
            parts.append(flat[torch.from_numpy(inside)])
            at += len(flat)
        return torch.cat(parts)

    def mean(self) -> torch.Tensor:
        """Mean over training trials of the body's sessions, (latents, dim)."""
        total, n = 0.0, 0
        for trials in self.trials():
            train = trials.in_part(TRAIN).latents
            total, n = total + train.double().sum(0), n + len(train)
        return (total / n).float()


def activations_of(
    decoder: FittedDecoder,
    sessions: Sequence[DecodedSession],
    options: DictionaryOptions,
    cache: str | Path | None,
    weights: str | Path,
    made_by: str = "trained",
) -> Activations:
    """The activations of a decoder, in memory where they fit.

    Args:
        decoder: whose they are.
        sessions: as `open_sessions` gives them.
        options: hook, copies, memory.
        cache: folder of stores; None: all in memory.
        weights: file of the decoder's weights.
        made_by: which decoder this is, where others share its weights' file.
    """
    fold, sessions = decoder.fold, tuple(sessions)
    first = sessions[0].data
    one = decoder.at(options.hook, first.session, first.windows[:1]).value
    n_latents, dim = one.shape[1:]
    per_trial = 4 * n_latents * dim
    trials = [len(s.data.trial) for s in sessions]
    training = sum(int((s.data.parts[fold] == TRAIN).sum()) for s in sessions if not s.held_out)
    n = training * n_latents * options.copies
    key = "" if cache is None else _key(sessions, options, Path(weights), made_by)
    room = options.memory_mb << 20
    if cache is None or (sum(trials) + training * options.copies) * per_trial <= room:
        stored = torch.cat(list(training_copies(decoder, sessions, options)))
        whole = hook_trials(decoder, sessions, options.hook)
        return Activations(
            Stream(stored, len(stored)), decoder, sessions, options.hook, key, whole=whole
        )
    held = max(1, room // 2 // (4 * dim))
    path = Path(cache) / f"{made_by}-{options.hook}-seed{decoder.seed}-fold{fold}-{key}.zarr"
    fill = partial(training_copies, decoder, sessions, options)
    source = _stored(path, fill, (n, dim), Stream(np.empty((n, 0)), held).block)
    at_once = max(1, room // 4 // per_trial)
    return Activations(Stream(source, held), decoder, sessions, options.hook, key, at_once)


def _groups(trials: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """Sessions that are run together: at most so many trials, but at least one session."""
    first = total = 0
    for place, count in enumerate(trials):
        if place > first and total + count > most:
            yield first, place
            first, total = place, 0
        total += count
    yield first, len(trials)


def _key(
    sessions: Sequence[DecodedSession], options: DictionaryOptions, weights: Path, made_by: str
) -> str:
    return key_of(
        code_of_script(Path(__file__), HOUSE),
        {name: getattr(options, name) for name in SHAPING},
        [(*s.data.key, s.data.content_sha256, s.held_out) for s in sessions],
        [sha256_of_file(file) for file in (weights, weights.with_name("decoder.json"))],
        made_by,
        torch.get_num_threads(),
        torch.__version__,
    )


def _stored(
    path: Path,
    pieces: Callable[[], Iterator[torch.Tensor]],
    shape: tuple[int, int],
    block: int,
) -> zarr.Array:
    """The array at a path, made whole where there is none; others of its name go."""
    with sole_writer(path):
        if not path.exists():
            for old in path.parent.glob(f"{path.stem[:-16]}{'[0-9a-f]' * 16}.zarr"):
                shutil.rmtree(old)
            with replacing_folder(path) as partial_path:
                array = zarr.create_array(
                    partial_path,
                    shape=shape,
                    chunks=(block, shape[1]),
                    dtype="f4",
                    compressors=None,
                )
                _fill(array, pieces(), block)
    return zarr.open_array(path, mode="r")


def _fill(array: zarr.Array, pieces: Iterator[torch.Tensor], block: int) -> None:
    """Write pieces one after another, a whole chunk at a time."""
    waiting = np.empty((block, array.shape[1]), np.float32)
    at = filled = 0
    for piece in pieces:
        rows = piece.numpy()
        while len(rows):
            n = min(len(rows), block - filled)
            waiting[filled : filled + n] = rows[:n]
            rows, filled = rows[n:], filled + n
            if filled == block:
                array[at : at + block] = waiting
                at, filled = at + block, 0
    array[at : at + filled] = waiting[:filled]

"""More activations than a session has trials: copies with fewer cells, and of shifted windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.randomness import numpy_generator
from glassbox.dictionaries.activations import DecodedSession
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.tensors.splits import TRAIN
from glassbox.tensors.windows import TrialWindows


def copies_of(
    decoder: FittedDecoder, sessions: Sequence[DecodedSession], options: DictionaryOptions
) -> Iterator[tuple[DecodedSession, np.ndarray, np.ndarray | None]]:
    """The training trials of the body's sessions, several times over.

    The first copy is as recorded. In every other one each session keeps a random share of its
    cells, from `copies_keep` to all, and its windows begin up to `copies_shift_s` earlier or
    later: a session has few trials, and the dictionary is to serve latents that it has not seen.

    Yields:
        Each session and copy: the session, windows (trials, cells, samples) f4, and which cells
        are kept, None for all.
    """
    for session in sessions:
        if session.held_out:
            continue
        data = session.data
        train = data.in_part(decoder.fold, TRAIN)
        for copy in range(options.copies):
            keep, windows = None, data.windows[train]
            if copy > 0:
                rng = numpy_generator(
                    "copies", options.seed, decoder.seed, decoder.fold, data.session, copy
                )
                share = rng.uniform(options.copies_keep, 1)
                n_kept = max(1, round(share * data.n_cells))
                keep = np.sort(rng.permutation(data.n_cells)[:n_kept])
                if options.copies_shift_s:
                    shift_s = rng.uniform(-options.copies_shift_s, options.copies_shift_s)
                    windows = shifted(session, decoder, train, shift_s)
            yield session, windows, keep


@torch.no_grad()
def training_copies(
    decoder: FittedDecoder, sessions: Sequence[DecodedSession], options: DictionaryOptions
) -> Iterator[torch.Tensor]:
    """Activations of `copies_of` the training trials, (trials · latents, dim) f4 of each."""
    for session, windows, keep in copies_of(decoder, sessions, options):
        yield decoder.at(options.hook, session.data.session, windows, keep).value.flatten(0, 1)


def shifted(
    session: DecodedSession, decoder: FittedDecoder, trials: np.ndarray, shift_s: float
) -> np.ndarray:
    """Windows that begin so much later, (n, cells, samples) f4.

    A trial whose shifted window leaves the recording, or crosses a jump in it, keeps its own.

    Args:
        session: with the tensor that its windows were read from.
        decoder: whose windows they are.
        trials: places in the session's data, (n,).
        shift_s: seconds; below 0 is earlier.
    """
    data, own = session.data, decoder.options.window(session.data.stimulus)
    later = replace(own, start_s=own.start_s + shift_s)
    reader = TrialWindows(session.tensor, data.stimulus, later)
    windows, whole = data.windows[trials], reader.whole[data.trial[trials]]
    windows[whole] = reader.read(data.trial[trials[whole]])
    return windows

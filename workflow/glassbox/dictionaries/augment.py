"""More activations than a session has trials: copies with fewer cells, and of shifted windows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.randomness import numpy_generator
from glassbox.dictionaries.activations import DecodedSession
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.tensors.splits import TRAIN


@torch.no_grad()
def training_copies(
    decoder: FittedDecoder, sessions: Sequence[DecodedSession], options: DictionaryOptions
) -> Iterator[torch.Tensor]:
    """Activations of the training trials of the body's sessions, several times over.

    The first copy has all cells. In every other one each session keeps a random share of its
    cells, from `copies_keep` to all: a session has few trials, and the dictionary is to serve
    latents that it has not seen.

    Yields:
        (trials · latents, dim) f4 of each session and copy.
    """
    for session in sessions:
        if session.held_out:
            continue
        data = session.data
        windows = data.windows[data.parts[decoder.fold] == TRAIN]
        for copy in range(options.copies):
            keep = None
            if copy > 0:
                rng = numpy_generator(
                    "copies", options.seed, decoder.seed, decoder.fold, data.session, copy
                )
                share = rng.uniform(options.copies_keep, 1)
                n_kept = max(1, round(share * data.n_cells))
                keep = np.sort(rng.permutation(data.n_cells)[:n_kept])
            seen = decoder.at(options.hook, data.session, windows, keep).value
            yield seen.flatten(0, 1)

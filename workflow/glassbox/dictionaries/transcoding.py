"""Transcoders of a decoder's linear layers: from what enters a block's to what they add.

At a hook point such as `block0.mlp` the value is what the layers add, and what it is added to is
what enters them: a transcoder reads the second and writes the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from glassbox.decoders.fitted import FittedDecoder
from glassbox.dictionaries.activations import DecodedSession, HookTrials
from glassbox.dictionaries.augment import copies_of
from glassbox.dictionaries.dictionary import Loss
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.dictionaries.stream import Stream
from glassbox.dictionaries.train import train_dictionary
from glassbox.dictionaries.training import Trained
from glassbox.dictionaries.transcoder import Transcoder
from glassbox.errors import UserError
from glassbox.tensors.splits import SELECTION


class PairedTranscoder(Transcoder):
    """A transcoder in training: a sample is what enters the layers beside what they make.

    Samples are (n, 2 dim); `fold` gives the transcoder of the first half to the second.
    """

    def __init__(self, dim: int, width: int, k: int, k_aux: int = 32, aux_weight: float = 1 / 32):
        super().__init__(dim // 2, width, k, k_aux, aux_weight)

    def initialise(self, x: torch.Tensor, generator: torch.Generator) -> None:
        super().initialise(self._entering(x), generator, self.target(x))

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return super().encode(self._entering(x))

    def target(self, x: torch.Tensor) -> torch.Tensor:
        return x[..., self.dim_in :]

    def loss(self, x: torch.Tensor, dead: torch.Tensor | None = None) -> Loss:
        return super().loss(self._entering(x), dead, self.target(x))

    @torch.no_grad()
    def fold(self, centre: torch.Tensor, scale: float) -> Transcoder:
        made = Transcoder(self.dim, self.width, self.k, dim_in=self.dim_in)
        made.load_state_dict(self.state_dict())
        return made.fold(centre[: self.dim_in], scale, centre[self.dim_in :], scale)

    def _entering(self, x: torch.Tensor) -> torch.Tensor:
        return x[..., : self.dim_in].contiguous()


def new_paired(dim: int, options: DictionaryOptions) -> PairedTranscoder:
    """A transcoder for training, of samples of `dim` numbers; all weights 0."""
    return PairedTranscoder(dim, options.width, options.k, options.k_aux, options.aux_weight)


def train_transcoder(
    decoder: FittedDecoder,
    sessions: Sequence[DecodedSession],
    trials: HookTrials,
    options: DictionaryOptions,
    seed: int,
    progress: Callable[[int, str], None] | None = None,
) -> Trained:
    """Learn a transcoder of the linear layers at the hook, as `train_dictionary` learns TopK.

    Args:
        decoder: whose layers they are.
        sessions: of the decoder; its body's training trials are learned from, in all copies.
        trials: all trials at the hook, as `hook_trials` gives them.
        options: with a `hook` that ends in `.mlp`; width, k, lengths and rates.
        seed, progress: as there.

    Raises:
        UserError: at the hook nothing enters linear layers.
    """
    if not options.hook.endswith(".mlp"):
        raise UserError(
            f"dictionaries.hook: expected the linear layers of a block for a transcoder, such as "
            f"block0.mlp; found {options.hook}."
        )
    train = torch.cat(list(_training_pairs(decoder, sessions, options)))
    selection = pairs_of(trials.in_part(SELECTION))
    # Each side by its own size: what the layers add may be small beside what enters them.
    half = train.shape[1] // 2
    scales = train.double().unflatten(1, (2, half)).var((0, 2), correction=0).sqrt().float()
    scales = torch.where(scales > 0, scales, 1.0)
    each = scales.repeat_interleave(half)
    trained = train_dictionary(
        Stream(train / each, len(train)), selection / each, options, seed, progress, new_paired
    )
    nothing = torch.zeros(half)
    raw = trained.dictionary.fold(nothing, float(scales[0]), nothing, float(scales[1]))
    return Trained(
        raw.requires_grad_(False), trained.explained_variance, trained.epochs, trained.curve
    )


def pairs_of(trials: HookTrials) -> torch.Tensor:
    """What enters the layers beside what they add, (trials · latents, 2 dim)."""
    return torch.cat([trials.beside, trials.latents], -1).flatten(0, 1)


@torch.no_grad()
def _training_pairs(
    decoder: FittedDecoder, sessions: Sequence[DecodedSession], options: DictionaryOptions
) -> Iterator[torch.Tensor]:
    for session, windows, kept in copies_of(decoder, sessions, options):
        seen = decoder.at(options.hook, session.data.session, windows, kept)
        yield torch.cat([seen.beside, seen.value], -1).flatten(0, 1)

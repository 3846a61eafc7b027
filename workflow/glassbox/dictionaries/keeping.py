"""Where dictionaries are trained, and where what they need is kept outside the declared outputs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from glassbox.code import code_of_script
from glassbox.decoders.checkpoint import Checkpoint, key_of
from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.room import WindowsRoom
from glassbox.dictionaries.cached import Activations
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.errors import UserError

HOUSE = Path(__file__).resolve().parents[2]
# Options that change no weight of what is learned from the stream.
NOT_IN_THE_KEY = ("checkpoint_every_s", "noise_draws", "resamples", "fine_tune", "compare")


def device_of(options: DictionaryOptions) -> torch.device:
    """Where the options want dictionaries trained."""
    if options.device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "dictionaries.device: found cuda, but PyTorch sees no CUDA device here; choose cpu."
        )
    return torch.device(options.device)


def room_of(decoder: FittedDecoder, cache: str | Path | None) -> WindowsRoom:
    """Memory for the windows of trials, as much as the decoder had, then a file in the cache."""
    return WindowsRoom(decoder.options.memory_mb << 20, cache)


def checkpoint_of(
    cache: str | Path | None,
    seen: Activations,
    options: DictionaryOptions,
    name: str,
    *more: object,
) -> Checkpoint | None:
    """Where the state of a training lies; None where nothing is kept.

    Args:
        cache: folder, or None.
        seen: what is learned from.
        options: of the training.
        name: of the training among those of its decoder.
        more: what else it depends on.
    """
    if cache is None:
        return None
    plain = {k: v for k, v in asdict(options).items() if k not in NOT_IN_THE_KEY}
    code = code_of_script(Path(__file__).with_name("train.py"), HOUSE)
    whole = f"{name}-{seen.hook}-seed{seen.decoder.seed}-fold{seen.decoder.fold}"
    made = Checkpoint(
        cache, whole, key_of(code, plain, seen.key, *more), options.checkpoint_every_s
    )
    made.forget_others()
    return made

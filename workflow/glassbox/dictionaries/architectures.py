"""The architectures by name, and dictionaries from their files."""

from __future__ import annotations

from pathlib import Path

from glassbox.dictionaries.batch_topk import BatchTopKDictionary
from glassbox.dictionaries.dictionary import Dictionary, read_weights
from glassbox.dictionaries.jumprelu import JumpReluDictionary
from glassbox.dictionaries.matching_pursuit import MatchingPursuitDictionary
from glassbox.dictionaries.matryoshka import MatryoshkaDictionary
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.dictionaries.relu import ReluDictionary
from glassbox.dictionaries.topk import TopKDictionary
from glassbox.dictionaries.transcoder import Transcoder
from glassbox.errors import UserError

AUTOENCODERS: dict[str, type[Dictionary]] = {
    cls.architecture: cls
    for cls in (
        TopKDictionary,
        ReluDictionary,
        BatchTopKDictionary,
        JumpReluDictionary,
        MatryoshkaDictionary,
        MatchingPursuitDictionary,
    )
}
ARCHITECTURES = AUTOENCODERS | {Transcoder.architecture: Transcoder}


def new_dictionary(dim: int, options: DictionaryOptions) -> Dictionary:
    """An autoencoder as the options want it, for activations of `dim` numbers; all weights 0."""
    cls = AUTOENCODERS[options.architecture]
    return cls(dim, options.width, options.k, options.k_aux, options.aux_weight)


def load_dictionary(path: str | Path) -> Dictionary:
    """The dictionary in a file that `save` wrote, whatever its architecture."""
    name = read_weights(path)[0]["architecture"]
    if name not in ARCHITECTURES:
        raise UserError(
            f"{path}: expected a dictionary of one of {', '.join(ARCHITECTURES)}; found {name!r}."
        )
    return ARCHITECTURES[name].load(path)

"""A dictionary whose decoder is random and stays so: the encoder alone learns.

What it explains needs no learned directions. Source: Korznikov et al. 2026, "Sanity checks for
sparse autoencoders: do SAEs beat random baselines?", arXiv 2602.14111 (Frozen Decoder).
"""

from __future__ import annotations

from glassbox.dictionaries.options import DictionaryOptions
from glassbox.dictionaries.topk import TopKDictionary


class RandomDecoder(TopKDictionary):
    """TopK over random rows of norm 1 that no step of the training moves."""

    architecture = "random_decoder"

    def __init__(self, *sizes, **more):
        super().__init__(*sizes, **more)
        self.W_dec.requires_grad_(False)


def new_random_decoder(dim: int, options: DictionaryOptions) -> RandomDecoder:
    """As the options want it, for activations of `dim` numbers; all weights 0."""
    return RandomDecoder(dim, options.width, options.k, options.k_aux, options.aux_weight)

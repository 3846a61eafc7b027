"""The decoder that the options name."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np

from glassbox.decoders.identity_keyed import IdentityKeyedDecoder
from glassbox.decoders.options import DecoderOptions
from glassbox.decoders.poyo_plus_decoder import PoyoPlusDecoder
from glassbox.decoders.targets import Targets

# How the names of the parameters begin that belong to units or sessions, not to the body.
OWN = ("units.", "session.")
Decoder = IdentityKeyedDecoder | PoyoPlusDecoder
KINDS = {"identity_keyed": IdentityKeyedDecoder, "poyo_plus": PoyoPlusDecoder}


def new_decoder(
    options: DecoderOptions,
    cells: Mapping[str, np.ndarray],
    targets: Targets,
    sharing: Collection[str] = (),
) -> Decoder:
    """A decoder of the kind that the options name, its weights not drawn yet.

    Args:
        options: kind and sizes.
        cells: identity of each cell over sessions, (cells,) i8, by session.
        targets: what is decoded.
        sharing: sessions in which cells of one identity are one unit.
    """
    return KINDS[options.decoder](options, cells, targets, sharing)

"""Looking at, and changing, what passes the named places of a decoder."""

from __future__ import annotations

from collections.abc import Callable, Collection

import torch

# Called with the name of a place and what passes there; what it returns goes on.
Tap = Callable[[str, torch.Tensor], torch.Tensor]


def untouched(place: str, x: torch.Tensor) -> torch.Tensor:
    """The tap that changes nothing."""
    return x


class Recorder:
    """A tap that keeps what passes the named places and lets it go on as it is.

    Attributes:
        seen: by place, what passed there last.
    """

    def __init__(self, places: Collection[str]):
        self.places = frozenset(places)
        self.seen: dict[str, torch.Tensor] = {}

    def __call__(self, place: str, x: torch.Tensor) -> torch.Tensor:
        if place in self.places:
            self.seen[place] = x
        return x

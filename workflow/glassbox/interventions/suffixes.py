"""The part after the hook of whichever decoder there is."""

from __future__ import annotations

from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.poyo_plus_decoder import PoyoPlusDecoder
from glassbox.interventions.hook_suffix import HookSuffix
from glassbox.interventions.poyo_plus_suffix import PoyoPlusSuffix
from glassbox.interventions.suffix import Suffix

AnySuffix = Suffix | PoyoPlusSuffix | HookSuffix


def suffix_of(decoder: FittedDecoder, hook: str = "latents") -> AnySuffix:
    """The decoder after the hook, for the tasks of its stimulus."""
    tasks = tuple(decoder.tasks)
    if hook != "latents":
        return HookSuffix(decoder.model, tasks, hook)
    kind = PoyoPlusSuffix if isinstance(decoder.model, PoyoPlusDecoder) else Suffix
    return kind(decoder.model, tasks)

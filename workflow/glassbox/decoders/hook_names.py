"""The names of a decoder's hook points, known before there is a decoder."""

from __future__ import annotations

from typing import Protocol

from glassbox.errors import UserError


class _Blocks(Protocol):
    depth: int


class Kind(Protocol):
    """What of `DecoderOptions` the names follow from.

    The options themselves would bring all that windows of trials need to whoever reads a name here.
    """

    decoder: str
    depth: int
    poyo_plus: _Blocks


def hooks_of(decoder: str, depth: int) -> tuple[str, ...]:
    """The hook points of a kind of decoder with so many blocks, in the order of the pass."""
    places = ["encoder.attention", "encoder"]
    for i in range(depth):
        places += [f"block{i}.attention", f"block{i}.mlp", f"block{i}"]
    # What the queries of the identity-keyed decoder hear is all that the answers read.
    before = ["queries.attention"] if decoder == "poyo_plus" else []
    return (*places, "latents", *before, "queries")


def depth_of(options: Kind) -> int:
    """Blocks of the decoder of these options."""
    return options.poyo_plus.depth if options.decoder == "poyo_plus" else options.depth


def check_hook(hook: str, options: Kind, where: str = "dictionaries.hook") -> None:
    """Raise a `UserError` where the decoder of these options has no such hook point."""
    kind, depth = options.decoder, depth_of(options)
    hooks = hooks_of(kind, depth)
    if hook not in hooks:
        raise UserError(
            f"{where}: expected a hook point of the decoder {kind} with {depth} "
            f"block{'s' if depth != 1 else ''}, one of {', '.join(hooks)}; found {hook!r}."
        )


def holds_session(hook: str, decoder: str) -> bool:
    """What passes there is made with the session's embedding: genotype is confounded with it."""
    return decoder == "poyo_plus" and hook.startswith("queries")

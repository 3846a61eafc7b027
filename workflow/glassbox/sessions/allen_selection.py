"""Which sessions of the stored Allen catalogue a configuration chooses: a pure function of both."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from glassbox.errors import UserError
from glassbox.sessions.allen_catalogue import AllenSession
from glassbox.sessions.allen_options import AllenOptions

SECTION = "sessions.allen"
MOST_NAMED = 24  # values that a sentence lists; all of Visual Coding has 14 Cre lines


def choose_sessions(
    sessions: Sequence[AllenSession], options: AllenOptions, listed: Iterable[str] = ()
) -> list[AllenSession]:
    """The sessions that pass every filter, at most so many of each group, in order of their ids.

    Args:
        sessions: the catalogue, or those of it whose files are at hand.
        listed: ids of `options.ids_file`.

    Returns:
        Within a group the sessions are taken in an order that depends on the seed and each
        session's own id alone: a larger `per_group` adds sessions and takes none away.

    Raises:
        UserError: a filter names what no session has, or no session passes all filters.
    """
    left = list(sessions)
    counts = [f"{len(left):,} in the catalogue"]
    ids = {*map(str, options.ids), *listed}
    _refuse_unknown_ids(ids, sessions)
    for name, keeps in _filters(options, ids, sessions):
        left = [session for session in left if keeps(session)]
        counts.append(f"{len(left):,} after {name}")
    if not left:
        raise UserError(
            f"{SECTION}: no session passes all filters: {', '.join(counts)}. Loosen one of them."
        )
    if options.per_group:
        left = _few_of_each(left, options)
    return sorted(left, key=lambda session: (len(session.session), session.session))


def read_ids(path: str | Path) -> list[str]:
    """The ids of a text file, one a line; what follows a # is a remark.

    Raises:
        UserError: it is missing or empty, or a line is no id.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        raise UserError(
            f"{SECTION}.ids_file: {path} cannot be read; expected a text file with the id of a "
            "session in each line."
        ) from None
    ids = []
    for number, line in enumerate(lines, start=1):
        text = line.split("#")[0].strip()
        if text and not (text.isascii() and text.isdigit()):
            raise UserError(
                f"{path}: line {number}: expected the id of a session, digits alone; "
                f"found {text[:40]!r}."
            )
        ids += [text] * bool(text)
    if not ids:
        raise UserError(f"{path}: the file names no session; write an id in each line.")
    return ids


def _filters(
    options: AllenOptions, ids: set[str], sessions: Sequence[AllenSession]
) -> list[tuple[str, Callable[[AllenSession], bool]]]:
    """(name, whether a session passes) of each filter that is set, every value known."""
    filters: list[tuple[str, Callable[[AllenSession], bool]]] = []
    if not options.failed:
        filters.append(("failed", lambda session: session.failed != "true"))
    for name, column, wanted in (
        ("cre_lines", "cre_line", options.cre_lines),
        ("areas", "area", options.areas),
        ("depths_um", "depth_um", tuple(f"{depth:g}" for depth in options.depths_um)),
        ("session_types", "session_type", options.session_types),
    ):
        if wanted:
            _refuse_unknown(name, column, wanted, sessions)
            filters.append((name, lambda s, c=column, w=frozenset(wanted): getattr(s, c) in w))
    if ids:
        filters.append(("ids", lambda session: session.session in ids))
    return filters


def _few_of_each(sessions: Sequence[AllenSession], options: AllenOptions) -> list[AllenSession]:
    groups: dict[tuple[str, ...], list[AllenSession]] = {}
    for session in sorted(sessions, key=lambda s: _turn(s, options.seed)):
        key = tuple(getattr(session, name) for name in options.group)
        groups.setdefault(key, []).append(session)
    return [session for group in groups.values() for session in group[: options.per_group]]


def _turn(session: AllenSession, seed: int) -> str:
    """When a session's turn comes: neither its neighbours nor their number matter."""
    return hashlib.sha256(f"{seed}/{session.session}".encode()).hexdigest()


def _refuse_unknown(
    name: str, column: str, wanted: Iterable[str], sessions: Iterable[AllenSession]
) -> None:
    known = {getattr(session, column) for session in sessions} - {""}
    unknown = sorted(set(wanted) - known)
    if unknown:
        numbers = all(value.replace(".", "", 1).isdigit() for value in known)
        in_order = sorted(known, key=float if numbers else str)
        raise UserError(
            f"{SECTION}.{name}: no session of the catalogue has {unknown[0]!r}; known are "
            f"{', '.join(in_order[:MOST_NAMED])}{', ...' * (len(in_order) > MOST_NAMED)}."
        )


def _refuse_unknown_ids(ids: set[str], sessions: Iterable[AllenSession]) -> None:
    known = {session.session for session in sessions}
    unknown = sorted(ids - known, key=lambda text: (len(text), text))
    if unknown:
        some = ", ".join(sorted(known)[:3])
        raise UserError(
            f"{SECTION}.ids: {len(unknown):,} of {len(ids):,} ids "
            f"{'is' if len(unknown) == 1 else 'are'} not in the catalogue, the first {unknown[0]}; "
            f"the catalogue has {len(known):,} sessions ({some}, ...). Correct the list."
        )

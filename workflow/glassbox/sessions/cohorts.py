"""Which sessions make a cohort: one pure function of the catalogue and the options.

    mouse-<id>          the sessions of one mouse
    genotype-<line>     the sessions of one Cre line
    all                 all sessions
    all-without-<k>     all sessions of the training mice of mouse fold k; the sessions of the
                        held-out mice are fitted afterwards with the body frozen

A cohort of a higher level that has the sessions of one of a lower level is not made again.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from glassbox.errors import UserError
from glassbox.names import file_name
from glassbox.sessions.cohort_options import CohortOptions

# Fewer lines, or fewer mice of a line, leave nothing to tell lines apart in held-out mice.
MICE_TO_FOLD = 2
LINES_TO_FOLD = 2
LEVEL_HELD_OUT = "heldout"


class SessionRow(Protocol):
    """What a row of the catalogue must tell here."""

    session: str
    file: str
    mouse: str
    cre_line: str
    stimuli: tuple[str, ...]
    problem: str


@dataclass(frozen=True)
class Cohort:
    """Sessions that share a decoder.

    Attributes:
        name: the wildcard `{cohort}`.
        level: mouse, genotype, all or heldout.
        body: sessions that train it, as file names, sorted.
        held_out: sessions fitted afterwards with the body frozen, as file names, sorted.
    """

    name: str
    level: str
    body: tuple[str, ...]
    held_out: tuple[str, ...] = ()

    @property
    def sessions(self) -> tuple[str, ...]:
        """All sessions, sorted."""
        return tuple(sorted((*self.body, *self.held_out)))


@dataclass(frozen=True)
class Excluded:
    """A session that is in no cohort.

    Attributes:
        fault: the session is damaged, and nobody has said yet to leave it out: the run must not
            end as if all were well.
    """

    session: str
    file: str
    stage: str
    reason: str
    fault: bool = False


@dataclass(frozen=True)
class Cohorts:
    """All cohorts of a catalogue by name, and the sessions that are in none."""

    cohorts: dict[str, Cohort]
    excluded: list[Excluded]
    convertible: tuple[str, ...] = ()  # sessions that become tensors, as file names, sorted


# One session of unknown name stands for those that no catalogue tells yet.
_UNKNOWN = ("uncatalogued",)
UNCATALOGUED = Cohorts({"all": Cohort("all", "all", _UNKNOWN)}, [], _UNKNOWN)


def cohorts_of(
    rows: Iterable[SessionRow], options: CohortOptions, tasks: Mapping[str, str]
) -> Cohorts:
    """The cohorts of a catalogue.

    Args:
        rows: the catalogue.
        options: the section `cohorts`.
        tasks: the stimulus that each task needs, by task; a session takes part where it has at
            least one of them.

    Returns:
        The cohorts in the order mouse, genotype, all, held out, each level sorted by name. A
        session without a task is in no cohort, but it becomes a tensor all the same.

    Raises:
        UserError: `exclude` names a session that the catalogue lacks, or a mouse has two Cre
            lines.
    """
    rows = list(rows)
    wanted_out = {exclusion.session: exclusion.reason for exclusion in options.exclude}
    _refuse_unknown(wanted_out, rows)
    used, excluded, convertible = [], [], []
    for row in rows:
        reason = _named(wanted_out, row)
        if reason is not None:
            excluded.append(Excluded(row.session, row.file, "sessions", reason))
        elif row.problem:
            excluded.append(Excluded(row.session, row.file, "sessions", row.problem, fault=True))
        else:
            convertible.append(file_name(row.session))
            if set(row.stimuli) & set(tasks.values()):
                used.append(row)
            else:
                excluded.append(Excluded(row.session, row.file, "decoders", _no_task(row, tasks)))
    _refuse_two_lines(used)
    made = [*_by_level(used, options), *_held_out(used, options)]
    return Cohorts(
        cohorts={cohort.name: cohort for cohort in made},
        excluded=sorted(excluded, key=lambda e: (e.session, e.file)),
        convertible=tuple(sorted(convertible)),
    )


def mouse_folds(mice: Mapping[str, str], folds: int, seed: int) -> list[tuple[str, ...]]:
    """Deal mice into folds, each mouse into one, each Cre line as evenly as it goes.

    Args:
        mice: Cre line of each mouse, by mouse.
        folds: at least 2.
        seed: of the order in which the mice of a line are dealt; it does not depend on the order
            of `mice`.

    Returns:
        the mice of each fold, sorted.
    """
    dealt: list[list[str]] = [[] for _ in range(folds)]
    count = 0
    for line in sorted(set(mice.values())):
        of_line = sorted(mouse for mouse, its_line in mice.items() if its_line == line)
        random.Random(f"{seed}/{line}").shuffle(of_line)
        for mouse in of_line:  # each line goes on where the one before it stopped
            dealt[count % folds].append(mouse)
            count += 1
    return [tuple(sorted(fold)) for fold in dealt]


def _by_level(rows: Sequence[SessionRow], options: CohortOptions) -> list[Cohort]:
    """The cohorts of mice, Cre lines and all, no set of sessions twice."""
    groups: dict[str, dict[str, list[str]]] = {"mouse": {}, "genotype": {}, "all": {}}
    for row in rows:
        session = file_name(row.session)
        groups["mouse"].setdefault(f"mouse-{file_name(row.mouse)}", []).append(session)
        groups["genotype"].setdefault(f"genotype-{file_name(row.cre_line)}", []).append(session)
        groups["all"].setdefault("all", []).append(session)
    made: list[Cohort] = []
    seen: set[tuple[str, ...]] = set()
    for level, by_name in groups.items():
        if level not in options.levels:
            continue
        for name, sessions in sorted(by_name.items()):
            body = tuple(sorted(sessions))
            if body not in seen:
                made.append(Cohort(name, level, body))
        seen.update(tuple(sorted(sessions)) for sessions in by_name.values())
    return made


def _held_out(rows: Sequence[SessionRow], options: CohortOptions) -> list[Cohort]:
    """The cohorts `all-without-k`; none where lines or mice are too few."""
    mice = {row.mouse: row.cre_line for row in rows}
    by_line: dict[str, int] = {}
    for line in mice.values():
        by_line[line] = by_line.get(line, 0) + 1
    enough = sum(count >= MICE_TO_FOLD for count in by_line.values()) >= LINES_TO_FOLD
    if options.mouse_folds == 0 or "all" not in options.levels or not enough:
        return []
    # More folds than mice in the largest line would hold nobody out in some of them.
    folds = min(options.mouse_folds, max(by_line.values()))
    made = []
    for k, out in enumerate(mouse_folds(mice, folds, options.seed)):
        body = tuple(sorted(file_name(row.session) for row in rows if row.mouse not in out))
        held = tuple(sorted(file_name(row.session) for row in rows if row.mouse in out))
        made.append(Cohort(f"all-without-{k}", LEVEL_HELD_OUT, body, held))
    return made


def _named(wanted_out: Mapping[str, str], row: SessionRow) -> str | None:
    """The reason for which the user leaves a session out, by its id or its file."""
    for name in (row.session, file_name(row.session), row.file):
        if name in wanted_out:
            return wanted_out[name]
    return None


def _refuse_unknown(wanted_out: Mapping[str, str], rows: Sequence[SessionRow]) -> None:
    known = {name for row in rows for name in (row.session, file_name(row.session), row.file)}
    unknown = sorted(set(wanted_out) - known)
    if unknown:
        raise UserError(
            f"cohorts.exclude: the session {unknown[0]!r} is not in the catalogue; known are "
            f"{_some(sorted(row.session for row in rows))}."
        )


def _refuse_two_lines(rows: Sequence[SessionRow]) -> None:
    lines: dict[str, SessionRow] = {}
    for row in rows:
        other = lines.setdefault(row.mouse, row)
        if other.cre_line != row.cre_line:
            raise UserError(
                f"{row.file}: the mouse {row.mouse} is of the Cre line {row.cre_line} here and of "
                f"{other.cre_line} in {other.file}; expected one line for a mouse. Correct the "
                "files or state it in a catalogue, or exclude one with cohorts.exclude."
            )


def _no_task(row: SessionRow, tasks: Mapping[str, str]) -> str:
    has = ", ".join(row.stimuli) or "no stimulus"
    needs = ", ".join(sorted(set(tasks.values())))
    return (
        f"{row.file}: the session has no task that this configuration decodes: it shows {has}, "
        f"the tasks {', '.join(tasks)} need {needs}."
    )


def _some(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(names[:most]) or "none"
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"

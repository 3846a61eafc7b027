"""Which mice a simulated cohort has, and the catalogue of their sessions: no file is read.

Mice are `M01` to `M06` in the first line that the options name, `M07` to `M12` in the second, and
so on; the seventh mouse of the first line and those after it are `M37` to `M42`, so that no mouse
is named anew when a cohort grows. The session A of a mouse is `sim-<line>-<number in the line>`,
its session B the same with `-B` behind it. Within every line, areas and depths are crossed: six
mice of a line fill all pairs of two areas and three depths, the same pairs in every line, so that
neither goes with the genotype. They change nothing in the simulated cells.

Fresh mice, which no cohort contains, are named `fresh-<line>-<draw>-<number>`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from glassbox.errors import UserError
from glassbox.sessions.catalogue import Row
from glassbox.sessions.course import MOVIE_ONE, MOVIE_THREE, SESSION_A, SESSION_B
from glassbox.sessions.cre_lines import LINE_EFFECTS, genotype_of, short_name
from glassbox.sessions.layout import (
    DRIFTING_GRATINGS,
    NATURAL_SCENES,
    SPONTANEOUS,
    STATIC_GRATINGS,
)
from glassbox.sessions.options import SimulateOptions
from glassbox.sessions.program import program_frames, stimuli_of
from glassbox.sessions.seeding import generator
from glassbox.sessions.stimulus_schedule import FRAME_RATE_HZ

AREAS = ("VISp", "VISl")
DEPTHS_UM = (175, 275, 375)
PLANES = len(AREAS) * len(DEPTHS_UM)
# What a stimulus depends on, and nothing else does.
OPTIONS_OF = {
    DRIFTING_GRATINGS: ("trials",),
    STATIC_GRATINGS: ("static_presentations",),
    NATURAL_SCENES: ("scene_presentations", "scenes"),
    MOVIE_ONE: ("movie_repeats",),
    MOVIE_THREE: ("movie_repeats",),
    SPONTANEOUS: ("spontaneous_s",),
}
SUFFIX = {SESSION_A: "", SESSION_B: "-B"}

_NAME = re.compile(r"(sim|fresh)-([A-Za-z0-9]+)-(?:([0-9]+)-)?([0-9]+)(-B)?")


@dataclass(frozen=True)
class SimulatedMouse:
    """One mouse in one of its sessions."""

    session: str
    mouse: str
    cre_line: str
    number: int  # within the line, from 1
    session_type: str = SESSION_A

    def in_session(self, session_type: str) -> SimulatedMouse:
        """The same mouse in its session of a type."""
        name = self.session.removesuffix(SUFFIX[self.session_type]) + SUFFIX[session_type]
        return replace(self, session=name, session_type=session_type)

    @property
    def genotype(self) -> str:
        return genotype_of(self.cre_line)

    @property
    def area(self) -> str:
        return AREAS[(self.number - 1) % len(AREAS)]

    @property
    def depth_um(self) -> int:
        return DEPTHS_UM[(self.number - 1) // len(AREAS) % len(DEPTHS_UM)]

    @property
    def sex(self) -> str:
        """Turns once all pairs of area and depth were filled, and within them."""
        return ("female", "male")[((self.number - 1) // PLANES + (self.number - 1) // 2) % 2]

    @property
    def age_days(self) -> int:
        """Imaged between 90 and 110 days, as most mice of the survey."""
        return 90 + 7 * (self.number - 1) % 21

    def cells(self, options: SimulateOptions) -> int:
        """Number of cells: drawn from the seed and the session's name."""
        rng = generator(options.seed, self.session, "cells")
        return int(rng.integers(options.cells_min, options.cells_max + 1))


def simulated_mice(options: SimulateOptions) -> list[SimulatedMouse]:
    """The mice of the cohort, line after line, each in all of its sessions."""
    return [
        _mouse(place, line, number).in_session(session_type)
        for place, line in enumerate(options.lines)
        for number in range(1, options.mice_per_line + 1)
        for session_type in options.session_types
    ]


def fresh_mice(
    cre_line: str, n: int, draw: int = 0, session_type: str = SESSION_A
) -> list[SimulatedMouse]:
    """`n` mice of a line that no cohort contains; another `draw` gives others."""
    return [_fresh_mouse(cre_line, draw, k).in_session(session_type) for k in range(1, n + 1)]


def mouse_of(options: SimulateOptions, session: str) -> SimulatedMouse:
    """The mouse of a session by the session's name, a cohort's or a fresh one.

    Raises:
        UserError: neither names a session of the options.
    """
    match = _NAME.fullmatch(session)
    if match:
        kind, short, draw, number = match[1], match[2], match[3], int(match[4])
        session_type = SESSION_B if match[5] else SESSION_A
        if kind == "fresh" and draw:
            for line in LINE_EFFECTS:
                if short_name(line) == short:
                    return _fresh_mouse(line, int(draw), number).in_session(session_type)
        for place, line in enumerate(options.lines):
            mouse = _mouse(place, line, number).in_session(session_type)
            known = 1 <= number <= options.mice_per_line and session_type in options.session_types
            if mouse.session == session and known:
                return mouse
    cohort = [mouse.session for mouse in simulated_mice(options)]
    raise UserError(
        f"{session}: no session of the simulated cohort, which has {cohort[0]} to {cohort[-1]} "
        "(sessions.simulate.lines, mice_per_line and session_types)."
    )


def options_of(options: SimulateOptions, session: str) -> SimulateOptions:
    """The options of the smallest cohort that has the session, all that its file does not depend on
    at their defaults: a cohort that grows, or another stimulus of another type of session, leaves
    them as they are.
    """
    mouse = mouse_of(options, session)
    shown = stimuli_of(mouse.session_type, options)
    unused = {name for stimulus, names in OPTIONS_OF.items() for name in names}
    unused -= {name for stimulus in shown for name in OPTIONS_OF[stimulus]}
    if mouse.session_type == SESSION_A:
        unused.add("shared_cells")
    defaults = SimulateOptions()
    return replace(
        options,
        lines=options.lines[: options.lines.index(mouse.cre_line) + 1],
        mice_per_line=mouse.number,
        session_types=(mouse.session_type,),
        stimuli=shown,
        **{name: getattr(defaults, name) for name in unused},
    )


def simulated_catalogue(options: SimulateOptions) -> list[Row]:
    """The catalogue's rows of the cohort, computed from the options alone.

    They are those of `catalogue_folder` over the written files, but for the size and the time of
    change, which are 0: the files may not be there yet.
    """
    return [_row(mouse, options) for mouse in simulated_mice(options)]


def _row(mouse: SimulatedMouse, options: SimulateOptions) -> Row:
    return Row(
        session=mouse.session,
        file=f"{mouse.session}.nwb",
        mouse=mouse.mouse,
        cre_line=mouse.cre_line,
        genotype=mouse.genotype,
        session_type=mouse.session_type,
        stimuli=tuple(sorted(stimuli_of(mouse.session_type, options))),
        area=mouse.area,
        depth_um=float(mouse.depth_um),
        sex=mouse.sex,
        age=f"{mouse.age_days} days",
        cells=mouse.cells(options),
        frames=program_frames(mouse.session_type, options),
        frame_rate_hz=FRAME_RATE_HZ,
    )


def _mouse(place: int, cre_line: str, number: int) -> SimulatedMouse:
    """A mouse of the line that the options name at `place`, from 0, in its session A."""
    half_dozens, within = divmod(number - 1, PLANES)
    name = f"M{PLANES * (len(LINE_EFFECTS) * half_dozens + place) + within + 1:02d}"
    return SimulatedMouse(f"sim-{short_name(cre_line)}-{number:02d}", name, cre_line, number)


def _fresh_mouse(cre_line: str, draw: int, number: int) -> SimulatedMouse:
    name = f"{short_name(cre_line)}-{draw}-{number:03d}"
    return SimulatedMouse(f"fresh-{name}", f"F-{name}", cre_line, number)

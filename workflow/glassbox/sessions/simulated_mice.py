"""Which mice a simulated cohort has, and the catalogue of their sessions: no file is read.

Mice are `M01`, `M02`, ... over the lines in the order in which the options name them; the session
of a mouse is `sim-<line>-<number in the line>`. Within every line, areas and depths are crossed:
six mice of a line fill all pairs of two areas and three depths, the same pairs in every line, so
that neither goes with the genotype. They change nothing in the simulated cells.

Fresh mice, which no cohort contains, are named `fresh-<line>-<draw>-<number>`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from glassbox.errors import UserError
from glassbox.sessions.catalogue import Row
from glassbox.sessions.cre_lines import LINE_EFFECTS, genotype_of, short_name
from glassbox.sessions.layout import DRIFTING_GRATINGS
from glassbox.sessions.options import SimulateOptions
from glassbox.sessions.seeding import generator
from glassbox.sessions.stimulus_schedule import FRAME_RATE_HZ, schedule_frames

AREAS = ("VISp", "VISl")
DEPTHS_UM = (175, 275, 375)
SESSION_TYPE = "three_session_A"

_NAME = re.compile(r"(sim|fresh)-([A-Za-z0-9]+)-(?:([0-9]+)-)?([0-9]+)")


@dataclass(frozen=True)
class SimulatedMouse:
    """One mouse and its one session."""

    session: str
    mouse: str
    cre_line: str
    number: int  # within the line, from 1

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
        pairs = len(AREAS) * len(DEPTHS_UM)
        return ("female", "male")[((self.number - 1) // pairs + (self.number - 1) // 2) % 2]

    @property
    def age_days(self) -> int:
        """Imaged between 90 and 110 days, as most mice of the survey."""
        return 90 + 7 * (self.number - 1) % 21

    def cells(self, options: SimulateOptions) -> int:
        """Number of cells: drawn from the seed and the session's name."""
        rng = generator(options.seed, self.session, "cells")
        return int(rng.integers(options.cells_min, options.cells_max + 1))


def simulated_mice(options: SimulateOptions) -> list[SimulatedMouse]:
    """The mice of the cohort, line after line."""
    mice = []
    for i, line in enumerate(options.lines):
        for k in range(1, options.mice_per_line + 1):
            session = f"sim-{short_name(line)}-{k:02d}"
            mice.append(SimulatedMouse(session, f"M{i * options.mice_per_line + k:02d}", line, k))
    return mice


def fresh_mice(cre_line: str, n: int, draw: int = 0) -> list[SimulatedMouse]:
    """`n` mice of a line that no cohort contains; another `draw` gives others."""
    return [_fresh_mouse(cre_line, draw, k) for k in range(1, n + 1)]


def mouse_of(options: SimulateOptions, session: str) -> SimulatedMouse:
    """The mouse of a session by the session's name, a cohort's or a fresh one.

    Raises:
        UserError: neither names a session of the options.
    """
    for mouse in simulated_mice(options):
        if mouse.session == session:
            return mouse
    match = _NAME.fullmatch(session)
    if match and match[1] == "fresh" and match[3]:
        for line in LINE_EFFECTS:
            if short_name(line) == match[2]:
                return _fresh_mouse(line, int(match[3]), int(match[4]))
    known = [mouse.session for mouse in simulated_mice(options)]
    raise UserError(
        f"{session}: no session of the simulated cohort, which has {known[0]} to {known[-1]} "
        "(sessions.simulate.lines and mice_per_line)."
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
        session_type=SESSION_TYPE,
        stimuli=(DRIFTING_GRATINGS,),
        area=mouse.area,
        depth_um=float(mouse.depth_um),
        sex=mouse.sex,
        age=f"{mouse.age_days} days",
        cells=mouse.cells(options),
        frames=schedule_frames(options.trials),
        frame_rate_hz=FRAME_RATE_HZ,
    )


def _fresh_mouse(cre_line: str, draw: int, number: int) -> SimulatedMouse:
    name = f"{short_name(cre_line)}-{draw}-{number:03d}"
    return SimulatedMouse(f"fresh-{name}", f"F-{name}", cre_line, number)

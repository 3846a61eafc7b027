"""Options of the sessions: how a simulated cohort is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from glassbox.errors import UserError
from glassbox.sessions.course import COURSE, SESSION_A
from glassbox.sessions.cre_lines import LINE_EFFECTS

FEWEST_TRIALS = 42  # each of the 40 conditions once and two blanks
FULL_SCHEDULE = 628  # sweeps of drifting gratings in session A of Visual Coding
FEWEST_STATIC = 124  # each of the 120 conditions once and four blanks

SessionType = Literal["three_session_A", "three_session_B"]
Stimulus = Literal[
    "drifting_gratings",
    "static_gratings",
    "natural_scenes",
    "natural_movie_one",
    "natural_movie_three",
    "spontaneous",
]
SHOWN: tuple[Stimulus, ...] = ("drifting_gratings", "static_gratings", "natural_scenes")


@dataclass(frozen=True)
class SimulateOptions:
    """A cohort of simulated mice, one session of each type from each of them.

    The cells and the recording of a mouse are drawn from `seed` and its session's name alone: they
    do not depend on how many mice or lines the cohort has.
    """

    lines: tuple[str, ...] = ("Cux2-CreERT2", "Rorb-IRES2-Cre")
    mice_per_line: int = 6
    session_types: tuple[SessionType, ...] = (SESSION_A,)
    stimuli: tuple[Stimulus, ...] = SHOWN  # those shown, each where the type of a session has it: A
    # drifting gratings, natural movies one and three, spontaneous activity; B static gratings,
    # natural scenes, natural movie one, spontaneous activity
    shared_cells: float = 0.5  # of a mouse's cells, found in both of its sessions
    cells_min: int = 40
    cells_max: int = 60
    trials: int = FULL_SCHEDULE  # sweeps of drifting gratings, blanks included
    static_presentations: int = 6_000  # of static gratings, 0.25 s each, blanks included
    scene_presentations: int = 5_950  # of natural scenes, 0.25 s each, blanks included
    scenes: int = 118  # different natural scenes
    movie_repeats: int = 10  # of each natural movie
    spontaneous_s: float = 300.0  # of grey without a stimulus
    genotype_effect: float = 1.0  # times the line differences of cre_lines.LINE_EFFECTS; 0 = none
    separate_cells: bool = False  # direction and temporal frequency carried by disjoint cells
    running_cells: float = 0.0  # share of cells that fire with running itself
    noise: float = 1.0  # times the frame noise and the shared fluctuations
    pupil: bool = True  # write pupil position and size
    seed: int = 1

    def check(self, section: str) -> None:
        """Refuse what cannot be simulated, in a sentence."""
        for line in self.lines:
            if line not in LINE_EFFECTS:
                raise UserError(
                    f"{section}.lines: expected Cre lines out of {', '.join(sorted(LINE_EFFECTS))};"
                    f" found {line!r}."
                )
        if not self.lines or len(set(self.lines)) != len(self.lines):
            raise UserError(
                f"{section}.lines: expected at least one Cre line, each once; "
                f"found {list(self.lines)!r}."
            )
        if self.mice_per_line < 1:
            raise UserError(
                f"{section}.mice_per_line: expected at least 1; found {self.mice_per_line}."
            )
        if not 1 <= self.cells_min <= self.cells_max:
            raise UserError(
                f"{section}.cells_min and cells_max: expected 1 ≤ cells_min ≤ cells_max; "
                f"found {self.cells_min} and {self.cells_max}."
            )
        for name in ("session_types", "stimuli"):
            values = getattr(self, name)
            if not values or len(set(values)) != len(values):
                raise UserError(
                    f"{section}.{name}: expected a list of at least one and each once; "
                    f"found {list(values)}."
                )
        for session_type in self.session_types:
            if not set(COURSE[session_type]) & set(self.stimuli):
                raise UserError(
                    f"{section}.stimuli: expected one that {session_type} shows, out of "
                    f"{', '.join(dict.fromkeys(COURSE[session_type]))}; found {list(self.stimuli)}."
                )
        for name, fewest, why in (
            ("trials", FEWEST_TRIALS, "each of the 40 conditions once and two blanks"),
            ("static_presentations", FEWEST_STATIC, "each of 120 conditions once and four blanks"),
            ("scenes", 2, "or there is nothing to tell apart"),
            ("scene_presentations", self.scenes + 1, "each of the scenes once and a blank"),
            ("movie_repeats", 1, "or leave the movies out of the stimuli"),
        ):
            if getattr(self, name) < fewest:
                raise UserError(
                    f"{section}.{name}: expected at least {fewest}, {why}; "
                    f"found {getattr(self, name)}."
                )
        if not self.spontaneous_s >= 1:
            raise UserError(
                f"{section}.spontaneous_s: expected at least 1 second; "
                f"found {self.spontaneous_s:g}."
            )
        for name in ("shared_cells", "running_cells"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(
                    f"{section}.{name}: expected a share from 0 to 1; found {getattr(self, name)}."
                )
        for name in ("genotype_effect", "noise"):
            if not 0 <= getattr(self, name) <= 10:
                raise UserError(
                    f"{section}.{name}: expected a number from 0 to 10; "
                    f"found {getattr(self, name)}."
                )
        if self.seed < 0:
            raise UserError(
                f"{section}.seed: expected a whole number, 0 or more; found {self.seed}."
            )

"""Options of the sessions: how a simulated cohort is made."""

from __future__ import annotations

from dataclasses import dataclass

from glassbox.errors import UserError
from glassbox.sessions.cre_lines import LINE_EFFECTS

FEWEST_TRIALS = 42  # each of the 40 conditions once and two blanks
FULL_SCHEDULE = 628  # sweeps of drifting gratings in session A of Visual Coding


@dataclass(frozen=True)
class SimulateOptions:
    """A cohort of simulated mice, one session each.

    The cells and the recording of a mouse are drawn from `seed` and its session's name alone: they
    do not depend on how many mice or lines the cohort has.
    """

    lines: tuple[str, ...] = ("Cux2-CreERT2", "Rorb-IRES2-Cre")
    mice_per_line: int = 6
    cells_min: int = 40
    cells_max: int = 60
    trials: int = FULL_SCHEDULE  # sweeps, blanks included
    genotype_effect: float = 1.0  # times the line differences of cre_lines.LINE_EFFECTS; 0 = none
    separate_cells: bool = False  # direction and temporal frequency carried by disjoint cells
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
        if self.trials < FEWEST_TRIALS:
            raise UserError(
                f"{section}.trials: expected at least {FEWEST_TRIALS}, each of the 40 conditions "
                f"once and two blanks; found {self.trials}."
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

"""How units are measured, claimed and scored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from glassbox.errors import UserError

Claim = Literal["lower_bound", "estimate"]
Series = Literal["running_speed", "pupil_x", "pupil_y", "pupil_size"]


@dataclass(frozen=True)
class UnitOptions:
    """How units are measured and when one counts as selective."""

    q: float = 0.05  # false discovery rate of the permutation test over the units of a variable
    min_effect: float = 0.05  # least share of a unit's variance that the variable must explain
    claim: Claim = "lower_bound"  # what must exceed min_effect
    confidence: float = 0.95  # one-sided, of the lower bound
    permutations: int = 10_000  # of trials, within session and stimulus block
    labelings: int = 20_000  # of mice; all of them where there are no more than this
    relabelings: int = 200  # of mice, for the count of false genotype claims
    resamples: int = 500  # bootstrap resamples of an effect size
    behaviour: tuple[Series, ...] = ("running_speed", "pupil_size")  # tested where recorded
    seed: int = 0
    truth_trials: int = 1_256  # fresh simulated trials of each session
    truth_mice: int = 6  # fresh simulated mice of each line
    truth_mouse_trials: int = 628  # simulated trials of each fresh mouse

    def check(self, section: str) -> None:
        """Refuse values that would make a claim meaningless."""
        for name in ("q", "min_effect", "confidence"):
            value = getattr(self, name)
            if not 0 < value < 1:
                raise UserError(f"{section}.{name}: expected a number in (0, 1); found {value}.")
        least = {
            "permutations": 99,
            "labelings": 99,
            "relabelings": 1,
            "resamples": 99,
            "truth_trials": 40,
            "truth_mice": 2,
            "truth_mouse_trials": 40,
        }
        for name, smallest in least.items():
            value = getattr(self, name)
            if value < smallest:
                raise UserError(
                    f"{section}.{name}: expected a whole number, at least {smallest}; "
                    f"found {value}."
                )

"""What the figures show where the tables hold more than one thing to show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from glassbox.errors import UserError


@dataclass(frozen=True)
class FiguresOptions:
    """Choices of the figures; the tables hold everything that is not drawn."""

    cohort: str = ""  # the cohort drawn; empty: `all`, or the largest one where `all` is absent
    hook: str = "latents"
    dictionary: str = "topk"
    split: Literal["crossfit", "poyo"] = "crossfit"
    intervention: Literal["spliced", "error_preserving"] = "error_preserving"
    ablation: Literal["zero", "mean", "resample"] = "zero"
    dose: int = 0  # units ablated in the matrix and the confusion; 0: chosen by the stated rule
    examples: int = 8  # polar examples of the units figure
    resamples: int = 10000  # bootstrap resamples over mice
    seed: int = 1  # of the bootstrap
    dpi: int = 300  # of the PNG

    def check(self, section: str) -> None:
        for name, least in (("examples", 1), ("resamples", 100), ("dpi", 50), ("dose", 0)):
            if getattr(self, name) < least:
                raise UserError(
                    f"{section}.{name}: expected at least {least}; found {getattr(self, name)}."
                )

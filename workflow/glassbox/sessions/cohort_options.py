"""Options of the cohorts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from glassbox.errors import UserError

Level = Literal["mouse", "genotype", "all"]


@dataclass(frozen=True)
class Exclusion:
    """A session that the user leaves out, and why."""

    session: str
    reason: str = "excluded by the user"


@dataclass(frozen=True)
class CohortOptions:
    """Which cohorts are made of the sessions."""

    levels: tuple[Level, ...] = ("mouse", "genotype", "all")
    mouse_folds: int = 0  # times the mice are split into training and held-out mice; 0 = never
    seed: int = 1  # deals the mice into those folds
    exclude: tuple[Exclusion, ...] = ()

    def check(self, section: str) -> None:
        if not self.levels or len(set(self.levels)) != len(self.levels):
            raise UserError(
                f"{section}.levels: expected some of mouse, genotype, all, each once; "
                f"found {list(self.levels)}."
            )
        if self.mouse_folds == 1 or self.mouse_folds < 0:
            raise UserError(
                f"{section}.mouse_folds: expected 0 or a whole number from 2; "
                f"found {self.mouse_folds}."
            )
        if self.seed < 0:
            raise UserError(
                f"{section}.seed: expected a whole number, 0 or more; found {self.seed}."
            )
        names = [exclusion.session for exclusion in self.exclude]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise UserError(
                f"{section}.exclude: the session {twice[0]!r} is named {names.count(twice[0])} "
                "times; name it once."
            )

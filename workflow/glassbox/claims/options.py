"""The thresholds of the primary claims: in the configuration, before a run is looked at."""

from __future__ import annotations

from dataclasses import dataclass

from glassbox.errors import UserError


@dataclass(frozen=True)
class ClaimOptions:
    """When a primary claim holds."""

    alpha: float = 0.05  # of the p values, after Holm's correction over the primary claims
    margin: float = 0.02  # accuracy that a dictionary may change, either way, and count as harmless
    #: ablated for a claim. 0: as many as most seeds have matched sets for, which depends on no
    #: test trial
    units: int = 0
    controls: int = 200  # matched random sets that an ablation needs to be judged

    def check(self, section: str) -> None:
        for name in ("alpha", "margin"):
            if not 0 < getattr(self, name) < 1:
                raise UserError(
                    f"{section}.{name}: expected a number in (0, 1); found {getattr(self, name)}."
                )
        for name, least in (("units", 0), ("controls", 20)):
            if getattr(self, name) < least:
                raise UserError(
                    f"{section}.{name}: expected at least {least}; found {getattr(self, name)}."
                )

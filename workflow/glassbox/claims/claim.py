"""A claim with its test, its numbers and its verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

HOLDS, FAILS, NOT_TESTABLE = "holds", "fails", "not testable"


@dataclass(frozen=True)
class Claim:
    """One primary claim.

    Attributes:
        claim: its name.
        statement: what is claimed, a sentence.
        cohort: of the rows it is judged by; "" where there are none.
        table: that the rows stand in.
        test: what must be found for it to hold, a sentence.
        verdict: `holds`, `fails` (tested, and not shown) or `not testable` with these data.
        why: what was found, a sentence.
        n: what was counted, and of what.
        numbers: by name, as they stand in the table; of several seeds by seed.
        p: where the test has one; of several seeds the largest, as the claim is made for each.
        p_holm: corrected for the other primary claims with a p.
    """

    claim: str
    statement: str
    cohort: str
    table: str
    test: str
    verdict: str
    why: str
    n: Mapping[str, int] = field(default_factory=dict)
    numbers: Mapping[str, Any] = field(default_factory=dict)
    p: float | None = None
    p_holm: float | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def corrected(claims: Sequence[Claim], alpha: float) -> list[Claim]:
    """The claims with Holm's p; one that held by its own p and does not by this one fails.

    Source: Holm 1979, Scand. J. Stat. 6, step-down procedure.
    """
    tested = sorted((c.p, i) for i, c in enumerate(claims) if c.p is not None)
    found, worst = list(claims), 0.0
    for rank, (p, i) in enumerate(tested):
        worst = max(worst, min(1.0, p * (len(tested) - rank)))
        claim = replace(claims[i], p_holm=worst)
        if claim.verdict == HOLDS and worst > alpha:
            why = f"{claim.why} Corrected for {len(tested)} claims, p = {worst:.3g}."
            claim = replace(claim, verdict=FAILS, why=why)
        found[i] = claim
    return found

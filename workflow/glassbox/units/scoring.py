"""Score claims against the truth: recall, precision, false discoveries, power."""

from __future__ import annotations

from typing import Any

import numpy as np

from glassbox.statistics import exact_interval


def score_claims(
    claim: str, claimed: np.ndarray, true: np.ndarray, detected: np.ndarray
) -> list[dict[str, Any]]:
    """Rows of ground_truth.csv for one claim about many units.

    - recall: claimed units among the truly selective;
    - precision and false_discovery_rate: truly selective units, and the others, among the claimed;
    - specificity: units that are not claimed among those that are not truly selective;
    - power: units that the permutation test alone detects (q below its level, whatever the size
      of the effect) among the truly selective.

    The intervals are exact for independent units; units of one dictionary share trials, so they
    are somewhat too narrow. A metric of no unit has n = 0 and no value.

    Args:
        claim: name of the claim.
        claimed, true, detected: of every unit, (units,) bool.
    """
    claimed, true, detected = (np.asarray(a, dtype=bool) for a in (claimed, true, detected))
    counts = {
        "recall": ((claimed & true).sum(), true.sum()),
        "precision": ((claimed & true).sum(), claimed.sum()),
        "false_discovery_rate": ((claimed & ~true).sum(), claimed.sum()),
        "specificity": ((~claimed & ~true).sum(), (~true).sum()),
        "power": ((detected & true).sum(), true.sum()),
    }
    return [_row(claim, metric, int(k), int(n)) for metric, (k, n) in counts.items()]


def _row(claim: str, metric: str, k: int, n: int) -> dict[str, Any]:
    row: dict[str, Any] = {"claim": claim, "metric": metric, "n": n}
    if n:
        low, high = exact_interval(k, n)
        row |= {"value": k / n, "ci_low": low, "ci_high": high}
    return row

"""The rule that picks one dictionary among several, on selection blocks only.

Of the dictionaries whose mean over seeds on the selection block

- explains more variance than the k leading principal components with the same k,
- keeps at least 98% of the decoder's loss that zeroing the latents costs, and
- has fewer than 10% of its units dead,

the one with the smallest k, then the smallest width, then the highest explained variance. Where
none does all three, the one that keeps most of the loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

LEAST_RECOVERED = 0.98
MOST_DEAD = 0.10
BASELINE = "pca_leading"
Name = tuple[str, int, int]  # architecture, width, k


def operating_point(rows: Sequence[Mapping[str, Any]], candidates: Sequence[str]) -> Name | None:
    """(architecture, width, k) that the rule picks; None where there is no candidate.

    Args:
        rows: of the comparison; other parts than the selection block are not looked at.
        candidates: architectures that may be picked.
    """
    rows = [row for row in rows if row["part"] == "selection"]
    to_beat = {row["k"]: row["explained_variance"] for row in rows if row["dictionary"] == BASELINE}
    found: dict[Name, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["dictionary"] in candidates:
            found.setdefault((row["dictionary"], row["width"], row["k"]), []).append(row)
    if not found:
        return None
    mean = {
        name: {
            column: float(np.mean([row[column] for row in of_name]))
            for column in ("explained_variance", "loss_recovered", "dead_fraction")
        }
        for name, of_name in found.items()
    }
    good = [
        name
        for name, its in mean.items()
        if its["explained_variance"] > to_beat.get(name[2], -np.inf)
        and its["loss_recovered"] >= LEAST_RECOVERED
        and its["dead_fraction"] < MOST_DEAD
    ]
    if not good:
        return max(mean, key=lambda name: (mean[name]["loss_recovered"], name))
    return min(good, key=lambda name: (name[2], name[1], -mean[name]["explained_variance"]))

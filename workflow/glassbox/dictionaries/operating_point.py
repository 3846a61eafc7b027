"""The rule that picks one dictionary among several, on selection blocks only.

Of the dictionaries whose mean over seeds on the selection block

- leaves, spliced in, a log-probability of the true class within one standard error (over trials)
  of the best one's,
- explains more variance than the k leading principal components with the same k,
- has fewer than 10% of its units dead, and
- keeps to its k: fires at most 10% more units in a latent, where its training was to steer that,

the one with the smallest k, then the smallest width, then the highest explained variance. Where
none does all four, the best one.

Source of the first: Breiman et al. 1984, "Classification and regression trees", 3.4.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from glassbox.dictionaries.training import MOST_L0

MOST_DEAD = 0.10
BASELINE = "pca_leading"
COST, ERROR = "log_probability_change", "log_probability_se"
AVERAGED = (COST, ERROR, "explained_variance", "dead_fraction", "l0")
Name = tuple[str, int, int]  # architecture, width, k


def operating_point(rows: Sequence[Mapping[str, Any]], candidates: Sequence[str]) -> Name | None:
    """(architecture, width, k) that the rule picks; None where there is no candidate.

    Args:
        rows: of the comparison; other parts than the selection block are not looked at.
        candidates: architectures that may be picked.
    """
    rows = [row for row in rows if row["part"] == "selection"]
    to_beat: dict[int, list[float]] = {}
    found: dict[Name, list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["dictionary"] == BASELINE:
            to_beat.setdefault(row["k"], []).append(row["explained_variance"])
        if row["dictionary"] in candidates:
            found.setdefault((row["dictionary"], row["width"], row["k"]), []).append(row)
    if not found:
        return None
    mean = {
        name: {column: float(np.mean([row[column] for row in of_name])) for column in AVERAGED}
        for name, of_name in found.items()
    }
    best = max(mean, key=lambda name: (mean[name][COST], name))
    least = mean[best][COST] - mean[best][ERROR]
    good = [
        name
        for name, its in mean.items()
        if its[COST] >= least
        and its["explained_variance"] > np.mean(to_beat.get(name[2], [-np.inf]))
        and its["dead_fraction"] < MOST_DEAD
        and its["l0"] <= MOST_L0 * name[2]
    ]
    if not good:
        return best
    return min(good, key=lambda name: (name[2], name[1], -mean[name]["explained_variance"]))

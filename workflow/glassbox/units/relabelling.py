"""How often does the genotype claim procedure claim something when there is nothing?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glassbox.statistics import benjamini_hochberg, exact_interval
from glassbox.tables import write_table
from glassbox.units.activations import DictionaryFolder, runs_of
from glassbox.units.genotype import (
    GenotypeTest,
    difference_statistic,
    estimable,
    line_codes,
    ranks_among,
    variance_of_lines,
)
from glassbox.units.labelings import labelings, unrelated_labelings
from glassbox.units.measure import mice_of
from glassbox.units.mice import MouseTable
from glassbox.units.options import UnitOptions

CLAIM = "genotype_units_relabelled_mice"


@dataclass(frozen=True)
class Relabelled:
    """Claims under labelings of the mice that have nothing to do with their lines.

    Attributes:
        claims: number of units claimed under each relabeling, (relabelings,).
    """

    claims: np.ndarray

    @property
    def false(self) -> int:
        """Relabelings under which at least one unit was claimed."""
        return int((self.claims > 0).sum())


def relabel_mice(table: MouseTable, options: UnitOptions) -> Relabelled:
    """Run the whole claim procedure for each relabeling; nothing is retrained.

    All units are false then, so every relabeling with a claim is a false discovery. The
    relabelings are those unrelated to the true lines (`unrelated_labelings`): six and six mice
    have 200 of them. A relabeling that keeps part of the truth would show a true difference.

    Args:
        table: mice of at least two lines, at least two of each.
        options: of the claim procedure.
    """
    _, truth = line_codes(table)
    labels = labelings(truth, options.labelings, options.seed)
    chosen = unrelated_labelings(labels, truth, options.relabelings)
    p = ranks_among(difference_statistic(table.mean, labels), chosen)
    claims = np.zeros(len(chosen), dtype=int)
    for i, index in enumerate(chosen):
        found = GenotypeTest(
            p[i], benjamini_hochberg(p[i]), *variance_of_lines(table, labels[index])
        )
        claims[i] = found.selective(options.q, options.min_effect).sum()
    return Relabelled(claims)


def write_relabelled(dictionary: str | Path, out: str | Path, options: UnitOptions) -> None:
    """Write the row of ground_truth.csv for a cohort's dictionaries.

    The procedure is run for each seed and fold; the rate is the mean over them. They share mice
    and relabelings, so n, and with it the interval, counts the relabelings once.
    """
    folder = DictionaryFolder.open(dictionary)
    false, n = [], 0
    for _, _, activations in runs_of(folder):
        table, _ = estimable(mice_of(folder, activations))
        if table.mouse:
            relabelled = relabel_mice(table, options)
            false.append(relabelled.false)
            n = len(relabelled.claims)
    row = {"claim": CLAIM, "metric": "false_discovery_rate", "n": n}
    if n:
        mean = float(np.mean(false))
        low, high = exact_interval(round(mean), n)
        row |= {"value": mean / n, "ci_low": low, "ci_high": high}
    write_table("ground_truth", out, [row])

"""Which units are selective for a variable that changes from trial to trial?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glassbox.statistics import benjamini_hochberg
from glassbox.units.groups import group_codes
from glassbox.units.options import UnitOptions
from glassbox.units.permutation import permutation_test
from glassbox.units.variance import Explained, explained_variance


@dataclass(frozen=True)
class TrialTest:
    """The claim procedure over all units, for one variable.

    Attributes:
        p: permutation p, (units,).
        q: Benjamini-Hochberg over the units of a family, (units,).
        explained: share of the variance that the variable explains.
        selective: the units that are claimed, (units,) bool.
    """

    p: np.ndarray
    q: np.ndarray
    explained: Explained
    selective: np.ndarray


def claim_trials(
    activation: np.ndarray,
    label: np.ndarray,
    session: np.ndarray,
    block: np.ndarray,
    others: tuple[np.ndarray, ...],
    options: UnitOptions,
    families: np.ndarray | None = None,
) -> TrialTest:
    """Test every unit for the variable and say which are selective.

    Labels are permuted among the trials of a session and stimulus block that agree in the other
    variables, so that a unit tuned to direction alone is not taken for one tuned to temporal
    frequency because the two happen to be associated in a short block.

    A unit is selective if q is below `options.q` and the variable explains more than
    `options.min_effect` of the variance: not by the estimate alone, of which the luckiest pass
    (claim "estimate"), but by the lower bound of its one-sided confidence interval (claim
    "lower_bound"). Measured on eight simulated mice with some 115 selection trials each: of the
    units that the estimate claims, 6% (direction) and 19% (temporal frequency) explain less than
    5% in truth; of those that the lower bound at 0.95 claims, 3% and 3%.

    Args:
        activation: (trials, units).
        label: class of each trial, (trials,).
        session, block: of each trial, (trials,).
        others: class of each trial in the other variables, each (trials,).
        options: of the claim procedure.
        families: units of one value share one false-discovery rate, (units,); None: all do.
    """
    strata = group_codes(session, block)
    finer = group_codes(strata, *others)
    p = permutation_test(activation, label, finer, options.permutations, options.seed)
    families = np.zeros(len(p)) if families is None else families
    q = np.empty_like(p)
    for family in np.unique(families):
        q[families == family] = benjamini_hochberg(p[families == family])
    explained = explained_variance(activation, label, strata, others, options.min_effect)
    if options.claim == "estimate":
        large = explained.omega2 >= options.min_effect
    else:
        large = explained.p_minimum < 1 - options.confidence
    return TrialTest(p, q, explained, (q < options.q) & large)

"""The statistics that a variable asks for, by what kind of thing it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glassbox.units.information import mutual_information
from glassbox.units.ranks import preferred_auroc, rank_correlation
from glassbox.units.selectivity import (
    circular_mean,
    direction_selectivity,
    orientation_selectivity,
)
from glassbox.units.tuning import Tuning
from glassbox.units.variables import DIRECTION, ORIENTATION, is_ordered, period_of


def describe_tuning(
    variable: str,
    tuning: Tuning,
    classes: Sequence[float],
    activation: np.ndarray,
    label: np.ndarray,
    session: np.ndarray,
) -> dict[str, np.ndarray]:
    """Columns of units.csv by name, each (units,).

    Every variable has `auroc` and `information`; a circular one `circular_variance` and
    `mean_angle`, direction and orientation `osi` too, direction `dsi`; an ordered one
    `rank_correlation`.

    Args:
        variable: its name.
        tuning: of the units, over its classes.
        classes: value of each class.
        activation: (trials, units).
        label, session: of each trial, (trials,).
    """
    value = np.asarray(classes, dtype=float)
    columns = {
        "auroc": preferred_auroc(activation, label, session),
        "information": mutual_information(activation, label),
    }
    period = period_of(variable)
    if period is not None:
        variance, angle = circular_mean(tuning.response, value, period)
        columns |= {"circular_variance": variance, "mean_angle": angle}
    if variable in (DIRECTION, ORIENTATION):
        columns["osi"] = orientation_selectivity(tuning.response, value)
    if variable == DIRECTION:
        columns["dsi"] = direction_selectivity(tuning.response, value)
    if is_ordered(variable):
        columns["rank_correlation"] = rank_correlation(activation, value[label], session)
    return columns

"""Which sets of units are taken away, by dose, with the control sets of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glassbox.decoders.randomness import numpy_generator
from glassbox.interventions.controls import matched_sets
from glassbox.interventions.ranking import Ranked
from glassbox.interventions.runs import Run


@dataclass(frozen=True)
class DosePlan:
    """The sets of one dose in one seed and fold.

    Attributes:
        n_units: size of every set.
        named: by (control, variable), one set, (n_units,): `target` and `shuffled_labels` of each
            variable that has as many units, `top_energy` under the variable ''.
        matched: by variable, sets that match its target, (sets, n_units).
    """

    n_units: int
    named: dict[tuple[str, str], np.ndarray]
    matched: dict[str, np.ndarray]

    def of_variable(self, variable: str) -> DosePlan:
        """What is evaluated for one variable, all under its name; the target of the next one as
        `other_variable`."""
        if ("target", variable) not in self.named:
            return DosePlan(self.n_units, {}, {})
        named = {}
        for (control, of), units in self.named.items():
            if of in (variable, ""):
                named[control, variable] = units
            elif control == "target" and ("other_variable", variable) not in named:
                named["other_variable", variable] = units
        return DosePlan(self.n_units, named, {variable: self.matched[variable]})


def doses_of(wanted: Sequence[int], available: int) -> tuple[int, ...]:
    """The wanted doses up to `available`, and all available units where that falls short."""
    doses = {dose for dose in wanted if dose <= available}
    if 0 < available < max(wanted):
        doses.add(available)
    return tuple(sorted(doses))


def plan_doses(
    run: Run,
    ranked: Ranked,
    doses: dict[str, Sequence[int]],
    n_controls: int,
    seed: int,
) -> list[DosePlan]:
    """The plan of one seed and fold, by increasing dose.

    Args:
        run: the decoder with its dictionary.
        ranked: its units in order.
        doses: of each variable.
        n_controls: matched random sets for each target.
        seed: of the control sets.
    """
    plans = []
    for n_units in sorted({dose for of_one in doses.values() for dose in of_one}):
        named, matched = {}, {}
        for variable, of_one in doses.items():
            if n_units not in of_one:
                continue
            target = ranked.target[variable][:n_units]
            named["target", variable] = target
            if variable in ranked.shuffled and len(ranked.shuffled[variable]) >= n_units:
                named["shuffled_labels", variable] = ranked.shuffled[variable][:n_units]
            rng = numpy_generator("controls", seed, run.seed, run.fold, variable, n_units)
            matched[variable] = matched_sets(
                run.energy, run.density, target, run.alive, n_controls, rng
            )
        if len(ranked.energy) >= n_units:
            named["top_energy", ""] = ranked.energy[:n_units]
        plans.append(DosePlan(n_units, named, matched))
    return plans

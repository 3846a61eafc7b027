"""How units are chosen and taken away, and what that is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from glassbox.errors import UserError

Ranking = Literal["efficiency", "effect", "tuning"]
Base = Literal["pca", "ica", "nmf", "semi_nmf", "raw", "random", "difference_in_means"]


@dataclass(frozen=True)
class InterventionOptions:
    """Options of stage 6."""

    doses: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128)  # units ablated, as far as there are any
    ranking: Ranking = "efficiency"  # of the candidates, on selection trials (see `ranking.py`)
    energy_power: float = 0.75  # efficiency: the effect over the unit's energy to this power
    n_controls: int = 1000  # matched random sets for each selected set
    controls_for: Literal["primary", "all"] = "primary"  # error_preserving × zero (are they
    # needed?) and spliced × keep_mean (do they suffice?), or all
    strengths: tuple[float, ...] = (0.25, 0.5, 0.75, 1.5, 2.0)  # beside 1: shares of the way from
    # an activation to 0, of error_preserving × zero
    patching_controls: int = 200  # matched random sets that are patched between trials
    mediator_controls: int = 20  # sets of random cells and of random components of a basis, as many
    # as are taken away
    baselines: tuple[Base, ...] = get_args(Base)  # bases of the latents of which as many components
    # are taken away as units, where most is trained together
    baseline_samples: int = 4000  # activations that ICA, NMF and semi-NMF are fitted to
    steering_doses: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)  # multiples of a unit's 99th
    # percentile on selection trials, to which it is clamped
    steering_units: int = 0  # of a variable, clamped one by one, the first by rank; 0: all
    steering_trials: int = 0  # test trials at most that are read with a clamp or a patch, or
    # without heads, latents or cells; 0: all
    max_trials: int = 0  # test trials that are evaluated, at most, drawn evenly by session; 0: all
    max_selection_trials: int = 400  # for the ranking by effects, at most; 0: all
    permutations: int = 10_000  # relabelings of mice, where there are more of them
    resamples: int = 1000  # bootstrap resamples of an interval
    seed: int = 0  # control sets, shuffled labels, trials under a cap, bootstrap

    def check(self, section: str) -> None:
        """Raise a `UserError` that names the option that cannot be."""
        if not self.doses or min(self.doses) < 1 or len(set(self.doses)) < len(self.doses):
            raise UserError(
                f"{section}.doses: expected a list of numbers of units, each at least 1 and each "
                f"once; found {list(self.doses)}."
            )
        if not 0 <= self.energy_power <= 1:
            raise UserError(
                f"{section}.energy_power: expected a power from 0 to 1; found {self.energy_power}."
            )
        if self.n_controls < 200:
            raise UserError(
                f"{section}.n_controls: expected at least 200 matched random sets; "
                f"found {self.n_controls}."
            )
        if not self.steering_doses or min(self.steering_doses) <= 0:
            raise UserError(
                f"{section}.steering_doses: expected a list of numbers above 0; found "
                f"{list(self.steering_doses)}."
            )
        if 1.0 in self.strengths or len(set(self.strengths)) < len(self.strengths):
            raise UserError(
                f"{section}.strengths: expected numbers other than 1, each once; found "
                f"{list(self.strengths)}."
            )
        for name in ("patching_controls", "mediator_controls"):
            if getattr(self, name) < 0:
                raise UserError(
                    f"{section}.{name}: expected a number of sets, or 0 for none; found "
                    f"{getattr(self, name)}."
                )
        if len(set(self.baselines)) != len(self.baselines):
            raise UserError(
                f"{section}.baselines: expected none twice; found {', '.join(self.baselines)}."
            )
        if self.baseline_samples < 100:
            raise UserError(
                f"{section}.baseline_samples: expected at least 100; found {self.baseline_samples}."
            )
        if self.steering_units < 0:
            raise UserError(
                f"{section}.steering_units: expected a number of units, or 0 for all; found "
                f"{self.steering_units}."
            )
        for name in ("max_trials", "max_selection_trials", "steering_trials"):
            if getattr(self, name) < 0:
                raise UserError(
                    f"{section}.{name}: expected a number of trials, or 0 for all; "
                    f"found {getattr(self, name)}."
                )
        for name in ("permutations", "resamples"):
            if getattr(self, name) < 99:
                raise UserError(
                    f"{section}.{name}: expected at least 99; found {getattr(self, name)}."
                )

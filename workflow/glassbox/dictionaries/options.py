"""How a dictionary is learned from a decoder's activations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from glassbox.dictionaries.comparison_options import Architecture, ComparisonOptions
from glassbox.dictionaries.fine_tune_options import FineTuneOptions
from glassbox.errors import UserError


@dataclass(frozen=True)
class DictionaryOptions:
    """Options of stage 4. Lengths are counted in activations: one latent of one trial is one."""

    hook: str = "latents"  # where the dictionary is inserted: a hook point of the decoder
    architecture: Architecture = "topk"
    width: int = 512  # units
    k: int = 16  # units active in one latent; on average, where an architecture fixes no number
    k_first: int = 0  # ... at the first step, from where it falls to k; 0: k from the start
    k_falls: float = 0.3  # share of the steps over which it falls
    seed: int = 0  # initialisation, shuffling, unit dropout and noise
    copies: int = 4  # passes over the training trials that fill the cache: one clean, the rest ...
    copies_keep: float = 0.5  # ... each with a random share of the cells, this share to all
    copies_shift_s: float = 0.0  # ... and with windows up to so much earlier or later, seconds
    samples: int = 600_000  # activations drawn in training, at most
    batch: int = 1024  # activations in one step
    learning_rate: float = 2e-3
    warm_up: float = 0.05  # share of the steps over which the learning rate rises
    decay: float = 0.3  # share of the steps over which it falls to nothing at the end
    k_aux: int = 32  # dead units that AuxK uses, at most
    aux_weight: float = 1 / 32  # Gao et al. 2024
    dead_epochs: float = 1.5  # a unit silent for so many passes over the cache is dead
    checks: int = 20  # looks at the selection block's explained variance in a training
    patience: int = 6  # looks without a gain before training stops
    device: Literal["cpu", "cuda"] = "cpu"  # where dictionaries are trained
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    memory_mb: int = 500  # activations beyond this are read from a store in the cache
    checkpoint_every_s: float = 10.0  # a killed training goes on from a state at most so old
    noise_draws: int = 4  # draws of the equal-norm noise control
    resamples: int = 1000  # bootstrap resamples of an interval
    fine_tune: FineTuneOptions = field(default_factory=FineTuneOptions)  # through the decoder
    compare: ComparisonOptions = field(default_factory=ComparisonOptions)  # of another rule

    def check(self, section: str) -> None:
        """Raise a `UserError` that names the option that cannot be."""
        if self.k < 1:
            raise UserError(f"{section}.k: expected at least 1 active unit; found {self.k}.")
        if self.width < 2 * self.k:
            raise UserError(
                f"{section}.width: expected a whole number of units, at least 2 × k = "
                f"{2 * self.k}; found {self.width}."
            )
        if self.k_first and not self.k <= self.k_first <= self.width:
            raise UserError(
                f"{section}.k_first: expected 0, or k = {self.k} to width = {self.width} units; "
                f"found {self.k_first}."
            )
        if self.precision != "32-true" and self.device == "cpu":
            raise UserError(
                f"{section}.precision: expected 32-true on the CPU, where {self.precision} gains "
                "nothing; choose it, or device: cuda."
            )
        counts = "copies samples batch k_aux checks patience noise_draws memory_mb"
        for name in counts.split():
            if getattr(self, name) < 1:
                raise UserError(
                    f"{section}.{name}: expected at least 1; found {self.__dict__[name]}."
                )
        for name in ("copies_keep", "warm_up", "decay", "k_falls"):
            if not 0 < getattr(self, name) <= 1:
                raise UserError(
                    f"{section}.{name}: expected a share above 0 and up to 1; "
                    f"found {getattr(self, name)}."
                )
        if (
            self.learning_rate <= 0
            or self.dead_epochs <= 0
            or min(self.aux_weight, self.copies_shift_s) < 0
        ):
            raise UserError(
                f"{section}: learning_rate and dead_epochs must be above 0, aux_weight and "
                "copies_shift_s at least 0."
            )

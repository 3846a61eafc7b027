"""How a dictionary is trained on through the decoder."""

from __future__ import annotations

from dataclasses import dataclass

from glassbox.errors import UserError


@dataclass(frozen=True)
class FineTuneOptions:
    """After its reconstruction is learned, what a splice costs the decoder's answers is too."""

    samples: int = 0  # activations that pass the decoder in it, at most; 0: none of this
    weight: float = 1.0  # of the dictionary's own loss beside the divergence of the answers, nats
    learning_rate: float = 5e-4  # at the first step, from where it falls to nothing
    batch_trials: int = 64  # trials in one step
    answers: bool = True  # false: its own loss alone, in the same steps: what longer training gives

    def check(self, section: str) -> None:
        """Raise a `UserError` that names the option that cannot be."""
        if self.samples < 0 or self.weight < 0:
            raise UserError(
                f"{section}: samples and weight must be at least 0; "
                f"found {self.samples} and {self.weight}."
            )
        if not self.answers and self.weight == 0:
            raise UserError(
                f"{section}: expected a weight above 0 without answers, as nothing else is "
                "minimised; found 0."
            )
        if self.learning_rate <= 0 or self.batch_trials < 1:
            raise UserError(
                f"{section}: learning_rate must be above 0 and batch_trials at least 1; "
                f"found {self.learning_rate} and {self.batch_trials}."
            )

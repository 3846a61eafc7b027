"""Options of the decoders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from glassbox.errors import UserError
from glassbox.tensors.tasks import stimulus_of_tasks

if TYPE_CHECKING:
    from glassbox.tensors.windows import WindowOptions

SECTION = "decoders"


@dataclass(frozen=True)
class DecoderOptions:
    """How the decoders of a cohort are built, trained and chosen. Times are in seconds."""

    # what is decoded
    tasks: tuple[str, ...] = ("direction", "temporal_frequency")
    split: Literal["crossfit", "poyo"] = "crossfit"
    folds: tuple[int, ...] = (0,)
    seeds: tuple[int, ...] = (0,)
    window_start_s: float = 0.0  # from the onset of a trial
    window_length_s: float = 2.0
    samples_per_s: float = 30.0  # of the model's clock, whatever the frame rate of a session
    clip_low: float = -5.0  # standard deviations of a cell over its training trials
    clip_high: float = 10.0
    # the model
    patch_s: float = 0.5  # one token per cell and patch
    dim: int = 64
    value_dim: int = 64  # filters over a patch, and length of the unit value vectors
    latents: int = 16
    heads: int = 4
    depth: int = 1  # processor blocks
    feedforward: int = 2  # hidden width of a processor block's second half, × dim
    # training
    epochs: int = 60
    batch_trials: int = 32
    batches_per_step: int = 2  # batches, each of one session, whose gradients make one step
    learning_rate: float = 2e-3  # top of the one-cycle schedule
    unit_learning_rate: float = 1e-2  # the same of the unit vectors
    warm_up: float = 0.3  # share of the steps in which the learning rate rises
    weight_decay: float = 0.05  # of everything but the unit value vectors
    dropout: float = 0.3
    min_cells: int = 50  # a random number of cells from this to all is kept in each batch
    label_smoothing: float = 0.05
    patience: int = 20  # epochs without a better selection block after which training ends
    unit_epochs: int = 30  # of the unit vectors of a held-out session, body frozen
    # the machine
    device: Literal["auto", "cpu", "cuda"] = "auto"
    checkpoint_every_s: float = 10.0  # at the first end of an epoch after so long

    @property
    def n_samples(self) -> int:
        return round(self.window_length_s * self.samples_per_s)

    @property
    def patch_samples(self) -> int:
        return round(self.patch_s * self.samples_per_s)

    @property
    def n_patches(self) -> int:
        return self.n_samples // max(self.patch_samples, 1)

    @property
    def stimulus(self) -> str:
        """The stimulus whose trials are decoded."""
        return stimulus_of_tasks(self.tasks)[self.tasks[0]]

    def window(self) -> WindowOptions:
        """The window of a trial that the model sees, as the tensors hand it out."""
        from glassbox.tensors.windows import WindowOptions

        return WindowOptions(self.window_start_s, self.window_length_s, self.samples_per_s)

    def check(self, section: str) -> None:
        for name in ("tasks", "folds", "seeds"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise UserError(
                    f"{section}.{name}: expected a list of at least one and each once; "
                    f"found {list(values)}."
                )
        stimuli = sorted(set(stimulus_of_tasks(self.tasks, f"{section}.tasks").values()))
        if len(stimuli) > 1:
            raise UserError(
                f"{section}.tasks: expected tasks of one stimulus; these need {', '.join(stimuli)}."
            )
        last = {"crossfit": 4, "poyo": 0}[self.split]
        for fold in self.folds:
            if not 0 <= fold <= last:
                raise UserError(
                    f"{section}.folds: the split {self.split} has the folds 0 to {last}; "
                    f"found {fold}."
                )
        positive = (
            "window_length_s samples_per_s patch_s dim value_dim latents heads feedforward epochs "
            "batch_trials batches_per_step learning_rate unit_learning_rate min_cells patience "
            "unit_epochs"
        )
        for name in positive.split():
            if not getattr(self, name) > 0:
                raise UserError(
                    f"{section}.{name}: expected more than 0; found {getattr(self, name)}."
                )
        for name in ("depth", "weight_decay", "checkpoint_every_s"):
            if getattr(self, name) < 0:
                raise UserError(
                    f"{section}.{name}: expected at least 0; found {getattr(self, name)}."
                )
        for name in ("dropout", "label_smoothing", "warm_up"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(
                    f"{section}.{name}: expected from 0 to below 1; found {getattr(self, name)}."
                )
        if not self.clip_low < self.clip_high:
            raise UserError(
                f"{section}.clip_high: expected more than {section}.clip_low = {self.clip_low:g}; "
                f"found {self.clip_high:g}."
            )
        if self.dim % self.heads:
            raise UserError(
                f"{section}.heads: expected a divisor of {section}.dim = {self.dim}; "
                f"found {self.heads}."
            )
        if self.patch_samples < 1 or self.n_samples % self.patch_samples:
            raise UserError(
                f"{section}.patch_s: expected a whole number of patches in "
                f"{section}.window_length_s = {self.window_length_s:g} s at "
                f"{self.samples_per_s:g} samples a second; found {self.patch_s:g} s."
            )

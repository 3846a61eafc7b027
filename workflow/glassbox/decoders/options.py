"""Options of the decoders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from glassbox.decoders.poyo_plus_options import PoyoPlusOptions
from glassbox.errors import UserError
from glassbox.tensors.tasks import EVERY_STIMULUS, Task, stimulus_of_tasks, tasks_named

if TYPE_CHECKING:
    from glassbox.tensors.windows import WindowOptions

SECTION = "decoders"
BaselineName = Literal[
    "logistic_regression",
    "shrinkage_lda",
    "gaussian_naive_bayes",
    "nearest_neighbours",
    "mlp",
    "ridge",
]
_SIZES = PoyoPlusOptions()


@dataclass(frozen=True)
class FrontOptions:
    """What the model sees of a trial of one stimulus. Times are in seconds from its onset."""

    start_s: float = 0.0  # of the window; may be negative
    length_s: float = 2.0  # of the window
    patch_s: float = 0.5  # one token per cell and patch
    samples_per_s: float = 0.0  # of this stimulus's windows; 0: decoders.samples_per_s
    #: where the filters begin: near the mean over `response_s` (first and last time) minus the mean
    #: over `before_s`. Neither given: near the mean over the patch. Only with one patch
    response_s: tuple[float, ...] = ()
    before_s: tuple[float, ...] = ()

    def window(self, samples_per_s: float) -> WindowOptions:
        """The window as the tensors hand it out."""
        from glassbox.tensors.windows import WindowOptions

        return WindowOptions(self.start_s, self.length_s, samples_per_s)

    def n_samples(self, samples_per_s: float) -> int:
        return round(self.length_s * samples_per_s)

    def patch_samples(self, samples_per_s: float) -> int:
        return round(self.patch_s * samples_per_s)

    def refuse_parts_of_patches(self, samples_per_s: float, section: str) -> None:
        samples, of_patch = self.n_samples(samples_per_s), self.patch_samples(samples_per_s)
        if samples < 1 or of_patch < 1 or samples % of_patch:
            raise UserError(
                f"{section}.patch_s: expected a whole number of patches in "
                f"{section}.length_s = {self.length_s:g} s at {samples_per_s:g} samples a second; "
                f"found {self.patch_s:g} s."
            )
        for name in ("response_s", "before_s"):
            span = getattr(self, name)
            inside = len(span) == 2 and self._samples_within(span, samples_per_s)
            if span and not (inside and of_patch == samples):
                end_s = self.start_s + self.length_s
                raise UserError(
                    f"{section}.{name}: expected the first and the last time of samples inside a "
                    f"window of one patch ({self.start_s:g} to {end_s:g} s); found "
                    f" {list(span)} and {samples // of_patch} patches."
                )

    def first_filter(self, samples_per_s: float) -> list[float]:
        """Weights of the samples of a patch with which training begins, (samples of a patch,)."""
        samples = self.patch_samples(samples_per_s)
        if not (self.response_s or self.before_s):
            return [1 / samples] * samples
        weights = [0.0] * samples
        for span, sign in ((self.response_s, 1.0), (self.before_s, -1.0)):
            within = self._samples_within(span, samples_per_s) if span else []
            for sample in within:
                weights[sample] += sign / len(within)
        return weights

    def _samples_within(self, span: tuple[float, ...], samples_per_s: float) -> list[int]:
        """Samples of the window whose middle lies in a span of times."""
        middles = [
            self.start_s + (i + 0.5) / samples_per_s for i in range(self.n_samples(samples_per_s))
        ]
        return [i for i, middle in enumerate(middles) if span[0] <= middle <= span[-1]]


# What a flashed image adds stands out 0.2 to 0.5 s after its onset, on what was there at the onset.
_FLASHED = FrontOptions(-0.2, 0.8, 0.8, 10.0, (0.2, 0.5), (0.0, 0.1))


@dataclass(frozen=True)
class WindowsOptions:
    """The windows of trials, by stimulus."""

    # Calcium rises late and outlasts the 2 s of a grating.
    drifting_gratings: FrontOptions = FrontOptions(0.1667, 2.0, 0.5, 6.0)
    # A flashed image lasts 0.25 s and the next one follows at once: what was before is seen too.
    static_gratings: FrontOptions = _FLASHED
    natural_scenes: FrontOptions = _FLASHED
    # A segment of 0.5 s runs into the next one; the calcium of its end comes after it.
    natural_movie_one: FrontOptions = FrontOptions(0.0, 0.8, 0.8, 10.0)
    natural_movie_two: FrontOptions = FrontOptions(0.0, 0.8, 0.8, 10.0)
    natural_movie_three: FrontOptions = FrontOptions(0.0, 0.8, 0.8, 10.0)


@dataclass(frozen=True)
class DecoderOptions:
    """How the decoders of a cohort are built, trained and chosen. Times are in seconds."""

    # what is decoded
    tasks: tuple[str, ...] = ("direction", "temporal_frequency")
    split: Literal["crossfit", "poyo"] = "crossfit"
    folds: tuple[int, ...] = (0,)
    seeds: tuple[int, ...] = (0,)
    #: by task, in their order; a task's loss counts as much as its weight says, after division by
    #: the loss of a guess. None given: all 1
    task_weights: tuple[float, ...] = ()
    windows: WindowsOptions = WindowsOptions()
    samples_per_s: float = 30.0  # of windows, whatever the frame rate of a session
    clip_low: float = -3.0  # standard deviations of a cell over its training trials
    clip_high: float = 5.0

    # the model
    decoder: Literal["identity_keyed", "poyo_plus"] = "identity_keyed"
    poyo_plus: PoyoPlusOptions = _SIZES  # its sizes and dropout; those that follow: identity_keyed
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
    dropout: float = 0.3  # of identity_keyed
    min_cells: int = 50  # a random number of cells from this to all is kept in each batch
    label_smoothing: float = 0.05
    #: cells that sessions have in common (by specimen id) have the same vectors in all of them
    share_units: bool = False
    patience: int = 20  # epochs without a better selection block after which training ends
    unit_epochs: int = 30  # of the unit vectors of a held-out session, body frozen
    few_trials: tuple[int, ...] = (1, 2, 4, 8)  # of each condition, for `snakemake few_trials`

    # what it is held against
    baselines: tuple[BaselineName, ...] = get_args(BaselineName)  # ridge is for behaviour

    # the machine
    device: Literal["auto", "cpu", "cuda"] = "auto"
    devices: int = 1  # GPUs, or processes on CPU, among which the batches of a step are dealt
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    memory_mb: int = 1000  # windows beyond this are read from a file in the cache
    tensorboard: bool = False  # write events to results/logs/tensorboard/{cohort}
    checkpoint_every_s: float = 10.0  # at the first end of an epoch after so long

    @property
    def stimuli(self) -> tuple[str, ...]:
        """The stimuli whose trials are decoded, in the order of the tasks."""
        return tuple(dict.fromkeys(stimulus_of_tasks(self.tasks).values()))

    def front(self, stimulus: str) -> FrontOptions:
        """What the model sees of a trial of this stimulus."""
        return getattr(self.windows, stimulus)

    def rate(self, stimulus: str) -> float:
        """Samples a second of the windows of this stimulus; poyo_plus has one clock for all."""
        own = self.front(stimulus).samples_per_s
        return own if own and self.decoder == "identity_keyed" else self.samples_per_s

    def window(self, stimulus: str) -> WindowOptions:
        """The window of a trial of this stimulus, as the tensors hand it out."""
        return self.front(stimulus).window(self.rate(stimulus))

    def n_samples(self, stimulus: str) -> int:
        """Samples of a window of this stimulus."""
        return self.front(stimulus).n_samples(self.rate(stimulus))

    def tasks_of(self, stimulus: str) -> tuple[Task, ...]:
        """The tasks that trials of this stimulus serve, behaviour included."""
        return tuple(t for t in tasks_named(self.tasks) if t.stimulus in (stimulus, EVERY_STIMULUS))

    def weight(self, task: str) -> float:
        """How much the loss of a task counts."""
        return self.task_weights[self.tasks.index(task)] if self.task_weights else 1.0

    def check(self, section: str) -> None:
        for name in ("tasks", "folds", "seeds", "baselines"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise UserError(
                    f"{section}.{name}: expected a list of at least one and each once; "
                    f"found {list(values)}."
                )
        if not stimulus_of_tasks(self.tasks, f"{section}.tasks"):
            raise UserError(
                f"{section}.tasks: behaviour is read from the trials of a stimulus; found "
                f"{list(self.tasks)}. Name a task of a stimulus too."
            )
        if not self.few_trials or min(self.few_trials) < 1:
            raise UserError(
                f"{section}.few_trials: expected numbers of trials, at least 1 each; found "
                f"{list(self.few_trials)}."
            )
        if self.task_weights and len(self.task_weights) != len(self.tasks):
            raise UserError(
                f"{section}.task_weights: expected one for each of {len(self.tasks)} tasks, or "
                f"none; found {len(self.task_weights)}."
            )
        if any(weight <= 0 for weight in self.task_weights):
            raise UserError(
                f"{section}.task_weights: expected numbers above 0; found "
                f"{list(self.task_weights)}. Leave a task out that is not to count."
            )
        last = {"crossfit": 4, "poyo": 0}[self.split]
        for fold in self.folds:
            if not 0 <= fold <= last:
                raise UserError(
                    f"{section}.folds: the split {self.split} has the folds 0 to {last}; "
                    f"found {fold}."
                )
        positive = (
            "samples_per_s dim value_dim latents heads feedforward epochs "
            "batch_trials batches_per_step learning_rate unit_learning_rate min_cells patience "
            "unit_epochs devices memory_mb"
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
        for stimulus in self.stimuli:
            part = f"{section}.windows.{stimulus}"
            if self.decoder == "identity_keyed":
                self.front(stimulus).refuse_parts_of_patches(self.rate(stimulus), part)
            else:
                self._refuse_windows_around_no_context(stimulus, section)

    def _refuse_windows_around_no_context(self, stimulus: str, section: str) -> None:
        """The context of poyo_plus must fit into the window, as long before it as behind it."""
        window = self.n_samples(stimulus)
        context = self.poyo_plus.n_samples(self.samples_per_s)
        if not 1 <= context <= window or (window - context) % 2:
            raise UserError(
                f"{section}.poyo_plus.context_s: expected a context inside the window of "
                f"{stimulus} ({window} samples) with as many samples before it as behind it; "
                f"found {self.poyo_plus.context_s:g} s, {context} samples at "
                f"{section}.samples_per_s = {self.samples_per_s:g}. Change it or "
                f"{section}.windows.{stimulus}.length_s."
            )

"""The training of one dictionary, step by step, and its state for going on after a kill."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from glassbox.dictionaries.architectures import new_dictionary
from glassbox.dictionaries.dictionary import Dictionary
from glassbox.dictionaries.metrics import reconstruct
from glassbox.dictionaries.options import DictionaryOptions

MOST_DEAD_WINDOW = 10_000_000  # activations; Gao et al. 2024, A.1
LONGEST_GRADIENT = 1.0
MOST_L0 = 1.1  # × k: weights with more active units, as while a price is found, are not kept
ADAM_STATE = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class Wanted:
    """One of the dictionaries that are trained over one stream.

    Attributes:
        options: its architecture, its size, its rates.
        seed: of its first weights.
        new: makes it, from the size of an activation and the options; all weights 0.
    """

    options: DictionaryOptions
    seed: int
    new: Callable[[int, DictionaryOptions], Dictionary] = new_dictionary


@dataclass(frozen=True)
class Trained:
    """A dictionary folded for raw activations, and how its training went."""

    dictionary: Dictionary
    explained_variance: float  # on the selection block
    epochs: float  # passes over the cache up to the weights that were kept
    curve: tuple[tuple[float, float], ...]  # (epochs, explained variance on the selection block)


def dead_window(cache_size: int, options: DictionaryOptions) -> int:
    """Samples without firing after which a unit counts as dead.

    Gao et al. use 10 million, which a session's activations never reach: AuxK would never act.
    """
    return max(1, min(MOST_DEAD_WINDOW, round(options.dead_epochs * cache_size)))


def learning_rate_at(share: float, options: DictionaryOptions) -> float:
    """Learning rate at a share (0 to 1) of the steps: a rise, a plateau, a linear fall to 0."""
    rise = min(1.0, share / options.warm_up)
    fall = min(1.0, (1 - share) / options.decay)
    return options.learning_rate * min(rise, fall)


def k_at(share: float, options: DictionaryOptions) -> int:
    """Active units at a share (0 to 1) of the steps: from `k_first` down to k, then k."""
    more = max(0, options.k_first - options.k)
    return options.k + round(more * max(0.0, 1 - share / options.k_falls))


class Training:
    """A dictionary and all that changes with each step of its training.

    Args:
        wanted: what is trained.
        sample: training inputs that its first weights are made from, (m, dim), centred and scaled.
        n: training activations in all.
        batch, steps: length of a step and of the training.
        device: where it is trained; the inputs of `step` and `look` lie there too.
    """

    def __init__(
        self,
        wanted: Wanted,
        sample: torch.Tensor,
        n: int,
        batch: int,
        steps: int,
        device: torch.device,
    ):
        self.options, self.n, self.batch, self.steps = wanted.options, n, batch, steps
        self.generator = torch.Generator().manual_seed(wanted.seed)
        self.dictionary = wanted.new(sample.shape[1], self.options)
        self.dictionary.initialise(sample, self.generator)
        self.dictionary.to(device)
        self.optimiser = torch.optim.Adam(
            self.dictionary.parameters(), lr=self.options.learning_rate, betas=(0.9, 0.999)
        )
        self.device, self.window = device, dead_window(n, self.options)
        self.silent = torch.zeros(self.dictionary.width, dtype=torch.long, device=device)
        self.done = self.best_step = self.looks_without_gain = 0
        self.best, self.best_weights = -float("inf"), None
        self.curve: list[tuple[float, float]] = []
        self.ended = False

    @property
    def look_is_due(self) -> bool:
        """It is time to look at the selection block."""
        every = max(1, self.steps // self.options.checks)
        return self.done % every == 0 or self.done == self.steps

    def step(self, x: torch.Tensor) -> None:
        """Learn from a batch, (batch, dim), centred and scaled."""
        share = (self.done + 1) / (self.steps + 1)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate_at(share, self.options)
        self.dictionary.k = k_at(share, self.options)
        mixed = self.options.precision == "bf16-mixed"
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=mixed):
            loss = self.dictionary.loss(x, self.silent > self.window)
        self.optimiser.zero_grad(set_to_none=True)
        loss.total.backward()
        self.dictionary.remove_parallel_gradient()
        torch.nn.utils.clip_grad_norm_(self.dictionary.parameters(), LONGEST_GRADIENT)
        self.optimiser.step()
        self.dictionary.normalise_rows()
        self.silent += len(x)
        self.silent[loss.fired] = 0
        self.done += 1

    def look(self, selection: torch.Tensor) -> float:
        """Keep the weights if they explain the selection block best; end where none did lately.

        Args:
            selection: (m, dim), centred and scaled.

        Returns:
            The explained variance.
        """
        seen = reconstruct(self.dictionary, selection)
        explained = seen.explained_variance
        counts = seen.l0 <= MOST_L0 * self.options.k
        counts &= self.done >= self.dictionary.settles * self.steps
        self.curve.append((self.done * self.batch / self.n, explained))
        if counts:
            self.looks_without_gain += 1
        if counts and explained > self.best:
            self.best, self.best_step, self.looks_without_gain = explained, self.done, 0
            self.best_weights = _copied(self.dictionary)
        self.ended = self.looks_without_gain >= self.options.patience or self.done == self.steps
        return explained

    def trained(self, centre: torch.Tensor, scale: float) -> Trained:
        """The dictionary with its best weights, for raw activations: scale × input + centre."""
        best, step = self.best, self.best_step
        if self.best_weights is None:
            best, step = self.curve[-1][1], self.done
        else:
            self.dictionary.load_state_dict(self.best_weights)
        self.dictionary.k = self.options.k
        folded = self.dictionary.cpu().fold(centre, scale).requires_grad_(False)
        return Trained(folded, best, step * self.batch / self.n, tuple(self.curve))

    def tensors(self) -> dict[str, torch.Tensor]:
        """The arrays of the state, by name."""
        kept = {f"now.{name}": value for name, value in self.dictionary.state_dict().items()}
        for name, value in (self.best_weights or {}).items():
            kept[f"best.{name}"] = value
        for name, parameter in self.dictionary.named_parameters():
            for part, tensor in self.optimiser.state.get(parameter, {}).items():
                kept[f"{part}.{name}"] = tensor
        return kept | {"silent": self.silent}

    def facts(self) -> dict[str, Any]:
        """The rest of the state."""
        return {
            "done": self.done,
            "best": self.best,
            "best_step": self.best_step,
            "looks_without_gain": self.looks_without_gain,
            "curve": self.curve,
            "ended": self.ended,
        }

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> None:
        """Go on from a state that `tensors` and `facts` gave."""
        for name, value in facts.items():
            setattr(self, name, value)
        self.curve = [tuple(point) for point in self.curve]
        names = self.dictionary.state_dict()
        self.dictionary.load_state_dict({name: tensors[f"now.{name}"] for name in names})
        if any(name.startswith("best.") for name in tensors):
            self.best_weights = {name: tensors[f"best.{name}"].to(self.device) for name in names}
        for name, parameter in self.dictionary.named_parameters():
            if f"{ADAM_STATE[0]}.{name}" in tensors:
                state = {part: tensors[f"{part}.{name}"] for part in ADAM_STATE}
                moments = {part: state[part].to(parameter.device) for part in ADAM_STATE[1:]}
                self.optimiser.state[parameter] = state | moments
        self.silent = tensors["silent"].to(self.device)


def _copied(dictionary: Dictionary) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in dictionary.state_dict().items()}

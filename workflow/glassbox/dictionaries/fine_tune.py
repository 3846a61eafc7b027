"""A dictionary trained on through the decoder, so that its splice changes the answers least.

Minimised is the divergence of the spliced decoder's answers from the clean ones, KL(clean ‖
spliced), a mean over trials and tasks, plus the dictionary's own loss; the decoder stays as it is,
and no label is looked at. The weights with the least of both on selection trials are kept, those it
began with among them. Without `answers` all is the same but that the divergence is not looked at:
what as many steps on reconstruction alone give.

Source: Braun et al. 2024, "Identifying functionally important features with end-to-end sparse
dictionary learning", arXiv 2405.12241; after training on reconstruction: Karvonen 2025, "Revisiting
end-to-end sparse autoencoder training: a short finetune is all you need", arXiv 2503.17272.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.resume import answers_from
from glassbox.dictionaries.activations import DecodedSession, HookTrials
from glassbox.dictionaries.augment import copies_of
from glassbox.dictionaries.cached import Activations
from glassbox.dictionaries.dictionary import Dictionary
from glassbox.dictionaries.fine_tune_options import FineTuneOptions
from glassbox.dictionaries.metrics import reconstruct
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.dictionaries.training import LONGEST_GRADIENT, MOST_L0
from glassbox.tensors.splits import SELECTION


@dataclass(frozen=True)
class Shown:
    """Trials at the hook, with what the clean decoder answers.

    Attributes:
        hook: where in the decoder.
        value: (trials, latents, dim).
        beside: what the value is added to, the same shape, or None.
        sessions: of each trial, (trials,) of texts.
        clean: log-probabilities by task, (trials, classes).
    """

    hook: str
    value: torch.Tensor
    beside: torch.Tensor | None
    sessions: np.ndarray
    clean: Mapping[str, torch.Tensor]

    @classmethod
    def of(
        cls,
        decoder: FittedDecoder,
        hook: str,
        value: torch.Tensor,
        beside: torch.Tensor | None,
        sessions: np.ndarray,
    ) -> Shown:
        """The trials as they passed the hook."""
        said = decoder.answers(hook, value, sessions, beside)
        # Clones: what was made for inference alone cannot be part of a loss.
        clean = {task: logits.log_softmax(-1).clone() for task, logits in said.items()}
        return cls(hook, value, beside, sessions, clean)

    @classmethod
    def of_trials(cls, decoder: FittedDecoder, trials: HookTrials) -> Shown:
        """The trials with all of their cells."""
        return cls.of(decoder, trials.hook, trials.latents, trials.beside, trials.session)

    def take(self, places: torch.Tensor) -> Shown:
        """The trials at these places."""
        return Shown(
            self.hook,
            self.value[places],
            None if self.beside is None else self.beside[places],
            self.sessions[places.numpy()],
            {task: said[places] for task, said in self.clean.items()},
        )

    def __len__(self) -> int:
        return len(self.value)


def together(parts: Sequence[Shown]) -> Shown:
    """Trials of one hook as one."""
    first = parts[0]
    return Shown(
        first.hook,
        torch.cat([part.value for part in parts]),
        None if first.beside is None else torch.cat([part.beside for part in parts]),
        np.concatenate([part.sessions for part in parts]),
        {task: torch.cat([part.clean[task] for part in parts]) for task in first.clean},
    )


@torch.no_grad()
def training_trials(
    decoder: FittedDecoder, sessions: Sequence[DecodedSession], options: DictionaryOptions
) -> Shown:
    """The training trials of the body's sessions, in all the copies of training."""
    parts = []
    for session, windows, kept in copies_of(decoder, sessions, options):
        seen = decoder.at(options.hook, session.data.session, windows, kept)
        beside = None if seen.beside is None else seen.beside.clone()
        names = np.full(len(windows), session.data.session)
        parts.append(Shown.of(decoder, options.hook, seen.value.clone(), beside, names))
    return together(parts)


def fine_tuned(
    dictionary: Dictionary,
    seen: Activations,
    options: DictionaryOptions,
    seed: int,
    progress: Callable[[int, str], None] | None = None,
) -> Dictionary:
    """The dictionary, trained on through its decoder; as it was where selection gains nothing.

    Args:
        dictionary: folded for raw activations, as `train_dictionary` gives it.
        seen: what it was learned from; of sessions that memory has no room for, a share.
        options: of the dictionary, with `fine_tune`.
        seed: of the order of trials.
        progress: called with the number of activations of some steps and a short note.
    """
    wanted, decoder = options.fine_tune, seen.decoder
    sessions, trials = seen.some_trials()
    train = training_trials(decoder, sessions, options)
    selection = Shown.of_trials(decoder, trials.in_part(SELECTION))
    # Rows of norm 1 and inputs to match, as in training on reconstruction.
    scale = float(dictionary.W_dec.norm(dim=1).mean())
    nothing = torch.zeros(dictionary.dim)
    tuned = dictionary.fold(nothing, 1 / scale).requires_grad_(True)
    optimiser = torch.optim.Adam(tuned.parameters(), lr=wanted.learning_rate)
    generator = torch.Generator().manual_seed(seed)
    size = min(wanted.batch_trials, len(train))
    activations = size * train.value.shape[1]
    steps = max(1, wanted.samples // activations)
    look_every = max(1, steps // options.checks)
    best = _minimised(cost(tuned, decoder, selection, scale, wanted.weight), wanted)
    best_weights, looks_without_gain = copy.deepcopy(tuned.state_dict()), 0
    order = torch.empty(0, dtype=torch.long)
    for step in range(steps):
        if len(order) < size:
            order = torch.randperm(len(train), generator=generator)
        some, order = train.take(order[:size]), order[size:]
        for group in optimiser.param_groups:
            group["lr"] = wanted.learning_rate * (1 - step / steps)
        total = wanted.weight * tuned.loss(some.value.flatten(0, 1) / scale).total
        if wanted.answers:
            total = total + divergences(tuned, decoder, some, scale).mean()
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        tuned.remove_parallel_gradient()
        torch.nn.utils.clip_grad_norm_(tuned.parameters(), LONGEST_GRADIENT)
        optimiser.step()
        tuned.normalise_rows()
        done = step + 1
        if done % look_every and done < steps:
            continue
        found = cost(tuned, decoder, selection, scale, wanted.weight)
        now, diverged, l0 = _minimised(found, wanted), *found[1:]
        looks_without_gain += 1
        if now < best and l0 <= MOST_L0 * options.k:
            best, looks_without_gain = now, 0
            best_weights = copy.deepcopy(tuned.state_dict())
        ended = looks_without_gain >= options.patience or done == steps
        if progress is not None:
            left = steps - done if ended else 0
            progress(((done - 1) % look_every + 1 + left) * activations, f"kl {diverged:.3f}")
        if ended:
            break
    tuned.load_state_dict(best_weights)
    return tuned.fold(nothing, scale).requires_grad_(False)


def divergences(
    dictionary: Dictionary, decoder: FittedDecoder, shown: Shown, scale: float
) -> torch.Tensor:
    """KL(clean ‖ spliced) of each trial's answers, nats, a mean over tasks, (trials,).

    Args:
        dictionary: of activations divided by `scale`.
        decoder: in which it is put.
        shown: trials at the hook.
    """
    made = dictionary.reconstruction(shown.value.flatten(0, 1) / scale) * scale
    said = answers_from(
        decoder.model,
        shown.hook,
        made.view_as(shown.value),
        tuple(shown.clean),
        shown.sessions,
        shown.beside,
    )
    of_tasks = [
        (clean.exp() * (clean - said[task].log_softmax(-1))).sum(-1)
        for task, clean in shown.clean.items()
    ]
    return torch.stack(of_tasks).mean(0)


@torch.no_grad()
def cost(
    dictionary: Dictionary, decoder: FittedDecoder, shown: Shown, scale: float, weight: float
) -> tuple[float, float, float]:
    """What is minimised, without a price of sparsity; the divergence alone; the mean L0."""
    diverged = float(divergences(dictionary, decoder, shown, scale).mean())
    seen = reconstruct(dictionary, shown.value.flatten(0, 1) / scale)
    return diverged + weight * seen.fvu, diverged, seen.l0


def _minimised(found: tuple[float, float, float], wanted: FineTuneOptions) -> float:
    """Of what `cost` gives, the part that is asked for."""
    return found[0] if wanted.answers else found[0] - found[1]

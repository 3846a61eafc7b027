"""Learning a dictionary from cached activations."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch

from glassbox.dictionaries.architectures import new_dictionary
from glassbox.dictionaries.dictionary import Dictionary
from glassbox.dictionaries.metrics import reconstruct
from glassbox.dictionaries.options import DictionaryOptions

MOST_DEAD_WINDOW = 10_000_000  # activations; Gao et al. 2024, A.1
LONGEST_GRADIENT = 1.0
MOST_L0 = 1.1  # × k: weights with more active units, as while a price is found, are not kept


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


def centre_and_scale(x: torch.Tensor) -> tuple[torch.Tensor, float]:
    """The mean of `x`, (n, dim), and the one number that brings its mean variance to 1."""
    wide = x.double()
    centre = wide.mean(0)
    scale = float((wide - centre).square().mean().sqrt())
    return centre.to(x.dtype), scale if scale > 0 else 1.0


def train_dictionary(
    train: torch.Tensor,
    selection: torch.Tensor,
    options: DictionaryOptions,
    seed: int,
    progress: Callable[[int, str], None] | None = None,
    new: Callable[[int, DictionaryOptions], Dictionary] = new_dictionary,
) -> Trained:
    """Learn a dictionary and keep the weights that explain the selection block best.

    Args:
        train: cached activations of training trials, (n, dim) float32, raw.
        selection: clean activations of the selection block, (m, dim) float32, raw.
        options: widths, lengths, rates.
        seed: of the initialisation and of the order of samples.
        progress: called with the number of activations of each step and a short note.
        new: makes the dictionary that is trained, from the size of an activation and the options.

    Returns:
        The dictionary with centre and scale folded into its weights, so that it takes raw
        activations.
    """
    generator = torch.Generator().manual_seed(seed)
    centre, scale = centre_and_scale(train)
    train, selection = (train - centre) / scale, (selection - centre) / scale
    n, dim = train.shape
    batch = min(options.batch, n)
    steps = max(1, options.samples // batch)
    look_every = max(1, steps // options.checks)

    dictionary = new(dim, options)
    dictionary.initialise(train, generator)
    optimiser = torch.optim.Adam(
        dictionary.parameters(), lr=options.learning_rate, betas=(0.9, 0.999)
    )
    silent = torch.zeros(options.width, dtype=torch.long)
    window = dead_window(n, options)
    best, best_weights, best_step, curve = -float("inf"), None, 0, []
    looks_without_gain = 0
    order = _shuffled(n, batch, generator)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate_at((step + 1) / (steps + 1), options)
        loss = dictionary.loss(train[next(order)], silent > window)
        optimiser.zero_grad(set_to_none=True)
        loss.total.backward()
        dictionary.remove_parallel_gradient()
        torch.nn.utils.clip_grad_norm_(dictionary.parameters(), LONGEST_GRADIENT)
        optimiser.step()
        dictionary.normalise_rows()
        silent += batch
        silent[loss.fired] = 0
        if (step + 1) % look_every == 0 or step + 1 == steps:
            seen = reconstruct(dictionary, selection)
            explained, sparse = seen.explained_variance, seen.l0 <= MOST_L0 * options.k
            sparse &= step + 1 >= dictionary.settles * steps
            curve.append(((step + 1) * batch / n, explained))
            if sparse:
                looks_without_gain += 1
            if sparse and explained > best:
                best, best_step, looks_without_gain = explained, step + 1, 0
                best_weights = copy.deepcopy(dictionary.state_dict())
            if progress is not None:
                progress(look_every * batch, f"explained variance {explained:.3f}")
            if looks_without_gain >= options.patience:
                break
    if best_weights is None:
        best, best_step = curve[-1][1], step + 1
    else:
        dictionary.load_state_dict(best_weights)
    folded = dictionary.fold(centre, scale).requires_grad_(False)
    return Trained(folded, best, best_step * batch / n, tuple(curve))


def _shuffled(n: int, batch: int, generator: torch.Generator):
    """Endless batches of indices; each pass over 0..n−1 in a new order, its rest left out."""
    while True:
        order = torch.randperm(n, generator=generator)
        yield from order[: n - n % batch].split(batch)

"""A dictionary put into the decoder, and what that costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch

from glassbox.dictionaries.dictionary import Dictionary

CONDITIONS = ("clean", "spliced", "noise")
METRICS = ("accuracy", "log_probability")
NO_CLASS = -1
Readout = Callable[[torch.Tensor], Mapping[str, torch.Tensor]]


@torch.no_grad()
def spliced(dictionary: Dictionary, latents: torch.Tensor) -> torch.Tensor:
    """The latents replaced by their reconstruction, the same shape."""
    return dictionary(latents)


@torch.no_grad()
def equal_norm_noise(
    latents: torch.Tensor, replaced: torch.Tensor, generator: torch.Generator
) -> torch.Tensor:
    """The latents plus noise as long as the reconstruction error of each, in random directions."""
    noise = torch.randn(latents.shape, generator=generator, dtype=latents.dtype)
    length = (replaced - latents).norm(dim=-1, keepdim=True)
    return latents + noise * (length / noise.norm(dim=-1, keepdim=True))


def scored(logits: torch.Tensor, labels: np.ndarray) -> tuple[np.ndarray, ...]:
    """Decoded rightly (f4), log-probability of the true class (f4), class said (i1).

    Args:
        logits: (trials, ..., classes).
        labels: class index, (trials,), −1 where a trial has none: there the first two are NaN.

    Returns:
        Three arrays, (trials, ...).
    """
    known = labels != NO_CLASS
    shape = (-1,) + (1,) * (logits.ndim - 2)
    true = torch.from_numpy(np.where(known, labels, 0)).view(-1, 1, *shape[1:])
    by_class = logits.movedim(-1, 1).contiguous()  # torch is ten times as fast along such a dim
    index = true.expand(-1, 1, *by_class.shape[2:])
    log_probability = by_class.log_softmax(1).gather(1, index)[:, 0].numpy()
    predicted = by_class.max(1).indices.numpy().astype(np.int8)
    correct = (predicted == labels.reshape(shape)).astype(np.float32)
    if not known.all():
        log_probability[~known], correct[~known] = np.nan, np.nan
    return correct, log_probability, predicted


@torch.no_grad()
def insertion_scores(
    dictionary: Dictionary,
    latents: torch.Tensor,
    labels: Mapping[str, np.ndarray],
    readout: Readout,
    noise_draws: int,
    generator: torch.Generator,
    mean: torch.Tensor | None = None,
) -> dict[tuple[str, str, str], np.ndarray]:
    """Scores of each trial by (condition, task, metric), (trials,) f8; noise is a mean of draws.

    Beside `CONDITIONS` there are the denominators of loss recovered: `zeroed`, latents of zero,
    and, where their `mean` over other trials is given, (latents, dim), `averaged`.
    """
    replaced = spliced(dictionary, latents)
    versions = [("clean", latents), ("spliced", replaced), ("zeroed", torch.zeros_like(latents))]
    if mean is not None:
        versions.append(("averaged", mean.expand_as(latents)))
    for _ in range(noise_draws):
        versions.append(("noise", equal_norm_noise(latents, replaced, generator)))
    scores: dict[tuple[str, str, str], np.ndarray] = {}
    for condition, version in versions:
        share = 1 / noise_draws if condition == "noise" else 1.0
        for task, logits in readout(version).items():
            correct, probable, _ = scored(logits, labels[task])
            for metric, values in zip(METRICS, (correct, probable), strict=True):
                key = (condition, task, metric)
                scores[key] = scores.get(key, 0.0) + share * values.astype(np.float64)
    return scores

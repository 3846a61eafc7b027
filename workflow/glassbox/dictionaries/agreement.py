"""How alike the units of two dictionaries are, in direction or in activation, one to one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

SAME = 0.9  # cosine above which a direction counts as found again


class Agreement(NamedTuple):
    """How much of one set of directions is in another.

    Attributes:
        matched_cosine: mean cosine of pairs, each direction of the smaller set with one of its own
            in the other, chosen so that the mean is highest.
        recall: share of the first set with a direction in the second whose cosine exceeds 0.9.
    """

    matched_cosine: float
    recall: float


def agreement(first: torch.Tensor, second: torch.Tensor) -> Agreement:
    """Match two sets of directions, (n, dim) and (m, dim); a direction and its opposite differ.

    Source: Paulo & Belrose 2025, "Sparse autoencoders trained on the same data learn different
    features", arXiv 2501.16615, for matching by the Hungarian method.
    """
    cosine = functional.normalize(first.double(), dim=1)
    return _matched(cosine @ functional.normalize(second.double(), dim=1).T)


def activation_agreement(
    first: np.ndarray, second: np.ndarray, shuffled: int | None = None
) -> Agreement:
    """Match units by what they do in the same trials: correlations in the place of cosines.

    So dictionaries of different decoders are compared, whose directions have nothing in common.
    Units that do the same in every trial are left out.

    Args:
        first, second: activations, (trials, n) and (trials, m).
        shuffled: a seed that shuffles the trials of the second: what is found by chance.
    """
    if shuffled is not None:
        second = np.random.default_rng(shuffled).permutation(second)
    first, second = (_standardised(torch.from_numpy(each)) for each in (first, second))
    if min(first.shape[1], second.shape[1]) == 0:
        return Agreement(float("nan"), float("nan"))
    return _matched(first.T @ second / len(first))


def _standardised(activations: torch.Tensor) -> torch.Tensor:
    """(trials, n) → (trials, those that vary), mean 0, mean square 1."""
    centred = activations.double() - activations.double().mean(0)
    size = centred.square().mean(0).sqrt()
    varying = size > 1e-9
    return centred[:, varying] / size[varying]


def _matched(cosine: torch.Tensor) -> Agreement:
    """Pairs that sum highest, of the cosines of each with each, (n, m)."""
    from scipy.optimize import linear_sum_assignment  # half a second that one seed does not need

    rows, columns = linear_sum_assignment(cosine.numpy(), maximize=True)
    return Agreement(
        float(cosine[rows, columns].mean()),
        float((cosine.max(1).values > SAME).double().mean()),
    )


def random_agreement(n: int, m: int, dim: int, seed: int) -> Agreement:
    """What directions without anything in common agree by chance."""
    generator = torch.Generator().manual_seed(seed)
    return agreement(
        torch.randn(n, dim, generator=generator), torch.randn(m, dim, generator=generator)
    )


def coherence(rows: torch.Tensor) -> tuple[float, float]:
    """Mean over rows, (n, dim), of the largest cosine with another row; and the largest of all."""
    unit = functional.normalize(rows.double(), dim=1)
    cosine = (unit @ unit.T).fill_diagonal_(-1)
    nearest = cosine.max(1).values
    return float(nearest.mean()), float(nearest.max())

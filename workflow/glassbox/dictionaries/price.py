"""The price of sparsity, steered so that a wanted number of units fires."""

from __future__ import annotations

import math

import torch
from torch import nn

STEEPEST = 1.0


class Price(nn.Module):
    """A weight of the sparsity term that rises while more than k units fire, and falls below.

    So `k` means the same for every architecture, and no weight is tuned by hand. It lies in a
    buffer: weights that are put back bring their price along.
    """

    def __init__(self, start: float, rate: float):
        """A first price, and the change of its logarithm in a step, for each e of L0 over k."""
        super().__init__()
        self.rate = rate
        self.register_buffer("value", torch.tensor(start))

    @torch.no_grad()
    def next(self, l0: float, k: int) -> float:
        """The price of this step, given how many units fire in a sample; ready for the next."""
        price = float(self.value)
        excess = math.log(max(l0, 1e-3) / k)
        self.value *= math.exp(self.rate * min(max(excess, -STEEPEST), STEEPEST))
        return price


def exceeded_by(pre: torch.Tensor, k: int) -> float:
    """What k pre-activations in a sample exceed on average, pre (n, width); above 0."""
    kept = pre.relu().reshape(-1).topk(k * len(pre), sorted=False).values
    return max(float(kept.min()), 1e-6)

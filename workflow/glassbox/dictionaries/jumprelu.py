"""The JumpReLU sparse autoencoder: each unit has a threshold of its own.

Source: Rajamanoharan et al. 2024, "Jumping ahead: improving reconstruction fidelity with JumpReLU
sparse autoencoders", arXiv 2407.14435, section 3 and appendix J.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.autograd.function import once_differentiable

from glassbox.dictionaries.dictionary import FIRED, Loss, variance
from glassbox.dictionaries.encoder import LinearlyEncoded
from glassbox.dictionaries.price import Price, exceeded_by
from glassbox.dictionaries.sparse import SparseCode

SAMPLE = 4096  # inputs from which the first thresholds are taken
BANDWIDTH = 0.5  # × the thresholds that training starts with


class _JumpReLU(torch.autograd.Function):
    """`pre` where it exceeds the threshold, else 0.

    The output jumps by the threshold where `pre` crosses it, so its mean over inputs changes with
    the threshold by −threshold × density there. The density is estimated from the inputs within
    half a bandwidth of it (a rectangle kernel).
    """

    @staticmethod
    def forward(ctx, pre, threshold, bandwidth):
        ctx.save_for_backward(pre, threshold)
        ctx.bandwidth = bandwidth
        return pre * (pre > threshold)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        pre, threshold = ctx.saved_tensors
        near = _rectangle(pre - threshold, ctx.bandwidth)
        of_threshold = -(threshold / ctx.bandwidth) * (near * grad).sum(0)
        return grad * (pre > threshold), of_threshold, None


class _Step(torch.autograd.Function):
    """1 where `pre` exceeds the threshold, else 0; the same estimate of how the mean changes."""

    @staticmethod
    def forward(ctx, pre, threshold, bandwidth):
        ctx.save_for_backward(pre, threshold)
        ctx.bandwidth = bandwidth
        return (pre > threshold).to(pre.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        pre, threshold = ctx.saved_tensors
        near = _rectangle(pre - threshold, ctx.bandwidth)
        return None, -(near * grad).sum(0) / ctx.bandwidth, None


def jump_relu(pre: torch.Tensor, threshold: torch.Tensor, bandwidth: float) -> torch.Tensor:
    """(n, width), (width,) → (n, width)."""
    return _JumpReLU.apply(pre, threshold, bandwidth)


def step(pre: torch.Tensor, threshold: torch.Tensor, bandwidth: float) -> torch.Tensor:
    """(n, width), (width,) → (n, width) of 0 and 1."""
    return _Step.apply(pre, threshold, bandwidth)


def _rectangle(distance: torch.Tensor, bandwidth: float) -> torch.Tensor:
    return (distance.abs() < bandwidth / 2).to(distance.dtype)


class JumpReluDictionary(LinearlyEncoded):
    """`z = pre · 1(pre > threshold)`, `loss = error/variance + price · L0 / dim`, plus AuxK.

    The threshold is learned as its logarithm, so it stays above 0. The price is steered in training
    so that k units fire in a sample on average.
    """

    architecture = "jumprelu"
    settles = 0.5  # until the price has found its place

    def __init__(self, dim: int, width: int, k: int, k_aux: int = 32, aux_weight: float = 1 / 32):
        super().__init__(dim, width, k, k_aux, aux_weight)
        self.log_threshold = nn.Parameter(torch.zeros(width))
        self.register_buffer("bandwidth", torch.tensor(1.0))
        self.price = Price(start=0.2, rate=0.03)

    @torch.no_grad()
    def initialise(self, x: torch.Tensor, generator: torch.Generator) -> None:
        """As the others, with the one threshold that k units exceed in a sample on average."""
        self.log_threshold.fill_(-torch.inf)
        super().initialise(x, generator)
        threshold = exceeded_by(self.pre_activations(x[:SAMPLE]), self.k)
        self.log_threshold.fill_(math.log(threshold))
        self.bandwidth.fill_(BANDWIDTH * threshold)

    def first_code(self, x: torch.Tensor) -> SparseCode:
        chosen = self.choose(x, self.k)
        return SparseCode(chosen.values.relu(), chosen.units)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """(..., dim) → (..., width)."""
        pre = self.pre_activations(x)
        return pre * (pre > self.log_threshold.exp())

    def loss(self, x: torch.Tensor, dead: torch.Tensor | None = None) -> Loss:
        """Mean squared error over the batch's variance, plus the priced L0, plus AuxK."""
        pre, threshold = self.pre_activations(x), self.log_threshold.exp()
        z = jump_relu(pre, threshold, float(self.bandwidth))
        residual = x - self.decode(z)
        reconstruction = residual.square().mean() / variance(x)
        sparsity = step(pre, threshold, float(self.bandwidth)).sum(1).mean() / self.dim
        auxiliary = self.auxiliary(x, residual.detach(), dead)
        fired = z.detach() > FIRED
        l0 = float(fired.sum()) / len(x)
        price = self.price.next(l0, self.k)
        return Loss(
            reconstruction + price * sparsity + self.aux_weight * auxiliary,
            {"reconstruction": reconstruction, "sparsity": sparsity, "auxiliary": auxiliary},
            fired.any(0),
            l0,
        )

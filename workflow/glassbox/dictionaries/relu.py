"""The sparse autoencoder with ReLU and an L1 penalty.

Source: Bricken et al. 2023, "Towards monosemanticity", Transformer Circuits; decoder rows of norm
1 as there, so that a code cannot be made small by making rows long.
"""

from __future__ import annotations

import torch

from glassbox.dictionaries.dictionary import FIRED, Loss, variance
from glassbox.dictionaries.encoder import LinearlyEncoded
from glassbox.dictionaries.price import Price


class ReluDictionary(LinearlyEncoded):
    """`z = ReLU(pre)`, `loss = error/variance + price · Σ|z| / dim`, plus AuxK.

    The price is steered in training so that k units fire in a sample on average. AuxK is an
    addition: without it a unit that no input excites stays dead for ever.
    """

    architecture = "relu"
    settles = 0.5  # until the price has found its place

    def __init__(self, dim: int, width: int, k: int, k_aux: int = 32, aux_weight: float = 1 / 32):
        super().__init__(dim, width, k, k_aux, aux_weight)
        self.price = Price(start=0.2, rate=0.01)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """(..., dim) → (..., width)."""
        return self.pre_activations(x).relu()

    def loss(self, x: torch.Tensor, dead: torch.Tensor | None = None) -> Loss:
        """Mean squared error over the batch's variance, plus the priced L1 norm, plus AuxK."""
        z = self.encode(x)
        residual = x - self.decode(z)
        reconstruction = residual.square().mean() / variance(x)
        sparsity = z.sum(1).mean() / self.dim
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

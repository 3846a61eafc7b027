"""What dictionaries with a linear encoder share: weights, initialisation, AuxK.

Source of AuxK and of the initialisation: Gao et al. 2024, "Scaling and evaluating sparse
autoencoders", arXiv 2406.04093, sections A.1 and A.2.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from glassbox.dictionaries.dictionary import (
    Dictionary,
    geometric_median,
    random_rows,
    variance,
)
from glassbox.dictionaries.sparse import (
    Chosen,
    Entries,
    SparseCode,
    choose,
    pre_activations,
    sum_of_rows,
)


class LinearlyEncoded(Dictionary):
    """`pre = W_enc (x − b_dec) + b_enc`; which entries stay is up to the architecture.

    Parameters beside the decoder's: `W_enc` (width, dim), `b_enc` (width,).
    """

    def __init__(self, dim: int, width: int, k: int, k_aux: int = 32, aux_weight: float = 1 / 32):
        super().__init__()
        self.k, self.k_aux, self.aux_weight = k, k_aux, aux_weight
        self.W_enc = nn.Parameter(torch.zeros(width, dim))
        self.b_enc = nn.Parameter(torch.zeros(width))
        self.W_dec = nn.Parameter(torch.zeros(width, dim))
        self.b_dec = nn.Parameter(torch.zeros(dim))

    @property
    def centre(self) -> torch.Tensor:
        """What is taken from an input before it is encoded, (dim,)."""
        return self.b_dec

    @torch.no_grad()
    def initialise(self, x: torch.Tensor, generator: torch.Generator) -> None:
        """Random unit rows, the encoder tied to them and scaled, the bias at the data's centre.

        The encoder is divided by the mean norm of the reconstructions of random inputs of norm 1,
        so that a reconstruction starts out as long as its input.

        Args:
            x: training inputs, (n, dim), centred and scaled.
            generator: source of the randomness.
        """
        self.W_dec.copy_(random_rows(self.width, self.dim, self.W_dec, generator))
        self.W_enc.copy_(self.W_dec)
        self.b_enc.zero_()
        self.b_dec.zero_()
        probes = functional.normalize(torch.randn(1024, self.dim, generator=generator), dim=1)
        code = self.first_code(probes.to(self.W_dec))
        self.W_enc /= self.decode_sparse(code).norm(dim=1).mean()
        self.b_dec.copy_(geometric_median(x))

    def first_code(self, x: torch.Tensor) -> SparseCode:
        """The code of untrained weights that `initialise` scales."""
        return self.code(x)

    def pre_activations(self, x: torch.Tensor) -> torch.Tensor:
        """(n, dim) → (n, width), before anything is left out."""
        return functional.linear(x - self.centre, self.W_enc, self.b_enc)

    def choose(self, x: torch.Tensor, k: int, dead: torch.Tensor | None = None) -> Chosen:
        """The k largest pre-activations of each sample, and of the dead units; no gradient."""
        with torch.no_grad():
            return choose(x - self.centre, self.W_enc, self.b_enc, k, dead, self.k_aux)

    def entries(self, values: torch.Tensor, x: torch.Tensor, where: Entries) -> torch.Tensor:
        """Pre-activations (m,) with the way back to the weights."""
        return pre_activations(values, x, self.centre, self.W_enc, self.b_enc, where)

    def auxiliary(
        self, x: torch.Tensor, residual: torch.Tensor, dead: torch.Tensor | None
    ) -> torch.Tensor:
        """AuxK of inputs (n, dim) whose residual is known; see `auxiliary_of`."""
        return self.auxiliary_of(self.choose(x, 1, dead), x, residual)

    def auxiliary_of(self, chosen: Chosen, x: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
        """AuxK: how badly the best dead units alone explain what the others left over.

        The pre-activations enter raw (after a ReLU, a unit that is negative everywhere would never
        move), the bias does not enter (the residual has none left), and the residual is a
        constant: dead units chase it, the living do not run from it.

        Args:
            chosen: which dead units, (n, k_aux).
            x: (n, dim).
            residual: `x − x̂`, (n, dim), without gradient.

        Returns:
            Mean squared error over the residual's variance; 0 where no unit is dead.
        """
        if chosen.dead_units.shape[1] == 0:
            return x.new_zeros(())
        where = Entries.of(chosen.dead_units, self.width)
        values = self.entries(chosen.dead_values.reshape(-1), x, where)
        error = sum_of_rows(values, self.W_dec, where) - residual
        return error.square().mean() / variance(residual)

"""The matching pursuit autoencoder (MP-SAE): each unit is chosen for what the others left over.

Source: Costa et al. 2025, "From flat to hierarchical: extracting sparse representations with
matching pursuit", arXiv 2506.03093; Mallat & Zhang 1993 for matching pursuit itself.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from glassbox.dictionaries.dictionary import (
    FIRED,
    Dictionary,
    Loss,
    geometric_median,
    random_rows,
    variance,
)
from glassbox.dictionaries.sparse import BLOCK, Entries, SparseCode
from glassbox.dictionaries.topk import has_fired


@torch.no_grad()
def pursue(x: torch.Tensor, rows: torch.Tensor, k: int) -> tuple[SparseCode, torch.Tensor]:
    """k steps of matching pursuit that takes no unit away: every coefficient is at least 0.

    Each step takes the row that the residual lies most along, and subtracts that part. The
    correlations with all rows follow the residual through the rows' products with each other.

    Args:
        x: (n, dim), centred.
        rows: (width, dim), all of the same norm.
        k: steps; a unit may be taken more than once.

    Returns:
        Coefficient and unit of each step, (n, k); what is left over, (n, dim).
    """
    n, norm2 = len(x), rows.square().sum(1)
    values = x.new_empty(n, k)
    units = torch.empty(n, k, dtype=torch.long, device=x.device)
    products = rows @ rows.T / norm2
    for first in range(0, n, BLOCK):
        block = slice(first, first + BLOCK)
        along = x[block] @ rows.T / norm2
        for step in range(k):
            best = along.max(1)
            taken = best.values.clamp_min(0)
            values[block, step], units[block, step] = taken, best.indices
            if step + 1 < k:
                along.addcmul_(taken[:, None], products[best.indices], value=-1)
    taken = functional.embedding_bag(units, rows, per_sample_weights=values, mode="sum")
    return SparseCode(values, units), x - taken


class _Pursuit(torch.autograd.Function):
    """What matching pursuit leaves over, differentiated through all steps for the steps taken.

    A step subtracts from the residual `c d`, `c = (r·d)/(d·d)`, and so does its transpose from the
    gradient. A residual is the next one plus what the step took, so none is kept.
    """

    @staticmethod
    def forward(ctx, x, rows, values, units, left):
        ctx.save_for_backward(rows, values, units, left)
        return left.view_as(left)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        rows, values, units, residual = ctx.saved_tensors
        norm2 = rows.square().sum(1)
        of_rows = []
        for step in reversed(range(units.shape[1])):
            c = values[:, step, None]
            d = rows[units[:, step]]
            active = (c > 0).to(c.dtype)
            part = active * (grad * d).sum(1, keepdim=True) / norm2[units[:, step], None]
            before = residual + c * d
            # Of c d with respect to d, at c = (r·d)/(d·d): c g + (g·d)/(d·d) (r − 2 c d).
            of_rows.append(-(c * grad + part * (before - 2 * c * d)))
            grad, residual = grad - part * d, before
        of_rows.reverse()
        where = Entries.of(units, len(rows))
        order, _, starts = where.by_unit
        flat = torch.stack(of_rows, 1).flatten(0, 1)
        of_weight = functional.embedding_bag(order, flat, starts, mode="sum")
        return grad, of_weight, None, None, None


class MatchingPursuitDictionary(Dictionary):
    """k steps of matching pursuit on `x − b_dec`; encoder and decoder are the same rows.

    Parameters: the decoder's alone. What a step gives a unit adds to what it has.
    """

    architecture = "matching_pursuit"

    def __init__(self, dim: int, width: int, k: int, k_aux: int = 32, aux_weight: float = 1 / 32):
        super().__init__()
        self.k, self.k_aux, self.aux_weight = k, k_aux, aux_weight
        self.W_dec = nn.Parameter(torch.zeros(width, dim))
        self.b_dec = nn.Parameter(torch.zeros(dim))

    @torch.no_grad()
    def initialise(self, x: torch.Tensor, generator: torch.Generator) -> None:
        """Random unit rows, the bias at the centre of the data, (n, dim)."""
        self.W_dec.copy_(random_rows(self.width, self.dim, self.W_dec, generator))
        self.b_dec.copy_(geometric_median(x))

    @torch.no_grad()
    def code(self, x: torch.Tensor) -> SparseCode:
        """(n, dim) → the code in sparse form: one entry for each unit that was taken."""
        z = self.encode(x)
        values, units = z.topk(min(self.k, self.width), dim=1, sorted=False)
        return SparseCode(values, units)

    @torch.no_grad()
    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """(..., dim) → (..., width), at most k entries above 0."""
        flat = x.reshape(-1, self.dim)
        (values, units), _ = pursue(flat - self.b_dec, self.W_dec, self.k)
        z = torch.zeros(len(flat), self.width, dtype=flat.dtype, device=flat.device)
        return z.scatter_add(1, units, values).reshape(*x.shape[:-1], self.width)

    def reconstruction(self, x: torch.Tensor) -> torch.Tensor:
        """The reconstruction with the way back through all steps, (n, dim)."""
        centred = x - self.b_dec
        with torch.no_grad():
            (values, units), left = pursue(centred, self.W_dec, self.k)
        return x - _Pursuit.apply(centred, self.W_dec, values, units, left)

    def loss(self, x: torch.Tensor, dead: torch.Tensor | None = None) -> Loss:
        """Mean squared norm of what is left over, over the batch's variance, plus AuxK.

        A dead unit chases what is left over after k steps: it is what it would be chosen for.
        """
        centred = x - self.b_dec
        with torch.no_grad():
            (values, units), left = pursue(centred, self.W_dec, self.k)
        residual = _Pursuit.apply(centred, self.W_dec, values, units, left)
        reconstruction = residual.square().mean() / variance(x)
        auxiliary = self.auxiliary(left, dead)
        active = values > FIRED
        return Loss(
            reconstruction + self.aux_weight * auxiliary,
            {"reconstruction": reconstruction, "auxiliary": auxiliary},
            has_fired(units[active], self.width),
            float(active.sum()) / len(x),
        )

    def auxiliary(self, left: torch.Tensor, dead: torch.Tensor | None) -> torch.Tensor:
        """How badly one step with the best dead unit explains what is left over, (n, dim).

        Returns:
            Mean squared error over the variance of what is left; 0 where no unit is dead.
        """
        if dead is None or not bool(dead.any()):
            return left.new_zeros(())
        of_dead = dead.nonzero()[:, 0]
        with torch.no_grad():
            best = of_dead[(left @ self.W_dec[of_dead].T).argmax(1)]
        d = self.W_dec[best]
        along = (left * d).sum(1, keepdim=True)
        return (left - along * d).square().mean() / variance(left)

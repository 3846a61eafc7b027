"""The BatchTopK sparse autoencoder: k units in a sample on average, as many as each needs.

Source: Bussmann, Leask & Nanda 2024, "BatchTopK sparse autoencoders", arXiv 2412.06410.
"""

from __future__ import annotations

import torch

from glassbox.dictionaries.dictionary import FIRED, Loss, variance
from glassbox.dictionaries.encoder import LinearlyEncoded
from glassbox.dictionaries.sparse import BLOCK, Chosen, Entries, SparseCode, sum_of_rows
from glassbox.dictionaries.topk import has_fired

MOMENTUM = 0.99  # of the running threshold


class BatchTopKDictionary(LinearlyEncoded):
    """In training the k·n largest pre-activations of a batch of n samples stay, if above 0.

    In evaluation a sample must not depend on what else is in the batch: what exceeds `threshold`
    stays, the running mean of the smallest value kept in a batch of training.
    """

    architecture = "batch_topk"

    def __init__(self, dim: int, width: int, k: int, k_aux: int = 32, aux_weight: float = 1 / 32):
        super().__init__(dim, width, k, k_aux, aux_weight)
        self.register_buffer("threshold", torch.tensor(-1.0))  # below 0: no batch was seen yet

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """(..., dim) → (..., width): pre-activations above the running threshold."""
        pre = self.pre_activations(x)
        return pre.where(pre > self.threshold.clamp_min(0), pre.new_zeros(()))

    def first_code(self, x: torch.Tensor) -> SparseCode:
        chosen = self.choose(x, self.k)
        return SparseCode(chosen.values.relu(), chosen.units)

    def loss(self, x: torch.Tensor, dead: torch.Tensor | None = None) -> Loss:
        """Mean squared error over the batch's variance, plus AuxK where units are dead."""
        kept, where, chosen = self.keep(x, dead)
        values = self.entries(kept, x, where)
        residual = x - sum_of_rows(values, self.W_dec, where) - self.b_dec
        reconstruction = residual.square().mean() / variance(x)
        auxiliary = self.auxiliary_of(chosen, x, residual.detach())
        active = kept > FIRED
        return Loss(
            reconstruction + self.aux_weight * auxiliary,
            {"reconstruction": reconstruction, "auxiliary": auxiliary},
            has_fired(where.units[active], self.width),
            float(active.sum()) / len(x),
        )

    @torch.no_grad()
    def keep(
        self, x: torch.Tensor, dead: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, Entries, Chosen]:
        """The k·n largest pre-activations of a batch (n, dim), those above 0, and whose they are.

        No (n, width) array is made. The 2k largest of each sample are looked at first; the k·n-th
        of those cannot exceed the k·n-th of all. A sample whose 2k are all as large may have more,
        so all of its units are looked at.
        """
        n, looked = len(x), min(2 * self.k, self.width)
        chosen = self.choose(x, looked, dead)
        at_least = _nth_largest(chosen.values, self.k * n)
        rows = torch.arange(n, device=x.device).repeat_interleave(looked)
        values, units = chosen.values.reshape(-1), chosen.units.reshape(-1)
        full = (chosen.values.amin(1) >= at_least).nonzero()[:, 0]
        if looked < self.width and len(full):
            others = torch.ones(n, dtype=torch.bool, device=x.device)
            others[full] = False
            others = others[rows]
            more = [(values[others], units[others], rows[others])]
            for block in full.split(BLOCK):
                pre = self.pre_activations(x[block])
                row, unit = (pre >= at_least).nonzero(as_tuple=True)
                more.append((pre[row, unit], unit, block[row]))
            values, units, rows = (torch.cat(parts) for parts in zip(*more, strict=True))
        best = values.topk(min(self.k * n, len(values)), sorted=False).indices
        best = best[values[best] > 0]
        order = (rows[best] * self.width + units[best]).argsort()
        best = best[order]
        kept = values[best]
        if len(kept):
            self._follow(kept.min())
        return kept, Entries(units[best], rows[best], n, self.width), chosen

    def _follow(self, smallest: torch.Tensor) -> None:
        if self.threshold < 0:
            self.threshold.copy_(smallest)
        else:
            self.threshold.lerp_(smallest.to(self.threshold), 1 - MOMENTUM)


def _nth_largest(values: torch.Tensor, n: int) -> torch.Tensor:
    """The n-th largest of all values."""
    return values.reshape(-1).topk(n, sorted=False).values.min()

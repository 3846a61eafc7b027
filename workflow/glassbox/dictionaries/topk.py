"""The TopK sparse autoencoder with AuxK.

Source: Gao et al. 2024, "Scaling and evaluating sparse autoencoders", arXiv 2406.04093,
sections 2.3, A.1 and A.2.
"""

from __future__ import annotations

import torch

from glassbox.dictionaries.dictionary import FIRED, Loss, variance
from glassbox.dictionaries.encoder import LinearlyEncoded
from glassbox.dictionaries.sparse import Entries, SparseCode, sum_of_rows


class TopKDictionary(LinearlyEncoded):
    """`z = ReLU(topk(W_enc (x − b_dec) + b_enc))`, `x̂ = z W_dec + b_dec`."""

    architecture = "topk"

    def code(self, x: torch.Tensor) -> SparseCode:
        """(n, dim) → the code in sparse form: k entries in each row."""
        chosen = self.choose(x, self.k)
        where = Entries.of(chosen.units, self.width)
        values = self.entries(chosen.values.reshape(-1), x, where).view_as(chosen.values)
        return SparseCode(values.relu(), chosen.units)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """(..., dim) → (..., width), at most k entries above 0."""
        flat = x.reshape(-1, x.shape[-1])
        code = self.code(flat)
        z = torch.zeros(flat.shape[0], self.width, dtype=flat.dtype, device=flat.device)
        return z.scatter(1, code.units, code.values).reshape(*x.shape[:-1], self.width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decode_sparse(self.code(x.reshape(-1, self.dim))).reshape(x.shape)

    def loss(self, x: torch.Tensor, dead: torch.Tensor | None = None) -> Loss:
        """Mean squared error over the batch's variance, plus AuxK where units are dead."""
        return self.loss_of(x, x, dead)

    def loss_of(self, x: torch.Tensor, y: torch.Tensor, dead: torch.Tensor | None) -> Loss:
        """The loss of inputs (n, dim) whose code is to make `y`, (n, dim)."""
        chosen = self.choose(x, self.k, dead)
        where = Entries.of(chosen.units, self.width)
        values = self.entries(chosen.values.reshape(-1), x, where).relu()
        residual = y - sum_of_rows(values, self.W_dec, where) - self.b_dec
        reconstruction = residual.square().mean() / variance(y)
        auxiliary = self.auxiliary_of(chosen, x, residual.detach())
        active = chosen.values > FIRED
        return Loss(
            reconstruction + self.aux_weight * auxiliary,
            {"reconstruction": reconstruction, "auxiliary": auxiliary},
            has_fired(chosen.units[active], self.width),
            float(active.sum()) / len(x),
        )


def has_fired(units: torch.Tensor, width: int) -> torch.Tensor:
    """(width,) bool: which units are among `units`, (m,)."""
    fired = torch.zeros(width, dtype=torch.bool, device=units.device)
    fired[units] = True
    return fired

"""The Matryoshka sparse autoencoder over BatchTopK: the first units alone must do well too.

Source: Bussmann, Nabeshima, Karvonen & Nanda 2025, "Learning multi-level features with
Matryoshka sparse autoencoders", arXiv 2503.17547.
"""

from __future__ import annotations

import torch

from glassbox.dictionaries.batch_topk import BatchTopKDictionary
from glassbox.dictionaries.dictionary import FIRED, Loss, variance
from glassbox.dictionaries.sparse import Entries, sum_of_rows
from glassbox.dictionaries.topk import has_fired

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)  # of the units, in each of the nested dictionaries


class MatryoshkaDictionary(BatchTopKDictionary):
    """The loss is the mean over nested dictionaries, each made of the first units alone.

    General features end in the first units, special ones in the last; without the nesting a
    special unit tends to swallow the general one that it goes along with.
    """

    architecture = "matryoshka"

    @property
    def prefixes(self) -> tuple[int, ...]:
        """Units of each nested dictionary, rising to the width."""
        return tuple(sorted({max(1, round(share * self.width)) for share in SHARES}))

    def loss(self, x: torch.Tensor, dead: torch.Tensor | None = None) -> Loss:
        """Mean over prefixes of the squared error over the variance, plus AuxK of the last."""
        kept, where, chosen = self.keep(x, dead)
        residuals = x - self.reconstructions(kept, x, where)
        shares = residuals.square().mean((1, 2)) / variance(x)
        nested = shares.mean()
        auxiliary = self.auxiliary_of(chosen, x, residuals[-1].detach())
        active = kept > FIRED
        return Loss(
            nested + self.aux_weight * auxiliary,
            {"reconstruction": shares[-1], "nested": nested, "auxiliary": auxiliary},
            has_fired(where.units[active], self.width),
            float(active.sum()) / len(x),
        )

    def reconstructions(self, kept: torch.Tensor, x: torch.Tensor, where: Entries) -> torch.Tensor:
        """What each nested dictionary makes of the inputs, (prefixes, n, dim).

        The entries are summed once, by sample and by the prefix that a unit first belongs to; the
        rest is a running sum over prefixes.
        """
        values = self.entries(kept, x, where)
        prefixes = self.prefixes
        bounds = torch.tensor(prefixes, device=x.device)
        level = torch.bucketize(where.units, bounds, right=True)
        rows = level * where.n_rows + where.rows
        order = rows.argsort(stable=True)
        n_rows = len(prefixes) * where.n_rows
        by_level = Entries(where.units[order], rows[order], n_rows, self.width)
        sums = sum_of_rows(values[order], self.W_dec, by_level)
        return sums.view(len(prefixes), where.n_rows, self.dim).cumsum(0) + self.b_dec

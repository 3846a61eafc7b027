"""In which different states many sets of units leave each latent.

A set takes away those of its units that are active in a latent: of 16 out of 512 often none, seldom
more than one. So a thousand sets leave a latent in some hundred different states, and what a state
costs is reckoned once, however many sets lead to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

BITS_OF_A_FLOAT = 24  # whole numbers below 2 to this are exact in float32


@dataclass(frozen=True)
class Patterns:
    """The states of some rows, each row a latent of a trial.

    Attributes:
        codes: of each row its states, (rows, most states of a row); bit i tells whether the row's
            unit i is taken away. Behind a row's states stand zeros.
        counts: states of each row, (rows,).
        rank: which of its states each set leads each row to, (rows, sets).
    """

    codes: np.ndarray
    counts: np.ndarray
    rank: np.ndarray

    def blocks(self, most: int) -> list[tuple[np.ndarray, int]]:
        """Rows of about as many states each, with the most states that one of them has.

        Args:
            most: states of a block, unless it is one row.
        """
        order = np.argsort(-self.counts, kind="stable")
        found = []
        while len(order):
            n_states = int(self.counts[order[0]])
            n = max(1, most // n_states)
            found.append((order[:n], n_states))
            order = order[n:]
        return found

    def taken(self, rows: np.ndarray, n_states: int, k: int) -> torch.Tensor:
        """1 where a unit is taken away, (rows, k, states)."""
        codes = torch.from_numpy(self.codes[rows, :n_states])
        bit = torch.arange(k, dtype=codes.dtype)[:, None]
        return codes[:, None].bitwise_right_shift(bit).bitwise_and_(1).float()


def fit(k: int, n_sets: int) -> bool:
    """Whether a state of k units and the number of a set fit into one whole number."""
    return k + n_sets.bit_length() <= 62


def patterns_of(units: torch.Tensor, masks: torch.Tensor) -> Patterns:
    """The states that sets of units leave.

    Args:
        units: active in each row, (rows, k).
        masks: 1 where a unit is in a set, (width, sets) float32.
    """
    k, n_sets = units.shape[1], masks.shape[1]
    shift = n_sets.bit_length()
    kind = np.int32 if k + shift <= 30 else np.int64
    keys = _codes(units, masks, kind)
    keys <<= shift
    keys |= np.arange(n_sets, dtype=kind)
    keys.sort(axis=1)
    sets = keys & kind((1 << shift) - 1)
    keys >>= shift
    new = np.ones(keys.shape, dtype=bool)
    np.not_equal(keys[:, 1:], keys[:, :-1], out=new[:, 1:])
    ordered = np.cumsum(new, axis=1, dtype=np.int32)
    ordered -= 1
    rank = np.empty_like(ordered)
    np.put_along_axis(rank, sets, ordered, axis=1)
    counts = ordered[:, -1] + 1
    codes = np.zeros((len(keys), counts.max()), dtype=kind)
    row, place = np.nonzero(new)
    codes[row, ordered[row, place]] = keys[row, place]
    return Patterns(codes, counts, rank)


def _codes(units: torch.Tensor, masks: torch.Tensor, kind: type) -> np.ndarray:
    """Of each row and set, which of the row's units are in the set, one bit each, (rows, sets)."""
    codes = np.zeros((len(units), masks.shape[1]), dtype=kind)
    for first in range(0, units.shape[1], BITS_OF_A_FLOAT):
        some = units[:, first : first + BITS_OF_A_FLOAT].contiguous()
        power = torch.exp2(torch.arange(some.shape[1])).expand(some.shape).contiguous()
        part = functional.embedding_bag(some, masks, mode="sum", per_sample_weights=power)
        codes |= part.numpy().astype(kind) << first
    return codes

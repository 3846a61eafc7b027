"""Sparse forward and backward passes: no array of (samples, width) outlives a block of samples.

Of the (samples × width) pre-activations a sparse dictionary keeps a few in each sample. All that
follows needs those entries alone: the reconstruction is a weighted sum of a few rows for each
sample, and the gradient of a row is a weighted sum of a few samples for each unit. Both are
`embedding_bag`, once over the entries as they stand and once over the entries sorted by unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional

BLOCK = 256  # samples whose pre-activations are held at a time: they stay in the processor's cache
GROUP = 8  # pre-activations of which only the largest is looked at first


class SparseCode(NamedTuple):
    """Active units of each sample and their values; places left over hold the value 0."""

    values: torch.Tensor  # (n, s)
    units: torch.Tensor  # (n, s) int64


@dataclass(frozen=True)
class Entries:
    """Which unit is active in which row, sorted by row.

    Attributes:
        units: of each entry, (m,) int64.
        rows: of each entry, (m,) int64, never falling.
        n_rows: rows, those without an entry included.
        width: units, those without an entry included.
    """

    units: torch.Tensor
    rows: torch.Tensor
    n_rows: int
    width: int

    @classmethod
    def of(cls, units: torch.Tensor, width: int) -> Entries:
        """As many entries in each row: units (n, s)."""
        n, s = units.shape
        rows = torch.arange(n, device=units.device).repeat_interleave(s)
        return cls(units.reshape(-1), rows, n, width)

    @cached_property
    def row_starts(self) -> torch.Tensor:
        """Place of the first entry of each row, (n_rows,)."""
        return _starts(self.rows, self.n_rows)

    @cached_property
    def by_unit(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Order that sorts the entries by unit, their rows in it, and where each unit begins."""
        ordered, order = self.units.int().sort(stable=True)
        return order, self.rows[order], _starts(ordered.long(), self.width)


def _starts(sorted_values: torch.Tensor, count: int) -> torch.Tensor:
    """Place of the first of each of 0..count−1 in an array that never falls."""
    numbers = torch.arange(count, device=sorted_values.device)
    return torch.searchsorted(sorted_values, numbers)


class Chosen(NamedTuple):
    """The largest pre-activations of each sample, and the largest among the dead units."""

    values: torch.Tensor  # (n, k)
    units: torch.Tensor  # (n, k)
    dead_values: torch.Tensor  # (n, k_aux), or no column
    dead_units: torch.Tensor


@torch.no_grad()
def choose(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    k: int,
    dead: torch.Tensor | None = None,
    k_aux: int = 0,
) -> Chosen:
    """The k largest of `weight x + bias` in each sample, block by block.

    Args:
        x: (n, dim), centred.
        weight: (width, dim).
        bias: (width,).
        k: how many of each sample.
        dead: which units are dead, (width,) bool, or None.
        k_aux: how many of the dead units of each sample, at most.
    """
    of_dead = None if dead is None else dead.nonzero()[:, 0]
    n_aux = 0 if of_dead is None else min(k_aux, len(of_dead))
    n = len(x)
    chosen = Chosen(
        x.new_empty(n, k),
        torch.empty(n, k, dtype=torch.long, device=x.device),
        x.new_empty(n, n_aux),
        torch.empty(n, n_aux, dtype=torch.long, device=x.device),
    )
    for first in range(0, n, BLOCK):
        rows = slice(first, first + BLOCK)
        pre = functional.linear(x[rows], weight, bias)
        chosen.values[rows], chosen.units[rows] = largest(pre, k)
        if n_aux:
            values, places = largest(pre[:, of_dead], n_aux)
            chosen.dead_values[rows], chosen.dead_units[rows] = values, of_dead[places]
    return chosen


def largest(pre: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The k largest of each row and their columns, in no order; exactly what `topk` finds.

    The columns are looked at in groups, one column of each stride. Each of the k largest lies in
    one of the k groups with the largest maxima, so only those groups are searched.
    """
    n, width = pre.shape
    groups = width // GROUP
    if pre.is_cuda or width % GROUP or groups < 2 * k:
        return pre.topk(k, dim=1, sorted=False)
    grouped = pre.view(n, GROUP, groups)
    best = grouped.amax(1).topk(k, dim=1, sorted=False).indices
    candidates = grouped.gather(2, best[:, None].expand(n, GROUP, k)).view(n, GROUP * k)
    values, places = candidates.topk(k, dim=1, sorted=False)
    return values, best.gather(1, places % k) + places.div(k, rounding_mode="floor") * groups


class _PreActivations(torch.autograd.Function):
    """Pre-activations that were computed already, with the way back to what made them."""

    @staticmethod
    def forward(ctx, values, x, centre, weight, bias, entries):
        ctx.save_for_backward(x, centre, weight)
        ctx.entries = entries
        return values.view_as(values)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        x, centre, weight = ctx.saved_tensors
        entries = ctx.entries
        order, rows, starts = entries.by_unit
        grad = grad.contiguous()
        of_weight = functional.embedding_bag(
            rows, x - centre, starts, mode="sum", per_sample_weights=grad[order]
        )
        of_bias = grad.new_zeros(entries.width).index_add_(0, entries.units, grad)
        of_centre = -(of_bias @ weight)
        of_x = None
        if ctx.needs_input_grad[1]:
            of_x = functional.embedding_bag(
                entries.units, weight, entries.row_starts, mode="sum", per_sample_weights=grad
            )
        return None, of_x, of_centre, of_weight, of_bias, None


def pre_activations(
    values: torch.Tensor,
    x: torch.Tensor,
    centre: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    entries: Entries,
) -> torch.Tensor:
    """`values` as the differentiable entries of `weight (x − centre) + bias`, (m,).

    Args:
        values: what the entries are, (m,), computed without gradient.
        x: (n, dim).
        centre: (dim,).
        weight: (width, dim).
        bias: (width,).
        entries: m of them, in n rows.
    """
    return _PreActivations.apply(values, x, centre, weight, bias, entries)


class _RowGradient(torch.autograd.Function):
    """Sums of rows that were computed already, with the way back to the rows."""

    @staticmethod
    def forward(ctx, sums, weight, values, entries):
        ctx.save_for_backward(values)
        ctx.entries = entries
        return sums.view_as(sums)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        (values,) = ctx.saved_tensors
        order, rows, starts = ctx.entries.by_unit
        of_weight = functional.embedding_bag(
            rows, grad.contiguous(), starts, mode="sum", per_sample_weights=values[order]
        )
        return grad, of_weight, None, None


def sum_of_rows(values: torch.Tensor, weight: torch.Tensor, entries: Entries) -> torch.Tensor:
    """Each row's sum of `values × weight[units]` over its entries, (n_rows, dim).

    Args:
        values: of the entries, (m,).
        weight: (width, dim).
        entries: m of them.
    """
    sums = functional.embedding_bag(
        entries.units,
        weight.detach(),
        entries.row_starts,
        mode="sum",
        per_sample_weights=values,
    )
    return _RowGradient.apply(sums, weight, values.detach(), entries)

"""Logits under many sets of units, without the latents that each set would leave.

The readout of the identity-keyed decoder sees of a latent only what it reads linearly (the columns
of `Suffix.fold`) and its variance, by which it is normalised. Both follow from what each active
unit adds: the reads are sums over the units of a set, the variance is a quadratic form in them. So
a set costs one small product for each latent, as wide as the readout, with the sets innermost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from glassbox.interventions.suffix import Suffix

SETS_AT_ONCE = 128
ROWS_AT_ONCE = 8192  # versions of one latent held at once: a few megabytes, which caches hold
TRIALS_PREPARED = 64  # whose units' reads are held at once: some megabytes
ROWS_PREPARED = 128  # at a time

Logits = dict[str, torch.Tensor]


@dataclass(frozen=True)
class _Trials:
    """What the units of some trials add, of each latent of each trial (rows = trials · latents).

    Attributes:
        units: active in each row, (rows, k).
        variance: of each row without a change, (rows, 1).
        given: what is read of each row without a change, then what each unit adds to the variance
            by itself, (rows, columns + k, 1).
        product: what each unit adds to the reads, then what pairs of units add to the variance,
            (rows, columns + k, k).
        removed: what is taken away of each unit's direction, centred, (rows, k).
        base: latents, centred, (trials, latents, dim).
    """

    units: torch.Tensor
    variance: torch.Tensor
    given: torch.Tensor
    product: torch.Tensor
    removed: torch.Tensor
    base: torch.Tensor

    def take(self, rows: slice, trials: slice) -> _Trials:
        arrays = self.units, self.variance, self.given, self.product, self.removed
        return _Trials(*(array[rows] for array in arrays), self.base[trials])


class SetReader:
    """Reads what an identity-keyed decoder says under sets of units.

    Args:
        suffix: the decoder after the hook.
        rows: directions of the units, (width, dim).
    """

    @torch.no_grad()
    def __init__(self, suffix: Suffix, rows: torch.Tensor):
        self.suffix = suffix
        self.rows = rows - rows.mean(1, keepdim=True)
        self.reads = rows @ suffix.fold

    @torch.no_grad()
    def __call__(
        self,
        base: torch.Tensor,
        values: torch.Tensor,
        units: torch.Tensor,
        masks: torch.Tensor,
        put_back: torch.Tensor | None = None,
        strength: float = 1.0,
    ) -> Iterator[tuple[slice, slice, Logits]]:
        """Logits of x − strength · (Σ of the units of a set − what is put back).

        Args:
            base: x, (trials, latents, dim).
            values, units: what a unit adds to x, and which, (trials, latents, k).
            masks: 1 where a unit is in a set, (width, sets).
            put_back: what every trial gets for the sets' units: activations, (latents, width).
            strength: share of the change.

        Yields:
            (trials, sets, logits by task, each (trials, sets, classes)), in blocks.
        """
        n_trials, n_latents = units.shape[:2]
        n_sets = masks.shape[1]
        for first in range(0, n_trials, TRIALS_PREPARED):
            some = slice(first, min(first + TRIALS_PREPARED, n_trials))
            trials = self._prepared(base[some], values[some], units[some], strength)
            for first_set in range(0, n_sets, SETS_AT_ONCE):
                sets = slice(first_set, min(first_set + SETS_AT_ONCE, n_sets))
                mask = masks[:, sets].contiguous()
                back = None
                if put_back is not None:
                    back = self._put_back(mask, strength * put_back)
                step = max(1, ROWS_AT_ONCE // (n_latents * mask.shape[1]))
                for at in range(some.start, some.stop, step):
                    here = slice(at, min(at + step, some.stop))
                    inside = slice(at - first, here.stop - first)
                    rows = slice(inside.start * n_latents, inside.stop * n_latents)
                    block = trials.take(rows, inside)
                    yield here, sets, self._logits(block, mask, back)

    def _prepared(
        self, base: torch.Tensor, values: torch.Tensor, units: torch.Tensor, strength: float
    ) -> _Trials:
        k, dim, n_columns = units.shape[2], base.shape[2], self.reads.shape[1]
        units, removed = units.reshape(-1, k), -strength * values.reshape(-1, k)
        read = (base @ self.suffix.fold).flatten(0, 1)
        base = base - base.mean(2, keepdim=True)
        flat = base.flatten(0, 1)
        given = torch.empty(len(units), n_columns + k, 1)
        given[:, :n_columns, 0] = read
        product = torch.empty(len(units), n_columns + k, k)
        for first in range(0, len(units), ROWS_PREPARED):
            some = slice(first, first + ROWS_PREPARED)
            rows = self.rows[units[some]] * removed[some, :, None]
            given[some, n_columns:] = torch.bmm(rows, flat[some, :, None]) * (2 / dim)
            product[some, n_columns:] = torch.bmm(rows, rows.transpose(1, 2)) / dim
            reads = self.reads[units[some]] * removed[some, :, None]
            product[some, :n_columns] = reads.transpose(1, 2)
        variance = torch.linalg.vecdot(flat, flat)[:, None] / dim
        return _Trials(units, variance, given, product, removed, base)

    def _put_back(self, mask: torch.Tensor, means: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What is put back for each set: centred latents, what is read of them, what of each unit.

        Returns:
            (latents, dim, sets), (latents, columns, sets), (latents · width, sets), the last two
            over dim times.
        """
        dim = self.rows.shape[1]
        back = torch.einsum("ws,lw,wd->lds", mask, means, self.rows)
        read = torch.einsum("lds,dc->lcs", back, self.suffix.fold)
        on_units = torch.einsum("wd,lds->lws", self.rows, back).mul_(2 / dim)
        return back, read, on_units.flatten(0, 1)

    def _logits(
        self, trials: _Trials, mask: torch.Tensor, back: tuple[torch.Tensor, ...] | None
    ) -> Logits:
        suffix, n_columns = self.suffix, self.reads.shape[1]
        n_trials, n_latents, dim = trials.base.shape
        (n_rows, k), n_sets = trials.units.shape, mask.shape[1]
        chosen = mask.index_select(0, trials.units.reshape(-1)).view(n_rows, k, n_sets)
        found = torch.baddbmm(trials.given, trials.product, chosen)
        read = found[:, :n_columns].view(n_trials, n_latents, n_columns, n_sets)
        by_unit = found[:, n_columns:]
        variance = trials.variance
        if back is not None:
            latents, of_read, on_units = back
            of_latent = torch.arange(n_latents).repeat(n_trials)[:, None] * len(mask)
            places = (of_latent + trials.units).reshape(-1)
            crossed = on_units.index_select(0, places).view(n_rows, k, n_sets)
            by_unit.addcmul_(crossed, trials.removed[..., None])
            with_base = torch.einsum("bld,lds->bls", trials.base, latents).mul_(2 / dim)
            alone = latents.square().sum(1) / dim
            variance = variance + (with_base + alone).flatten(0, 1)
            read += of_read
        variance = variance + chosen.mul_(by_unit).sum(1)
        shrink = (variance.clamp_min(0) + suffix.eps).rsqrt_().view(n_trials, n_latents, 1, n_sets)
        n_scores = len(suffix.tasks) * suffix.heads
        weight = (read[:, :, :n_scores] * shrink).softmax(dim=1).mul_(shrink)
        logits, at = {}, n_scores
        for i, (task, classes) in enumerate(zip(suffix.tasks, suffix.classes, strict=True)):
            of_task = weight[:, :, i * suffix.heads : (i + 1) * suffix.heads, None]
            said = read[:, :, at : at + suffix.heads * classes]
            said = said.unflatten(2, (suffix.heads, classes)).mul_(of_task).sum((1, 2))
            logits[task] = said.transpose(1, 2) + suffix.bias[i]
            at += suffix.heads * classes
        return logits

"""Logits under many sets of units, without the latents that each set would leave.

The readout of the identity-keyed decoder sees of a latent only what it reads linearly (the columns
of `Suffix.fold`) and its variance, by which it is normalised. Both follow from what each active
unit adds: the reads are sums over the units of a set, the variance is a quadratic form in them. So
a set costs one small product for each latent, as wide as the readout, with the sets innermost.

Where nothing is put in the units' place but what the trial itself has, a latent is left in one of
few states (`patterns`). Each state's share of the attention is reckoned once, and a set sums the
states of its latents. The softmax needs no look at the other latents for that: it is taken relative
to the largest score without a change, and where that is too far off, as if there were no states.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch.nn import functional

from glassbox.interventions.patterns import fit, patterns_of
from glassbox.interventions.suffix import Suffix

SETS_AT_ONCE = 128
SETS_BY_STATE = 4096  # the more, the more of them leave a latent in the same state
ROWS_AT_ONCE = 8192  # versions of one latent held at once: a few megabytes, which caches hold
TRIALS_PREPARED = 256  # whose units' reads are held at once: some ten megabytes
ANSWERS_BY_STATE = 16384  # trials × sets whose states are held at once: at most 60 megabytes
ANSWERS_AT_ONCE = 4096  # of which sums are held: a megabyte
ROWS_PREPARED = 128  # at a time
LEAST_TOTAL = 1e-25  # sum of attention weights relative to the largest, before it is lost in noise

Logits = dict[str, torch.Tensor]


@dataclass(frozen=True)
class _Rows:
    """What the units add, of each latent of each trial (rows = trials · latents).

    Attributes:
        units: active in each row, (rows, k).
        variance: of each row without a change, (rows, 1).
        given: what is read of each row without a change, then what each unit adds to the variance
            by itself, (rows, columns + k, 1).
        product: what each unit adds to the reads, then what pairs of units add to the variance,
            (rows, columns + k, k).
        removed: what is taken away of each unit's direction, centred, (rows, k).
        base: latents, centred, (rows, dim).
        largest: the largest score of the row's trial without a change, (rows, scores, 1).
    """

    units: torch.Tensor
    variance: torch.Tensor
    given: torch.Tensor
    product: torch.Tensor
    removed: torch.Tensor
    base: torch.Tensor
    largest: torch.Tensor

    def take(self, rows: slice | torch.Tensor) -> _Rows:
        return _Rows(*(getattr(self, field.name)[rows] for field in fields(self)))


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
        self.n_scores = len(suffix.tasks) * suffix.heads

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
        n_trials = len(units)
        for first in range(0, n_trials, TRIALS_PREPARED):
            some = slice(first, min(first + TRIALS_PREPARED, n_trials))
            rows = self._prepared(base[some], values[some], units[some], strength)
            if put_back is None and fit(units.shape[2], SETS_BY_STATE):
                blocks = self._by_state(rows, masks, units.shape[1])
            else:
                back = None if put_back is None else strength * put_back
                blocks = self._by_set(rows, masks, units.shape[1], back)
            for trials, sets, logits in blocks:
                yield slice(first + trials.start, first + trials.stop), sets, logits

    def _prepared(
        self, base: torch.Tensor, values: torch.Tensor, units: torch.Tensor, strength: float
    ) -> _Rows:
        n_trials, n_latents, k = units.shape
        dim, n_columns = base.shape[2], self.reads.shape[1]
        units, removed = units.reshape(-1, k), -strength * values.reshape(-1, k)
        read = (base @ self.suffix.fold).flatten(0, 1)
        flat = (base - base.mean(2, keepdim=True)).flatten(0, 1)
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
        scores = read[:, : self.n_scores] * (variance + self.suffix.eps).rsqrt()
        largest = scores.view(n_trials, n_latents, -1).amax(1).repeat_interleave(n_latents, 0)
        return _Rows(units, variance, given, product, removed, flat, largest[:, :, None])

    def _by_state(
        self, rows: _Rows, masks: torch.Tensor, n_latents: int
    ) -> Iterator[tuple[slice, slice, Logits]]:
        n_trials, n_sets = len(rows.units) // n_latents, masks.shape[1]
        for first_set in range(0, n_sets, SETS_BY_STATE):
            sets = slice(first_set, min(first_set + SETS_BY_STATE, n_sets))
            mask = masks[:, sets].contiguous()
            step = max(1, ANSWERS_BY_STATE // mask.shape[1])
            for at in range(0, n_trials, step):
                trials = slice(at, min(at + step, n_trials))
                here = rows.take(slice(trials.start * n_latents, trials.stop * n_latents))
                logits = self._sums_of_states(here, mask, n_latents)
                if logits is not None:
                    yield trials, sets, logits
                    continue
                for inside, of_sets, logits in self._by_set(here, mask, n_latents, None):
                    yield (
                        slice(at + inside.start, at + inside.stop),
                        slice(first_set + of_sets.start, first_set + of_sets.stop),
                        logits,
                    )

    def _sums_of_states(self, rows: _Rows, mask: torch.Tensor, n_latents: int) -> Logits | None:
        """Logits by task, (trials, sets, classes); None where attention weights are lost."""
        n_rows, k = rows.units.shape
        n_trials, n_columns = n_rows // n_latents, self.reads.shape[1]
        patterns = patterns_of(rows.units, mask)
        blocks = patterns.blocks(ROWS_AT_ONCE)
        table = torch.empty(sum(len(some) * n for some, n in blocks), n_columns)
        first, at = np.empty(n_rows, dtype=np.int32), 0
        for some, n in blocks:
            told = self._states(rows.take(torch.from_numpy(some)), patterns.taken(some, n, k))
            table[at : at + n * len(some)].view(len(some), n, -1).copy_(told.transpose(1, 2))
            first[some] = at + n * np.arange(len(some))
            at += n * len(some)
        places = (patterns.rank + first[:, None]).reshape(n_trials, n_latents, -1)
        places = places.transpose(0, 2, 1)
        found: dict[str, list[torch.Tensor]] = {task: [] for task in self.suffix.tasks}
        n_sets = mask.shape[1]
        step = max(1, ANSWERS_AT_ONCE // n_sets)
        for begin in range(0, n_trials, step):
            bags = torch.from_numpy(places[begin : begin + step].reshape(-1, n_latents))
            sums = functional.embedding_bag(bags, table, mode="sum").T.contiguous()
            total = sums[: self.n_scores]
            if not bool((total > LEAST_TOTAL).all() & (total < 1 / LEAST_TOTAL).all()):
                return None
            for task, logits in self._said(sums, total.reciprocal_()).items():
                found[task].append(logits.view(len(logits), -1, n_sets).transpose(0, 1))
        return {task: torch.cat(parts).transpose(1, 2) for task, parts in found.items()}

    def _states(self, rows: _Rows, taken: torch.Tensor) -> torch.Tensor:
        """What each state adds to the sums over latents, (rows, columns, states).

        First the attention weights, not yet divided by their sums, then what they weigh.
        """
        found, shrink = self._read(rows, taken)
        found *= shrink
        weight = found[:, : self.n_scores].sub_(rows.largest).exp_()
        for i, said in enumerate(self._of_tasks(found, 1)):
            said *= weight[:, i * self.suffix.heads : (i + 1) * self.suffix.heads, None]
        return found

    def _of_tasks(self, read: torch.Tensor, dim: int) -> list[torch.Tensor]:
        """By task, what each head says for each class: `dim` becomes (heads, classes)."""
        heads, at, found = self.suffix.heads, self.n_scores, []
        for classes in self.suffix.classes:
            of_task = read.narrow(dim, at, heads * classes)
            found.append(of_task.unflatten(dim, (heads, classes)))
            at += heads * classes
        return found

    def _said(self, sums: torch.Tensor, weight: torch.Tensor) -> Logits:
        """Logits by task, (classes, sets), of weighed sums, (columns, sets)."""
        heads, logits = self.suffix.heads, {}
        for i, said in enumerate(self._of_tasks(sums, 0)):
            by_head = said.mul_(weight[i * heads : (i + 1) * heads, None])
            logits[self.suffix.tasks[i]] = by_head.sum(0).add_(self.suffix.bias[i][:, None])
        return logits

    def _read(self, rows: _Rows, taken: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Reads, (rows, columns, sets), and the inverse deviations, (rows, 1, sets)."""
        n_columns = self.reads.shape[1]
        found = torch.baddbmm(rows.given, rows.product, taken)
        variance = rows.variance + taken.mul(found[:, n_columns:]).sum(1)
        shrink = (variance.clamp_min_(0) + self.suffix.eps).rsqrt_()
        return found[:, :n_columns], shrink[:, None]

    def _by_set(
        self, rows: _Rows, masks: torch.Tensor, n_latents: int, put_back: torch.Tensor | None
    ) -> Iterator[tuple[slice, slice, Logits]]:
        n_trials, n_sets = len(rows.units) // n_latents, masks.shape[1]
        for first_set in range(0, n_sets, SETS_AT_ONCE):
            sets = slice(first_set, min(first_set + SETS_AT_ONCE, n_sets))
            mask = masks[:, sets].contiguous()
            read_back, variance = None, rows.variance
            if put_back is not None:
                read_back, more = self._put_back(rows, mask, put_back)
                variance = variance + more
            step = max(1, ROWS_AT_ONCE // (n_latents * mask.shape[1]))
            for at in range(0, n_trials, step):
                trials = slice(at, min(at + step, n_trials))
                here = slice(trials.start * n_latents, trials.stop * n_latents)
                some = replace(rows.take(here), variance=variance[here])
                yield trials, sets, self._logits(some, mask, n_latents, read_back)

    def _put_back(
        self, rows: _Rows, mask: torch.Tensor, means: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What is put back for each set.

        Returns:
            what is read of it, (latents, columns, sets); what it adds to the variance of each row,
            by itself, with the row and with what is taken away of it, (rows, sets).
        """
        (width, dim), n_latents = self.rows.shape, len(means)
        back = (means[:, :, None] * self.rows).transpose(1, 2) @ mask  # (latents, dim, sets)
        read = self.suffix.fold.T @ back
        base = rows.base.view(-1, n_latents, dim).transpose(0, 1)
        more = (2 * base @ back).transpose(0, 1) + back.square().sum(1)
        on_units = (self.rows @ back).mul_(2 * mask).flatten(0, 1)
        of_latent = torch.arange(n_latents).repeat(len(rows.units) // n_latents)
        places = rows.units + width * of_latent[:, None]
        crossed = functional.embedding_bag(
            places, on_units, mode="sum", per_sample_weights=rows.removed
        )
        return read, (more.flatten(0, 1) + crossed).div_(dim)

    def _logits(
        self, rows: _Rows, mask: torch.Tensor, n_latents: int, read_back: torch.Tensor | None
    ) -> Logits:
        (n_rows, k), n_sets, heads = rows.units.shape, mask.shape[1], self.suffix.heads
        taken = mask.index_select(0, rows.units.reshape(-1)).view(n_rows, k, n_sets)
        read, shrink = self._read(rows, taken)
        read = read.view(n_rows // n_latents, n_latents, -1, n_sets)
        shrink = shrink.view(-1, n_latents, 1, n_sets)
        if read_back is not None:
            read += read_back
        weight = (read[:, :, : self.n_scores] * shrink).softmax(dim=1).mul_(shrink)
        logits = {}
        for i, said in enumerate(self._of_tasks(read, 2)):
            # Not in place: a sum over what lies apart takes three times as long.
            told = (said * weight[:, :, i * heads : (i + 1) * heads, None]).sum((1, 2))
            logits[self.suffix.tasks[i]] = told.add_(self.suffix.bias[i][:, None]).transpose(1, 2)
        return logits

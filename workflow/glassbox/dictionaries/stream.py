"""Activations in a shuffled order, read a few blocks at a time: memory does not grow with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

MOST_SAMPLED = 1 << 18  # activations that stand for all where all would not be needed
BLOCKS_HELD = 16  # blocks that are shuffled with one another
READ = 1 << 16  # activations read at once where their order does not matter


@dataclass(frozen=True)
class Stream:
    """Activations of training trials that trainings draw from.

    Attributes:
        source: (n, dim) f4: a tensor in memory, or an array that is read by slices (Zarr).
        held: activations that may be in memory at once. Where all of them may, each pass is in a
            new order of all; else blocks are taken in a new order, a few at a time, and what is in
            those is shuffled.
    """

    source: Any
    held: int

    @property
    def dim(self) -> int:
        return self.source.shape[1]

    def __len__(self) -> int:
        return self.source.shape[0]

    @property
    def block(self) -> int:
        """Activations of one block."""
        return len(self) if len(self) <= self.held else max(1, self.held // BLOCKS_HELD)

    @property
    def largest_batch(self) -> int:
        """As many activations as are held together."""
        return min(len(self), self.block * BLOCKS_HELD)

    def centre_and_scale(self) -> tuple[torch.Tensor, float]:
        """The mean, (dim,), and the one number that brings the mean variance to 1."""
        parts = range(0, len(self), READ)
        centre = sum(self._rows(at, at + READ).double().sum(0) for at in parts) / len(self)
        squared = sum((self._rows(at, at + READ).double() - centre).square().sum() for at in parts)
        scale = float((squared / (len(self) * self.dim)).sqrt())
        return centre.to(torch.float32), scale if scale > 0 else 1.0

    def sample(self) -> torch.Tensor:
        """All activations, or as many as stand for them, drawn evenly, (m, dim)."""
        if len(self) <= MOST_SAMPLED:
            return self._rows(0, len(self))
        places = spread(len(self), MOST_SAMPLED)
        parts = []
        for at in range(0, len(self), READ):
            inside = places[(places >= at) & (places < at + READ)] - at
            parts.append(self._rows(at, at + READ)[torch.from_numpy(inside)])
        return torch.cat(parts)

    def batches(
        self, batch: int, generator: torch.Generator, skip: int = 0
    ) -> Iterator[torch.Tensor]:
        """Endless batches, (batch, dim); what is left over of blocks held together is left out.

        Args:
            batch: activations in each, at most `largest_batch`.
            generator: decides the order, from where it stands.
            skip: batches that are passed over, unread.
        """
        while True:
            for blocks in self._groups(generator):
                sizes = [min(self.block, len(self) - b * self.block) for b in blocks]
                order = torch.randperm(sum(sizes), generator=generator)
                n = len(order) // batch
                if skip >= n:
                    skip -= n
                    continue
                rows = self._held(blocks, sizes)
                for i in range(skip, n):
                    yield rows[order[i * batch : (i + 1) * batch]]
                skip = 0

    def _groups(self, generator: torch.Generator) -> Iterator[tuple[int, ...]]:
        """Blocks that are held together, each once in a pass."""
        n_blocks = -(-len(self) // self.block)
        if n_blocks == 1:
            yield (0,)
            return
        order = torch.randperm(n_blocks, generator=generator)
        for group in order.split(BLOCKS_HELD):
            yield tuple(group.tolist())

    def _held(self, blocks: tuple[int, ...], sizes: list[int]) -> torch.Tensor:
        if len(blocks) == 1:
            return self._rows(blocks[0] * self.block, blocks[0] * self.block + sizes[0])
        rows = torch.empty(sum(sizes), self.dim)
        at = 0
        for block, size in zip(blocks, sizes, strict=True):
            rows[at : at + size] = self._rows(block * self.block, block * self.block + size)
            at += size
        return rows

    def _rows(self, first: int, last: int) -> torch.Tensor:
        return torch.as_tensor(self.source[first : min(last, len(self))])


def spread(n: int, most: int) -> np.ndarray:
    """At most `most` of 0..n−1, evenly spread, rising, i8."""
    return np.arange(n) if n <= most else np.linspace(0, n - 1, most).round().astype(np.int64)

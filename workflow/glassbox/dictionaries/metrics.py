"""How well a dictionary reconstructs: pooled over all samples, in float64."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from glassbox.dictionaries.dictionary import FIRED, Dictionary


@dataclass
class Reconstruction:
    """Sums from which the fraction of variance unexplained, L0 and dead units follow.

    Sums are pooled over blocks, so the result does not depend on how samples fall into blocks (a
    mean of per-block ratios would).
    """

    n: int = 0
    squared_error: float = 0.0
    squared_norm: float = 0.0
    made_norm: float = 0.0  # of the reconstruction, squared
    overlap: float = 0.0  # of input and reconstruction
    active: int = 0
    total: torch.Tensor | float = 0.0  # (dim,) float64
    made_total: torch.Tensor | float = 0.0  # (dim,) float64, of the reconstruction
    fired: torch.Tensor | None = field(default=None)  # (width,) number of latents in which it fired

    def add(self, x: torch.Tensor, reconstruction: torch.Tensor, z: torch.Tensor) -> None:
        """Add a block: inputs and reconstructions (n, dim), codes (n, width)."""
        wide, made = x.double(), reconstruction.double()
        self.n += x.shape[0]
        self.squared_error += float((wide - made).square().sum())
        self.squared_norm += float(wide.square().sum())
        self.made_norm += float(made.square().sum())
        self.overlap += float((wide * made).sum())
        self.total = self.total + wide.sum(0)
        self.made_total = self.made_total + made.sum(0)
        fired = z.abs() > FIRED  # a baseline's code may be below 0
        self.active += int(fired.sum())
        self.fired = fired.sum(0) + (0 if self.fired is None else self.fired)

    def __add__(self, other: Reconstruction) -> Reconstruction:
        """What both have seen."""
        fired = [each.fired for each in (self, other) if each.fired is not None]
        return Reconstruction(
            self.n + other.n,
            self.squared_error + other.squared_error,
            self.squared_norm + other.squared_norm,
            self.made_norm + other.made_norm,
            self.overlap + other.overlap,
            self.active + other.active,
            self.total + other.total,
            self.made_total + other.made_total,
            sum(fired[1:], fired[0]) if fired else None,
        )

    @property
    def fvu(self) -> float:
        """Squared error over squared deviation from the pooled mean."""
        deviation = self.squared_norm - float(self.total.square().sum()) / self.n
        return self.squared_error / deviation if deviation > 0 else float("nan")

    @property
    def explained_variance(self) -> float:
        return 1 - self.fvu

    @property
    def shrinkage(self) -> float:
        """The share of their length that reconstructions are short of.

        About the inputs' mean: 0 where no rescaling helps, above 0 where reconstructions are too
        short (as under an L1 penalty), below 0 where they are too long. Source: Rajamanoharan et
        al. 2024, "Improving dictionary learning with gated sparse autoencoders", arXiv 2404.16014,
        relative reconstruction bias γ; this is 1 − γ.
        """
        mean = self.total / self.n
        along = self.overlap - float(self.made_total @ mean)
        length = self.made_norm - 2 * float(self.made_total @ mean) + self.n * float(mean @ mean)
        return 1 - length / along if along > 0 else float("nan")

    @property
    def l0(self) -> float:
        """Mean number of units that fired in one latent."""
        return self.active / self.n

    @property
    def dead_fraction(self) -> float:
        """Share of the units that fired in no sample."""
        return float((self.fired == 0).double().mean())


@torch.no_grad()
def reconstruct(
    dictionary: Dictionary,
    x: torch.Tensor,
    block: int = 8192,
    pooled: Reconstruction | None = None,
) -> Reconstruction:
    """Pool the reconstruction of `x`, (n, dim), over blocks; with what is pooled already."""
    pooled = Reconstruction() if pooled is None else pooled
    for part in x.split(block):
        z = dictionary.encode(part)
        pooled.add(dictionary.target(part), dictionary.decode(z), z)
    return pooled


def loss_recovered(clean: float, spliced: float, ablated: float) -> float:
    """Share of the decoder's loss, between latents taken away and left alone, that is kept.

    `(ablated − spliced) / (ablated − clean)`, each a mean cross-entropy: 1 where the splice costs
    nothing, 0 where it is as bad as latents of zero or at their mean, whichever is `ablated`.
    """
    return (ablated - spliced) / (ablated - clean) if ablated != clean else float("nan")

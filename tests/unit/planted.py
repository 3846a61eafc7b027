"""Activations made of known atoms, to see which dictionaries find them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import normalize

KINDS = ("superposition", "unequal", "correlated", "hierarchical", "offset")


@dataclass(frozen=True)
class Planted:
    """Sums of a few of `atoms`, (samples, dim), and the directions themselves, (atoms, dim)."""

    x: torch.Tensor
    atoms: torch.Tensor


def plant(
    kind: str,
    samples: int,
    atoms: int = 128,
    dim: int = 64,
    active: float = 6.0,
    seed: int = 0,
    noise: float = 0.01,
    directions_seed: int = 99,
) -> Planted:
    """Draw samples in which about `active` of more atoms than dimensions are present.

    Sizes are uniform from 0.5 to 1.5. What is special by kind:
        superposition: atoms are present independently, all as often as each other.
        unequal: frequencies fall as 1/rank, none above one half.
        correlated: groups of 8 atoms go along (their presence has a correlation of about a half).
        hierarchical: every fourth atom is a parent; its three children appear only with it.
        offset: as superposition, with a constant three times as long as a sample.

    Args:
        seed: of the samples; `directions_seed` of the atoms.
        noise: standard deviation of white noise in each dimension.
    """
    generator = torch.Generator().manual_seed(seed)
    directions = normalize(
        torch.randn(atoms, dim, generator=torch.Generator().manual_seed(directions_seed)), dim=1
    )
    draw = torch.rand(samples, atoms, generator=generator)
    share = torch.full((atoms,), active / atoms)
    if kind == "unequal":
        share = 1 / torch.arange(1, atoms + 1)
        share = (share * active / share.sum()).clamp_max(0.5)
    present = draw < share
    if kind == "correlated":
        normal = torch.distributions.Normal(0.0, 1.0)
        common = torch.randn(samples, atoms // 8, generator=generator).repeat_interleave(8, 1)
        own = torch.randn(samples, atoms, generator=generator)
        present = (0.9**0.5 * common + 0.1**0.5 * own) > normal.icdf(1 - share)
    elif kind == "hierarchical":
        parents = draw[:, ::4] < 2 * share[::4]
        with_child = (draw < 1 / 3) & parents.repeat_interleave(4, 1)
        present = with_child
        present[:, ::4] = parents
    size = 0.5 + torch.rand(samples, atoms, generator=generator)
    x = (present * size) @ directions
    x += noise * torch.randn(x.shape, generator=generator)
    if kind == "offset":
        centre = torch.randn(dim, generator=torch.Generator().manual_seed(directions_seed + 1))
        x += 3 * float(x.norm(dim=1).mean()) * normalize(centre, dim=0)
    return Planted(x, directions)

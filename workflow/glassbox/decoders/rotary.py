"""Rotary embedding of time: attention sees how far apart in time two tokens lie."""

from __future__ import annotations

import math

import torch
from torch import nn


class RotaryTime(nn.Module):
    """How far the numbers of an attention head are turned at a time.

    The first half of a head's numbers turn in pairs, each pair with a period of its own; the other
    half stay as they are. Two tokens that are turned by their times have an inner product that
    depends on the difference of the times alone.

    Source: Su et al. 2021 (RoFormer, arXiv 2104.09864), with times in the place of positions as in
    Azabou et al. 2023 (POYO, arXiv 2310.16046); half of the numbers as in Perceiver IO.

    Args:
        head_dim: numbers in a head, a multiple of 4.
        shortest_s, longest_s: the periods lie between these, evenly in their logarithm.

    Attributes:
        speed: of each pair, (head_dim / 4,), radian/s.
    """

    def __init__(self, head_dim: int, shortest_s: float, longest_s: float):
        super().__init__()
        between = torch.linspace(0, 1, head_dim // 4)
        first, last = math.log(shortest_s), math.log(longest_s)
        self.register_buffer("speed", 2 * math.pi / torch.exp(first + (last - first) * between))

    def forward(self, time: torch.Tensor) -> torch.Tensor:
        """Complex numbers of length 1, (..., head_dim / 4), for times in s, (...)."""
        angle = time.to(self.speed.dtype).unsqueeze(-1) * self.speed
        return torch.complex(angle.cos(), angle.sin())


def turned(x: torch.Tensor, by: torch.Tensor) -> torch.Tensor:
    """Turn the first half of the numbers of each head.

    Args:
        x: (..., head_dim).
        by: from `RotaryTime`, (..., head_dim / 4), of shapes that fit; its conjugate turns back.

    Returns:
        The same shape and type as x.
    """
    pairs = by.shape[-1]
    moving, still = x[..., : 2 * pairs], x[..., 2 * pairs :]
    numbers = torch.view_as_complex(moving.float().unflatten(-1, (pairs, 2)))
    return torch.cat([torch.view_as_real(numbers * by).flatten(-2).to(x.dtype), still], dim=-1)

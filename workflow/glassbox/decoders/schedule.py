"""The one-cycle schedule, as a function of the share of the steps done."""

from __future__ import annotations

import math

START, END = 1 / 25, 1 / 250_000  # of the highest learning rate
LEAST_MOMENTUM, MOST_MOMENTUM = 0.85, 0.95


def one_cycle(share: float, warm_up: float) -> tuple[float, float]:
    """Factor of the learning rate and first momentum of Adam at a share (0 to 1) of the steps.

    The rate rises to 1 over the first `warm_up` of the steps and falls to nothing, along half
    cosines; the momentum falls and rises.

    Source: Smith & Topin 2018, arXiv 1708.07120, in the form and with the constants of PyTorch's
    OneCycleLR.
    """
    if share < warm_up:
        at = share / warm_up
        return _between(START, 1.0, at), _between(MOST_MOMENTUM, LEAST_MOMENTUM, at)
    at = (share - warm_up) / (1 - warm_up)
    return _between(1.0, END, at), _between(LEAST_MOMENTUM, MOST_MOMENTUM, at)


def _between(first: float, last: float, share: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2

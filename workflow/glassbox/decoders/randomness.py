"""Random numbers that depend on names and seeds alone.

Every draw comes from a generator made for its purpose: the vectors of a session from its name,
the batches of an epoch from the epoch. So nothing of a generator's state has to be kept to
resume, and a session draws the same vectors whatever cohort it is in.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def seed_of(*parts: object) -> int:
    """A seed from texts and numbers, 63 bits of their SHA-256."""
    text = "\0".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def numpy_generator(*parts: object) -> np.random.Generator:
    return np.random.default_rng(seed_of(*parts))


def torch_generator(*parts: object, device: str | torch.device = "cpu") -> torch.Generator:
    import torch  # the linear reference needs none

    return torch.Generator(device=device).manual_seed(seed_of(*parts))

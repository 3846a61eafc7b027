"""What dictionaries are held against: bases and directions that need no sparse training.

Each is a dictionary like the others: `encode`, `decode`, a row of `W_dec` for each unit. A basis
keeps in each sample the k coefficients that are largest in size; they may be below 0.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from glassbox.dictionaries.dictionary import Dictionary, random_rows
from glassbox.dictionaries.matching_pursuit import MatchingPursuitDictionary

STEPS = 100  # of a factorisation, and of finding a code under one
DEPENDENT = 1e-4  # singular values below this share of the largest are rounding


class Basis(Dictionary):
    """`z = W_enc (x − b_dec)` with the k largest sizes kept, `x̂ = z W_dec + b_dec`."""

    architecture = "basis"

    def __init__(self, dim: int, width: int, k: int):
        super().__init__()
        self.k = k
        self.W_enc = nn.Parameter(torch.zeros(width, dim))
        self.W_dec = nn.Parameter(torch.zeros(width, dim))
        self.b_dec = nn.Parameter(torch.zeros(dim))

    @classmethod
    def of(cls, encoder, decoder, centre, k: int, name: str) -> Basis:
        """With rows of norm 1, so that sizes of coefficients compare; (width, dim), twice."""
        decoder = torch.as_tensor(np.asarray(decoder), dtype=torch.float32)
        encoder = torch.as_tensor(np.asarray(encoder), dtype=torch.float32)
        length = decoder.norm(dim=1, keepdim=True).clamp_min(1e-12)
        made = cls(decoder.shape[1], decoder.shape[0], k)
        with torch.no_grad():
            made.W_dec.copy_(decoder / length)
            made.W_enc.copy_(encoder * length)
            made.b_dec.copy_(torch.as_tensor(np.asarray(centre), dtype=torch.float32))
        made.architecture = name
        return made.requires_grad_(False)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """(..., dim) → (..., width), at most k entries other than 0."""
        z = functional.linear(x - self.b_dec, self.W_enc)
        if self.k >= self.width:
            return z
        units = z.abs().topk(self.k, dim=-1, sorted=False).indices
        return torch.zeros_like(z).scatter(-1, units, z.gather(-1, units))


class NonNegative(Dictionary):
    """Codes that are at least 0, the best under given rows: non-negative least squares.

    `split`: the rows are of (dim + dim) numbers, what lies above the centre and what lies below.
    After the fit all but the k largest coefficients of a sample are set to 0, and the k found anew.
    """

    architecture = "non_negative"

    def __init__(self, dim: int, width: int, k: int, split: bool = False):
        super().__init__()
        self.k, self.split = k, split
        self.rows = nn.Parameter(torch.zeros(width, 2 * dim if split else dim))
        self.W_dec = nn.Parameter(torch.zeros(width, dim))
        self.b_dec = nn.Parameter(torch.zeros(dim))

    @classmethod
    def of(cls, rows: torch.Tensor, centre: torch.Tensor, k: int, split: bool, name: str):
        dim = len(centre)
        made = cls(dim, len(rows), k, split)
        with torch.no_grad():
            rows = functional.normalize(rows, dim=1)
            made.rows.copy_(rows)
            made.W_dec.copy_(rows[:, :dim] - rows[:, dim:] if split else rows)
            made.b_dec.copy_(centre)
        made.architecture = name
        return made.requires_grad_(False)

    @torch.no_grad()
    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """(..., dim) → (..., width), at most k entries above 0."""
        flat = x.reshape(-1, self.dim) - self.b_dec
        if self.split:
            flat = both_sides(flat)
        z = non_negative_code(flat, self.rows)
        if self.k < self.width:
            units = z.topk(self.k, dim=1, sorted=False).indices
            kept = torch.zeros_like(z).scatter(1, units, 1.0)
            z = non_negative_code(flat, self.rows, kept)
        return z.reshape(*x.shape[:-1], self.width)


def both_sides(x: torch.Tensor) -> torch.Tensor:
    """(n, dim) → (n, 2 dim): what is above 0, and what is below, both as sizes."""
    return torch.cat([x.relu(), (-x).relu()], dim=1)


def non_negative_code(
    x: torch.Tensor, rows: torch.Tensor, allowed: torch.Tensor | None = None, steps: int = STEPS
) -> torch.Tensor:
    """Codes z ≥ 0 that bring `z rows` closest to `x`, (n, width).

    Source: Beck & Teboulle 2009, the accelerated proximal gradient method (FISTA).
    """
    products = rows @ rows.T
    step = 1 / float(torch.linalg.matrix_norm(products, 2))
    along = x @ rows.T
    z = torch.zeros_like(along)
    ahead, momentum = z, 1.0
    for _ in range(steps):
        moved = (ahead - step * (ahead @ products - along)).clamp_min(0)
        if allowed is not None:
            moved = moved * allowed
        following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = moved + (momentum - 1) / following * (moved - z)
        z, momentum = moved, following
    return z


def pca(x: torch.Tensor, k: int) -> Basis:
    """Principal components, and of each sample the k coefficients that are largest there."""
    centre = x.double().mean(0)
    _, vectors = torch.linalg.eigh((x.double() - centre).T @ (x.double() - centre))
    rows = vectors.T.flip(0)
    return Basis.of(rows, rows, centre, k, "pca")


def leading_pca(x: torch.Tensor, k: int) -> Basis:
    """The k leading principal components, the same for every sample."""
    whole = pca(x, k)
    return Basis.of(whole.W_enc[:k], whole.W_dec[:k], whole.b_dec, k, "pca_leading")


def ica(x: torch.Tensor, k: int, seed: int) -> Basis:
    """Independent components, as many as dimensions (scikit-learn's FastICA)."""
    from sklearn.decomposition import FastICA

    model = FastICA(whiten="unit-variance", random_state=seed % 2**32, max_iter=300)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it may not converge; what it has then is what is compared
        model.fit(x.double().numpy())
    return Basis.of(model.components_, model.mixing_.T, model.mean_, k, "ica")


def raw(x: torch.Tensor, k: int) -> Basis:
    """The latent's own dimensions."""
    eye = torch.eye(x.shape[1])
    return Basis.of(eye, eye, x.double().mean(0), k, "raw")


def nmf(x: torch.Tensor, k: int, width: int, seed: int) -> NonNegative:
    """Non-negative factors (scikit-learn's NMF) of what lies above the mean beside what lies below.

    Latents have both signs, so their two sides are taken as separate dimensions.
    """
    from sklearn.decomposition import NMF

    centre = x.mean(0)
    model = NMF(width, random_state=seed % 2**32, max_iter=STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(both_sides(x - centre).double().numpy())
    rows = torch.as_tensor(model.components_, dtype=torch.float32)
    return NonNegative.of(rows[rows.norm(dim=1) > 0], centre, k, True, "nmf")


def semi_nmf(x: torch.Tensor, k: int, width: int, seed: int, steps: int = 30) -> NonNegative:
    """Factors of both signs with codes that are at least 0: codes and rows fitted in turns.

    Source: Ding, Li & Jordan 2010, "Convex and semi-nonnegative matrix factorizations".
    """
    generator = torch.Generator().manual_seed(seed)
    centre = x.mean(0)
    left = x - centre
    rows = functional.normalize(left[torch.randperm(len(x), generator=generator)[:width]], dim=1)
    for _ in range(steps):
        z = non_negative_code(left, rows, steps=30)
        gram = z.T @ z
        gram.diagonal().add_(1e-6 * float(gram.diagonal().mean()) + 1e-12)
        rows = functional.normalize(torch.linalg.solve(gram, z.T @ left), dim=1)
    return NonNegative.of(rows, centre, k, False, "semi_nmf")


def random_dictionary(x: torch.Tensor, k: int, width: int, seed: int) -> MatchingPursuitDictionary:
    """Random directions, never trained, under matching pursuit."""
    made = MatchingPursuitDictionary(x.shape[1], width, k)
    with torch.no_grad():
        generator = torch.Generator().manual_seed(seed)
        made.W_dec.copy_(random_rows(width, x.shape[1], made.W_dec, generator))
        made.b_dec.copy_(x.mean(0))
    made.architecture = "random"
    return made.requires_grad_(False)


def difference_in_means(x: torch.Tensor, labels: Mapping[str, np.ndarray]) -> Basis:
    """One direction for each class of each task: its mean less the mean of all.

    Coefficients are those of least squares, so directions that overlap do not count twice; those of
    least size, for the directions of a task sum to about 0.

    Args:
        x: (n, dim).
        labels: class index by task, (n,), −1 where there is none.
    """
    centre = x.mean(0)
    directions = [
        x[torch.from_numpy(label == c)].mean(0) - centre
        for label in labels.values()
        for c in range(int(label.max(initial=-1)) + 1)
        if (label == c).any()
    ]
    rows = torch.stack(directions)
    inverse = torch.linalg.pinv(rows.double(), rtol=DEPENDENT)
    return Basis.of(inverse.T, rows, centre, len(rows), "difference_in_means")

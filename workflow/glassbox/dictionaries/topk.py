"""The TopK sparse autoencoder with AuxK.

Source: Gao et al. 2024, "Scaling and evaluating sparse autoencoders", arXiv 2406.04093,
sections 2.3, A.1 and A.2.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

FIRED = 1e-3  # a unit has fired in a latent only if its activation there exceeds this


class SparseCode(NamedTuple):
    """The k largest pre-activations of each input, after ReLU, and whose they are."""

    values: torch.Tensor  # (n, k)
    units: torch.Tensor  # (n, k) int64


class Loss(NamedTuple):
    """What one batch costs, and its code (from which the trainer counts who fired)."""

    total: torch.Tensor
    reconstruction: torch.Tensor
    auxiliary: torch.Tensor
    code: SparseCode


class TopKDictionary(nn.Module):
    """`z = ReLU(topk(W_enc (x − b_dec) + b_enc))`, `x̂ = z W_dec + b_dec`.

    Parameters: `W_enc` (width, dim), `b_enc` (width,), `W_dec` (width, dim) with one unit a row,
    `b_dec` (dim,). In training the rows of `W_dec` have norm 1; after `fold` they have the norm of
    the input scale.
    """

    architecture = "topk"

    def __init__(self, dim: int, width: int, k: int, k_aux: int = 32, aux_weight: float = 1 / 32):
        super().__init__()
        self.k, self.k_aux, self.aux_weight = k, k_aux, aux_weight
        self.W_enc = nn.Parameter(torch.zeros(width, dim))
        self.b_enc = nn.Parameter(torch.zeros(width))
        self.W_dec = nn.Parameter(torch.zeros(width, dim))
        self.b_dec = nn.Parameter(torch.zeros(dim))

    @property
    def width(self) -> int:
        return self.W_dec.shape[0]

    @property
    def dim(self) -> int:
        return self.W_dec.shape[1]

    @torch.no_grad()
    def initialise(self, x: torch.Tensor, generator: torch.Generator) -> None:
        """Random unit rows, the encoder tied to them and scaled, the bias at the data's centre.

        The encoder is divided by the mean norm of the reconstructions of random inputs of norm 1,
        so that a reconstruction starts out as long as its input.

        Args:
            x: training inputs, (n, dim), centred and scaled.
            generator: source of the randomness.
        """
        rows = torch.randn(self.width, self.dim, generator=generator).to(self.W_dec.dtype)
        self.W_dec.copy_(functional.normalize(rows, dim=1))
        self.W_enc.copy_(self.W_dec)
        self.b_enc.zero_()
        self.b_dec.zero_()
        probes = torch.randn(1024, self.dim, generator=generator)
        probes = functional.normalize(probes, dim=1).to(self.W_dec.dtype)
        self.W_enc /= self.decode_sparse(self.code(probes)).norm(dim=1).mean()
        self.b_dec.copy_(geometric_median(x))

    def pre_activations(self, x: torch.Tensor) -> torch.Tensor:
        """(n, dim) → (n, width), before TopK and ReLU."""
        return functional.linear(x - self.b_dec, self.W_enc, self.b_enc)

    def code(self, x: torch.Tensor) -> SparseCode:
        """(n, dim) → the code in sparse form."""
        return self._top(self.pre_activations(x))

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """(..., dim) → (..., width), at most k entries above 0."""
        flat = x.reshape(-1, self.dim)
        code = self.code(flat)
        z = torch.zeros(flat.shape[0], self.width, dtype=flat.dtype, device=flat.device)
        return z.scatter(1, code.units, code.values).reshape(*x.shape[:-1], self.width)

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """(..., width) → (..., dim)."""
        return z @ self.W_dec + self.b_dec

    def decode_sparse(self, code: SparseCode) -> torch.Tensor:
        """The reconstruction from a sparse code, (n, dim), without the dense code matrix."""
        return self._sum_of_rows(code.units, code.values) + self.b_dec

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decode_sparse(self.code(x.reshape(-1, self.dim))).reshape(x.shape)

    def loss(self, x: torch.Tensor, dead: torch.Tensor | None = None) -> Loss:
        """Mean squared error over the batch's variance, plus AuxK where units are dead.

        Args:
            x: inputs, (n, dim), centred and scaled.
            dead: which units are dead, (width,) bool; none where not given.
        """
        pre = self.pre_activations(x)
        code = self._top(pre)
        residual = x - self.decode_sparse(code)
        reconstruction = residual.square().mean() / variance(x)
        auxiliary = self.auxiliary(pre, residual.detach(), dead)
        total = reconstruction + self.aux_weight * auxiliary
        return Loss(total, reconstruction, auxiliary, code)

    def auxiliary(
        self, pre: torch.Tensor, residual: torch.Tensor, dead: torch.Tensor | None
    ) -> torch.Tensor:
        """AuxK: how badly the best dead units alone explain what the others left over.

        The pre-activations enter raw (after a ReLU, a unit that is negative everywhere would never
        move), the bias does not enter (the residual has none left), and the residual is a
        constant: dead units chase it, the living do not run from it.

        Args:
            pre: pre-activations, (n, width), with gradient.
            residual: `x − x̂`, (n, dim), without gradient.
            dead: (width,) bool.

        Returns:
            Mean squared error over the residual's variance; 0 where no unit is dead.
        """
        n_dead = 0 if dead is None else int(dead.sum())
        if n_dead == 0:
            return pre.new_zeros(())
        among_dead = pre.masked_fill(~dead, -torch.inf)
        values, units = among_dead.topk(min(self.k_aux, n_dead), dim=1, sorted=False)
        return (self._sum_of_rows(units, values) - residual).square().mean() / variance(residual)

    @torch.no_grad()
    def remove_parallel_gradient(self) -> None:
        """Take from the gradient of each decoder row its component along the row."""
        grad = self.W_dec.grad
        if grad is not None:
            grad -= (grad * self.W_dec).sum(1, keepdim=True) * self.W_dec

    @torch.no_grad()
    def normalise_rows(self) -> None:
        """Bring the decoder's rows back to norm 1."""
        self.W_dec.copy_(functional.normalize(self.W_dec, dim=1))

    @torch.no_grad()
    def fold(self, centre: torch.Tensor, scale: float) -> TopKDictionary:
        """The same dictionary for raw inputs: of `x`, where this one is of `(x − centre)/scale`.

        The code is unchanged; rows of the decoder get the norm `scale`, in units of `x`.
        """
        folded = TopKDictionary(self.dim, self.width, self.k, self.k_aux, self.aux_weight)
        folded = folded.to(self.W_dec.dtype)
        folded.W_enc.copy_(self.W_enc / scale)
        folded.b_enc.copy_(self.b_enc)
        folded.W_dec.copy_(self.W_dec * scale)
        folded.b_dec.copy_(self.b_dec * scale + centre)
        return folded

    def save(self, path: str | Path) -> None:
        """Write the weights as safetensors; k stands in the metadata."""
        from safetensors.torch import save

        tensors = {name: value.detach().contiguous() for name, value in self.state_dict().items()}
        # `save_file` would make a file that only its owner can read, whatever the umask.
        Path(path).write_bytes(save(tensors, metadata={"k": str(self.k)}))

    @classmethod
    def load(cls, path: str | Path) -> TopKDictionary:
        """Read what `save` wrote."""
        from safetensors import safe_open

        with safe_open(str(path), framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            k = int(file.metadata()["k"])
        width, dim = tensors["W_dec"].shape
        dictionary = cls(dim, width, k).to(tensors["W_dec"].dtype)
        dictionary.load_state_dict(tensors)
        return dictionary.requires_grad_(False)

    def _top(self, pre: torch.Tensor) -> SparseCode:
        values, units = pre.topk(self.k, dim=1, sorted=False)
        return SparseCode(values.relu(), units)

    def _sum_of_rows(self, units: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        return functional.embedding_bag(units, self.W_dec, per_sample_weights=values, mode="sum")


def variance(x: torch.Tensor) -> torch.Tensor:
    """Mean over dimensions of the variance over the batch, (n, dim) → (); never below tiny."""
    return (x - x.mean(0)).square().mean().clamp_min(torch.finfo(x.dtype).tiny)


def geometric_median(x: torch.Tensor, steps: int = 50, tolerance: float = 1e-6) -> torch.Tensor:
    """The point with the least summed distance to the rows of `x`, (n, dim) → (dim,).

    Source: Weiszfeld 1937; distances are kept off 0, where his iteration is not defined.
    """
    point = x.mean(0)
    for _ in range(steps):
        weight = 1 / (x - point).norm(dim=1).clamp_min(1e-8)
        moved = (weight[:, None] * x).sum(0) / weight.sum()
        step = (moved - point).norm()
        point = moved
        if step <= tolerance * (1 + point.norm()):
            break
    return point

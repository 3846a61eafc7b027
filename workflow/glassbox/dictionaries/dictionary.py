"""What every dictionary can do, whatever its architecture.

A dictionary writes an activation as a sum of a few of its rows: `encode` says which and how much,
`decode` sums. `loss` says what a batch costs in training and of what that is made, `fold` moves the
input's centre and scale into the weights, `save` and `load` keep it in one file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from glassbox.dictionaries.sparse import Entries, SparseCode, sum_of_rows

FIRED = 1e-3  # a unit has fired in a latent only if its activation there exceeds this


class Loss(NamedTuple):
    """What one batch costs.

    Attributes:
        total: what is minimised.
        components: of what it is made, by name; `reconstruction` is always among them.
        fired: which units fired in the batch, (width,) bool.
        l0: mean number of units that fired in one sample.
    """

    total: torch.Tensor
    components: Mapping[str, torch.Tensor]
    fired: torch.Tensor
    l0: float


class Dictionary(nn.Module):
    """The part that all architectures share: `x̂ = z W_dec + b_dec`.

    Parameters: `W_dec` (width, dim) with one unit a row, `b_dec` (dim,). In training the rows of
    `W_dec` have norm 1; after `fold` they have the norm of the input scale.
    """

    architecture: ClassVar[str]
    settings: ClassVar[tuple[str, ...]] = ("k",)  # what a file keeps beside the weights
    settles: ClassVar[float] = 0.0  # share of a training before which weights are not kept

    W_dec: nn.Parameter
    b_dec: nn.Parameter
    k: int  # units active in one latent (on average, where an architecture fixes no number)

    @property
    def width(self) -> int:
        return self.W_dec.shape[0]

    @property
    def dim(self) -> int:
        return self.W_dec.shape[1]

    def initialise(self, x: torch.Tensor, generator: torch.Generator) -> None:
        """Draw the weights, given training inputs, (n, dim), centred and scaled."""
        raise NotImplementedError

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        """(..., dim) → (..., width), few entries other than 0."""
        raise NotImplementedError

    def loss(self, x: torch.Tensor, dead: torch.Tensor | None = None) -> Loss:
        """What a batch costs.

        Args:
            x: inputs, (n, dim), centred and scaled.
            dead: which units are dead, (width,) bool; none where not given.
        """
        raise NotImplementedError

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """(..., width) → (..., dim)."""
        return z @ self.W_dec + self.b_dec

    def code(self, x: torch.Tensor) -> SparseCode:
        """(n, dim) → the code in sparse form, as wide as its fullest row."""
        z = self.encode(x)
        s = max(1, int((z != 0).sum(1).max()))
        units = z.abs().topk(s, dim=1, sorted=False).indices
        return SparseCode(z.gather(1, units), units)

    def decode_sparse(self, code: SparseCode) -> torch.Tensor:
        """The reconstruction from a sparse code, (n, dim), without the dense code matrix."""
        entries = Entries.of(code.units, self.width)
        return sum_of_rows(code.values.reshape(-1), self.W_dec, entries) + self.b_dec

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decode(self.encode(x))

    def reconstruction(self, x: torch.Tensor) -> torch.Tensor:
        """What `forward` gives, (n, dim), with the way back to every weight that has one."""
        return self(x)

    def target(self, x: torch.Tensor) -> torch.Tensor:
        """What a reconstruction of `x` is held against: itself."""
        return x

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
    def fold(self, centre: torch.Tensor, scale: float) -> Dictionary:
        """The same dictionary for raw inputs: of `x`, where this one is of `(x − centre)/scale`.

        The code is unchanged; rows of the decoder get the norm `scale`, in units of `x`.
        """
        state = {name: value.clone() for name, value in self.state_dict().items()}
        if "W_enc" in state:
            state["W_enc"] /= scale
        state["W_dec"] *= scale
        state["b_dec"] = state["b_dec"] * scale + centre
        return self._like(state)

    def save(self, path: str | Path) -> None:
        """Write the weights as safetensors; architecture and settings stand in the metadata."""
        from safetensors.torch import save

        about = {name: getattr(self, name) for name in self.settings}
        about["architecture"] = self.architecture
        tensors = {name: value.detach().contiguous() for name, value in self.state_dict().items()}
        # One key: the order of several is another in each process. And `save_file` would make a
        # file that only its owner can read, whatever the umask.
        metadata = {"dictionary": json.dumps(about, sort_keys=True)}
        Path(path).write_bytes(save(tensors, metadata=metadata))

    @classmethod
    def load(cls, path: str | Path) -> Dictionary:
        """Read what `save` wrote; `load_dictionary` finds the class by itself."""
        about, tensors = read_weights(path)
        width, dim = tensors["W_dec"].shape
        settings = {name: about[name] for name in cls.settings}
        dictionary = cls(dim, width, **settings).to(tensors["W_dec"].dtype)
        dictionary.load_state_dict(tensors)
        return dictionary.requires_grad_(False)

    def _like(self, state: Mapping[str, torch.Tensor]) -> Dictionary:
        settings = {name: getattr(self, name) for name in self.settings}
        made = type(self)(self.dim, self.width, **settings).to(self.W_dec)
        made.load_state_dict(state)
        return made


def read_weights(path: str | Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """What a dictionary's file says of itself, and its arrays."""
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return json.loads(file.metadata()["dictionary"]), tensors


def random_rows(width: int, dim: int, like: torch.Tensor, generator: torch.Generator):
    """Directions without a preference, (width, dim), of norm 1."""
    rows = torch.randn(width, dim, generator=generator)
    return functional.normalize(rows.to(like), dim=1)


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

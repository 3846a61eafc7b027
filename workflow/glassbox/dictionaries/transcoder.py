"""The transcoder: a sparse stand-in for a layer, from what enters it to what it adds.

Source: Dunefsky, Chlenski & Nanda 2024, "Transcoders find interpretable LLM feature circuits",
arXiv 2406.11944; TopK and AuxK as in the autoencoder.
"""

from __future__ import annotations

import torch
from torch import nn

from glassbox.dictionaries.dictionary import (
    Loss,
    geometric_median,
    random_rows,
)
from glassbox.dictionaries.topk import TopKDictionary


class Transcoder(TopKDictionary):
    """`z = ReLU(topk(W_enc (x − b_in) + b_enc))`, `ŷ = z W_dec + b_dec` for a layer's x → y.

    Parameters beside those of TopK: `b_in` (dim_in,); `W_enc` is (width, dim_in), `W_dec` (width,
    dim). Input and output may differ in size and are centred and scaled each by its own.
    """

    architecture = "transcoder"
    settings = ("k", "dim_in")

    def __init__(
        self,
        dim: int,
        width: int,
        k: int,
        k_aux: int = 32,
        aux_weight: float = 1 / 32,
        dim_in: int | None = None,
    ):
        super().__init__(dim, width, k, k_aux, aux_weight)
        self.dim_in = dim if dim_in is None else dim_in
        self.W_enc = nn.Parameter(torch.zeros(width, self.dim_in))
        self.b_in = nn.Parameter(torch.zeros(self.dim_in))

    @property
    def centre(self) -> torch.Tensor:
        return self.b_in

    @torch.no_grad()
    def initialise(
        self, x: torch.Tensor, generator: torch.Generator, y: torch.Tensor | None = None
    ) -> None:
        """Random unit rows on both sides, the biases at the data's centres.

        Args:
            x: inputs of the layer, (n, dim_in), centred and scaled.
            generator: source of the randomness.
            y: its outputs, (n, dim), centred and scaled.
        """
        y = x if y is None else y
        self.W_dec.copy_(random_rows(self.width, self.dim, self.W_dec, generator))
        self.W_enc.copy_(random_rows(self.width, self.dim_in, self.W_enc, generator))
        self.b_in.copy_(geometric_median(x))
        self.b_dec.zero_()
        first = self.decode_sparse(self.code(x[:1024])).norm(dim=1).mean()
        self.W_enc *= y.norm(dim=1).mean() / first
        self.b_dec.copy_(geometric_median(y))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = self.decode_sparse(self.code(x.reshape(-1, self.dim_in)))
        return made.reshape(*x.shape[:-1], self.dim)

    def loss(
        self, x: torch.Tensor, dead: torch.Tensor | None = None, y: torch.Tensor | None = None
    ) -> Loss:
        """Mean squared error of the layer's output over its variance, plus AuxK.

        Args:
            x: inputs of the layer, (n, dim_in).
            dead: which units are dead, (width,) bool; none where not given.
            y: outputs of the layer, (n, dim); x itself where not given.
        """
        return self.loss_of(x, x if y is None else y, dead)

    @torch.no_grad()
    def fold(
        self,
        centre: torch.Tensor,
        scale: float,
        y_centre: torch.Tensor | None = None,
        y_scale: float | None = None,
    ) -> Transcoder:
        """The same for raw inputs and outputs; the output's centre and scale are the input's
        where not given."""
        state = {name: value.clone() for name, value in self.state_dict().items()}
        state["W_enc"] /= scale
        state["b_in"] = state["b_in"] * scale + centre
        y_scale = scale if y_scale is None else y_scale
        y_centre = centre if y_centre is None else y_centre
        state["W_dec"] *= y_scale
        state["b_dec"] = state["b_dec"] * y_scale + y_centre
        return self._like(state)

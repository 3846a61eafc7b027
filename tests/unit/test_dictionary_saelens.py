"""Our dictionaries give what SAELens gives for the same weights and inputs.

The arrays were made by tests/peers/dictionaries_of_saelens.py, in float64.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from glassbox.dictionaries.architectures import AUTOENCODERS
from glassbox.dictionaries.dictionary import variance

KEPT = Path(__file__).with_name("data") / "saelens.npz"


@pytest.fixture(scope="module")
def arrays():
    with np.load(KEPT) as kept:
        return {name: torch.from_numpy(kept[name]) for name in kept}


def ours(name, arrays):
    dictionary = AUTOENCODERS[name](6, 16, 3, k_aux=3).double()
    with torch.no_grad():
        for weight, value in dictionary.named_parameters():
            value.copy_(arrays["threshold"].log() if weight == "log_threshold" else arrays[weight])
    return dictionary


@pytest.mark.parametrize("name", ["relu", "topk", "jumprelu", "matching_pursuit"])
def test_code_and_reconstruction_are_those_of_saelens(name, arrays):
    dictionary = ours(name, arrays)
    z = dictionary.encode(arrays["x"]).detach()
    torch.testing.assert_close(z, arrays[f"{name}.z"])
    torch.testing.assert_close(dictionary.decode(z).detach(), arrays[f"{name}.reconstruction"])


def test_batch_topk_keeps_in_training_what_saelens_keeps(arrays):
    dictionary = ours("batch_topk", arrays)
    kept, where, _ = dictionary.keep(arrays["x"])
    z = torch.zeros(40, 16, dtype=torch.float64)
    z[where.rows, where.units] = kept
    torch.testing.assert_close(z, arrays["batch_topk.z"])


def test_auxk_pulls_where_that_of_saelens_pulls(arrays):
    """Theirs is a sum over dimensions and not over the residual's variance: one factor apart.

    Theirs counts the gradient that reaches b_dec through the encoder; none is compared.
    """
    dictionary, x = ours("topk", arrays), arrays["x"]
    residual = (x - dictionary(x)).detach()
    dictionary.auxiliary(x, residual, arrays["dead"].bool()).backward()
    factor = x.shape[1] * variance(residual)
    for name in ("W_enc", "b_enc"):
        mine = getattr(dictionary, name).grad * factor
        torch.testing.assert_close(mine, arrays[f"auxk.{name}"])
    # Theirs multiplies each pre-activation by its row's norm, so its gradient has a part along the
    # row beside ours; across the row they are the same.
    rows = arrays["W_dec"]
    theirs, mine = arrays["auxk.W_dec"], dictionary.W_dec.grad * factor
    across = [g - (g * rows).sum(1, keepdim=True) * rows for g in (mine, theirs)]
    torch.testing.assert_close(*across)

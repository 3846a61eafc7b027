"""One training step of a TopK dictionary, by each implementation: loss, gradient, Adam.

Each is imported where it is installed: `ENVIRONMENTS` names the environments, made by
tests/peers/make_env.sh, all with the same torch. AuxK is idle (no unit is dead) or forced (every
other unit is).

`plain` is dense torch as one writes it: linear, topk, scatter into zeros, matmul. SAELens is
TopKTrainingSAE and sparsify SparseCoder by their own defaults: they look at dim/2 dead units, where
ours and plain look at 32, and sparsify's AuxK gives its encoder no gradient. overcomplete is
TopKSAE; the loss that it calls AuxK reconstructs with half of all units, dead or not.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from importlib.machinery import PathFinder
from importlib.metadata import version

BATCH, K_AUX = 4096, 32
AUX_WEIGHT = 1 / 32
ENVIRONMENTS = {
    "ours": "saelens",
    "plain": "saelens",
    "saelens": "saelens",
    "sparsify": "sparsify",
    "overcomplete": "overcomplete",
}
PACKAGES = {"saelens": "sae-lens", "sparsify": "eai-sparsify", "overcomplete": "overcomplete"}


def version_of(subject: str) -> str:
    """Version of what is measured."""
    return version(PACKAGES[subject]) if subject in PACKAGES else "torch " + version("torch")


def new_step(subject: str, dim: int, width: int, k: int, forced: bool) -> Callable[[], float]:
    """A function that takes one training step of a fresh model, and returns its loss."""
    import torch

    x = torch.randn(BATCH, dim, generator=torch.Generator().manual_seed(0))
    dead = torch.arange(width) % 2 == 1 if forced else torch.zeros(width, dtype=torch.bool)
    parameters, loss = MAKERS[subject](x, width, k, dead)
    optimiser = torch.optim.Adam(parameters, lr=1e-4)

    def step() -> float:
        optimiser.zero_grad(set_to_none=True)
        total = loss()
        total.backward()
        optimiser.step()
        return float(total.detach())

    return step


def import_of(subject: str) -> None:
    """Import what a subject needs, so that its memory is not counted as the model's."""
    if subject == "ours":
        import glassbox.dictionaries.topk  # noqa: F401
    elif subject == "saelens":
        import sae_lens  # noqa: F401
    elif subject == "sparsify":
        import sparsify  # noqa: F401
    elif subject == "overcomplete":
        _overcomplete_package()
        import overcomplete.sae  # noqa: F401


def _ours(x, width, k, dead):
    import torch
    from glassbox.dictionaries.topk import TopKDictionary

    dictionary = TopKDictionary(x.shape[1], width, k, K_AUX)
    dictionary.initialise(x, torch.Generator().manual_seed(1))
    return dictionary.parameters(), lambda: dictionary.loss(x, dead).total


def _plain(x, width, k, dead):
    import torch
    from torch.nn.functional import linear, normalize

    rows = torch.randn(width, x.shape[1], generator=torch.Generator().manual_seed(1))
    rows = normalize(rows, dim=1)
    weights = [rows / 2, torch.zeros(width), rows.clone(), torch.zeros(x.shape[1])]
    encoder, threshold, decoder, bias = (w.requires_grad_() for w in weights)
    n_dead = int(dead.sum())

    def loss():
        pre = linear(x - bias, encoder, threshold)
        values, units = pre.topk(k, dim=1)
        z = torch.zeros_like(pre).scatter(1, units, values.relu())
        residual = x - (z @ decoder + bias)
        total = residual.square().mean() / x.var(0, correction=0).mean()
        if n_dead:
            left = residual.detach()
            values, units = pre.masked_fill(~dead, -torch.inf).topk(min(K_AUX, n_dead), dim=1)
            z = torch.zeros_like(pre).scatter(1, units, values)
            auxiliary = (z @ decoder - left).square().mean() / left.var(0, correction=0).mean()
            total = total + AUX_WEIGHT * auxiliary
        return total

    return [encoder, threshold, decoder, bias], loss


def _saelens(x, width, k, dead):
    import torch
    from sae_lens import TopKTrainingSAE, TopKTrainingSAEConfig
    from sae_lens.saes.sae import TrainStepInput

    torch.manual_seed(1)
    sae = TopKTrainingSAE(TopKTrainingSAEConfig(d_in=x.shape[1], d_sae=width, k=k))
    given = TrainStepInput(
        sae_in=x,
        coefficients={},
        dead_neuron_mask=dead if bool(dead.any()) else None,
        n_training_steps=1,
        is_logging_step=False,
    )
    return sae.parameters(), lambda: sae.training_forward_pass(given).loss


def _sparsify(x, width, k, dead):
    import torch
    from sparsify import SparseCoder, SparseCoderConfig

    torch.manual_seed(1)
    coder = SparseCoder(x.shape[1], SparseCoderConfig(num_latents=width, k=k))
    mask = dead if bool(dead.any()) else None

    def loss():
        out = coder(x, dead_mask=mask)
        return out.fvu + AUX_WEIGHT * out.auxk_loss

    return coder.parameters(), loss


def _overcomplete(x, width, k, dead):
    import torch

    _overcomplete_package()
    from overcomplete.sae.losses import top_k_auxiliary_loss
    from overcomplete.sae.topk_sae import TopKSAE

    torch.manual_seed(1)
    sae = TopKSAE(x.shape[1], nb_concepts=width, top_k=k)
    forced = bool(dead.any())

    def loss():
        before, codes, made = sae(x)
        if not forced:
            return (x - made).square().mean()
        given = x, made, before, codes, sae.get_dictionary()
        return top_k_auxiliary_loss(*given, penalty=AUX_WEIGHT)

    return sae.parameters(), loss


def _overcomplete_package() -> None:
    """The package without its own __init__, which imports models of images and their libraries."""
    if "overcomplete" not in sys.modules:
        package = types.ModuleType("overcomplete")
        found = PathFinder.find_spec("overcomplete")
        package.__path__ = list(found.submodule_search_locations)
        sys.modules["overcomplete"] = package


MAKERS = {
    "ours": _ours,
    "plain": _plain,
    "saelens": _saelens,
    "sparsify": _sparsify,
    "overcomplete": _overcomplete,
}

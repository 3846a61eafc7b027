"""Run the dictionaries of SAELens on random weights and inputs, and write what came out.

    .venv-saelens/bin/python tests/peers/dictionaries_of_saelens.py tests/unit/data/saelens.npz

All is drawn from a fixed seed: inputs (40, 6), 16 units, decoder rows of norm 1. For each
architecture the activations and the reconstruction; for TopK also AuxK's gradients.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from sae_lens import (
    BatchTopKTrainingSAE,
    BatchTopKTrainingSAEConfig,
    JumpReLUSAE,
    JumpReLUSAEConfig,
    MatchingPursuitSAE,
    MatchingPursuitSAEConfig,
    StandardSAE,
    StandardSAEConfig,
    TopKSAE,
    TopKSAEConfig,
    TopKTrainingSAE,
    TopKTrainingSAEConfig,
)

DIM, WIDTH, K, N = 6, 16, 3, 40


def main(out: str) -> None:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((WIDTH, DIM))
    given = {
        "x": rng.standard_normal((N, DIM)) + 0.5,
        "W_dec": rows / np.linalg.norm(rows, axis=1, keepdims=True),
        "W_enc": rows + 0.3 * rng.standard_normal((WIDTH, DIM)),
        "b_enc": 0.2 * rng.standard_normal(WIDTH),
        "b_dec": 0.5 * rng.standard_normal(DIM),
        "threshold": rng.uniform(0.2, 1.0, WIDTH),
        "dead": rng.random(WIDTH) < 0.5,
    }
    arrays = dict(given)
    x = torch.from_numpy(given["x"])
    common = dict(d_in=DIM, d_sae=WIDTH, dtype="float64", apply_b_dec_to_input=True)
    subjects = {
        "relu": StandardSAE(StandardSAEConfig(**common)),
        "topk": TopKSAE(TopKSAEConfig(k=K, rescale_acts_by_decoder_norm=False, **common)),
        "jumprelu": JumpReLUSAE(JumpReLUSAEConfig(**common)),
        "matching_pursuit": MatchingPursuitSAE(
            MatchingPursuitSAEConfig(
                max_iterations=K, residual_threshold=0.0, stop_on_duplicate_support=False, **common
            )
        ),
        "batch_topk": BatchTopKTrainingSAE(BatchTopKTrainingSAEConfig(k=K, **common)),
    }
    for name, sae in subjects.items():
        put(sae, given)
        with torch.no_grad():
            codes = sae.encode(x)
            codes = codes.to_dense() if codes.is_sparse else codes
            arrays[f"{name}.z"] = codes.numpy()
            arrays[f"{name}.reconstruction"] = sae.decode(codes).numpy()
    arrays |= auxk(given, x)
    np.savez(out, **arrays)


def put(sae: torch.nn.Module, given: dict[str, np.ndarray]) -> None:
    """Give a dictionary of SAELens these weights; its encoder has one unit a column."""
    for name in ("W_enc", "b_enc", "W_dec", "b_dec", "threshold"):
        if isinstance(getattr(sae, name, None), torch.nn.Parameter):
            value = torch.from_numpy(given[name]).double()
            getattr(sae, name).data = (value.T if name == "W_enc" else value).contiguous()


def auxk(given: dict[str, np.ndarray], x: torch.Tensor) -> dict[str, np.ndarray]:
    """AuxK with its coefficient, and its gradients."""
    sae = TopKTrainingSAE(
        TopKTrainingSAEConfig(
            d_in=DIM, d_sae=WIDTH, k=K, dtype="float64", apply_b_dec_to_input=True
        )
    )
    put(sae, given)
    z, pre = sae.encode_with_hidden_pre(x)
    loss = sae.calculate_topk_aux_loss(x, sae.decode(z), pre, torch.from_numpy(given["dead"]))
    loss.backward()
    return {
        "auxk.loss": loss.detach().numpy(),
        "auxk.W_enc": sae.W_enc.grad.T.numpy(),
        "auxk.b_enc": sae.b_enc.grad.numpy(),
        "auxk.W_dec": sae.W_dec.grad.numpy(),
    }


if __name__ == "__main__":
    main(sys.argv[1])

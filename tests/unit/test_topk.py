"""Laws of the TopK dictionary, each a fault of some public library or a promise of ours."""

from __future__ import annotations

import pytest
import torch
from glassbox.dictionaries.dictionary import FIRED, geometric_median
from glassbox.dictionaries.metrics import Reconstruction
from glassbox.dictionaries.topk import TopKDictionary
from torch.autograd import gradcheck
from torch.func import functional_call


def made(dim=6, width=12, k=3, seed=0, dtype=torch.float64, n=40):
    generator = torch.Generator().manual_seed(seed)
    dictionary = TopKDictionary(dim, width, k, k_aux=4).to(dtype)
    x = torch.randn(n, dim, generator=generator, dtype=dtype) + 0.7
    dictionary.initialise(x, generator)
    with torch.no_grad():
        dictionary.b_enc += 0.1 * torch.randn(width, generator=generator, dtype=dtype)
    return dictionary, x


def test_at_most_k_units_are_active_and_none_is_negative():
    dictionary, x = made()
    z = dictionary.encode(x)
    assert int((z != 0).sum(1).max()) <= dictionary.k
    assert float(z.detach().min()) >= 0


def test_the_code_is_the_formula():
    dictionary, x = made()
    pre = (x - dictionary.b_dec) @ dictionary.W_enc.T + dictionary.b_enc
    kept = pre >= pre.sort(1, descending=True).values[:, dictionary.k - 1 : dictionary.k]
    torch.testing.assert_close(dictionary.encode(x), torch.where(kept, pre, 0.0).relu())


def test_sparse_and_dense_reconstruction_agree():
    dictionary, x = made()
    torch.testing.assert_close(
        dictionary.decode_sparse(dictionary.code(x)), dictionary.decode(dictionary.encode(x))
    )


def test_a_first_reconstruction_is_as_long_as_its_input():
    dictionary, _ = made(dim=32, width=128, k=8)
    with torch.no_grad():
        dictionary.b_enc.zero_()
    generator = torch.Generator().manual_seed(3)
    x = torch.nn.functional.normalize(
        torch.randn(2000, 32, generator=generator, dtype=torch.float64), dim=1
    )
    lengths = (dictionary(x + dictionary.b_dec) - dictionary.b_dec).norm(dim=1)
    assert float(lengths.detach().mean()) == pytest.approx(1, abs=0.03)


def test_the_decoder_starts_tied_to_the_encoder_with_rows_of_norm_one():
    dictionary, _ = made()
    torch.testing.assert_close(dictionary.W_dec.norm(dim=1), torch.ones(12, dtype=torch.float64))
    cosine = torch.nn.functional.cosine_similarity(dictionary.W_enc, dictionary.W_dec)
    torch.testing.assert_close(cosine, torch.ones(12, dtype=torch.float64))


def test_the_loss_passes_gradcheck_in_float64():
    dictionary, x = made(n=7)
    names = [name for name, _ in dictionary.named_parameters()]

    def loss(*values):
        weights = dict(zip(names, values, strict=True))
        return functional_call(
            _Reconstruction(dictionary), {f"d.{n}": w for n, w in weights.items()}, (x,)
        )

    values = [p.detach().clone().requires_grad_() for p in dictionary.parameters()]
    assert gradcheck(loss, values)


def test_auxk_passes_gradcheck_in_float64():
    dictionary, x = made(n=7)
    dead = torch.zeros(12, dtype=torch.bool)
    dead[[1, 4, 5, 8, 9, 11]] = True
    residual = (x - dictionary(x)).detach()
    names = [name for name, _ in dictionary.named_parameters()]

    def loss(*values):
        weights = {f"d.{n}": w for n, w in zip(names, values, strict=True)}
        return functional_call(_Auxiliary(dictionary), weights, (x, residual, dead))

    values = [p.detach().clone().requires_grad_() for p in dictionary.parameters()]
    assert gradcheck(loss, values)


def test_auxk_moves_the_encoder_of_dead_units_and_of_no_other():
    dictionary, x = made()
    dead = torch.zeros(12, dtype=torch.bool)
    dead[[2, 7]] = True
    residual = (x - dictionary(x)).detach()
    dictionary.auxiliary(x, residual, dead).backward()
    moved = dictionary.W_enc.grad.norm(dim=1) > 0
    assert torch.equal(moved, dead)


def test_auxk_moves_a_unit_that_is_negative_everywhere():
    dictionary, x = made()
    dead = torch.zeros(12, dtype=torch.bool)
    dead[3] = True
    with torch.no_grad():
        dictionary.b_enc[3] = -100
    residual = (x - dictionary(x)).detach()
    dictionary.auxiliary(x, residual, dead).backward()
    assert float(dictionary.b_enc.grad[3].abs()) > 0


def test_auxk_adds_no_bias():
    dictionary, x = made()
    with torch.no_grad():
        dictionary.b_dec += 50
    dead = torch.ones(12, dtype=torch.bool)
    residual = torch.randn(40, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():  # units that are silent whatever the input
        dictionary.W_enc.zero_()
        dictionary.b_enc.zero_()
    expected = residual.square().mean() / (residual - residual.mean(0)).square().mean()
    torch.testing.assert_close(dictionary.auxiliary(x, residual, dead), expected)


def test_auxk_sends_no_gradient_through_the_residual():
    dictionary, x = made()
    dead = torch.zeros(12, dtype=torch.bool)
    dead[5] = True
    with torch.no_grad():  # keep the dead unit out of the living code
        dictionary.b_enc[5] = -100
    auxiliary = dictionary.loss(x, dead).components["auxiliary"]
    auxiliary.backward()
    living = ~dead
    assert float(dictionary.W_dec.grad[living].abs().max()) == 0
    assert float(dictionary.W_enc.grad[living].abs().max()) == 0


def test_auxk_is_idle_where_no_unit_is_dead():
    dictionary, x = made()
    loss = dictionary.loss(x, torch.zeros(12, dtype=torch.bool))
    assert float(loss.components["auxiliary"]) == 0
    assert torch.equal(loss.total, loss.components["reconstruction"])


def test_the_gradient_left_after_projection_is_orthogonal_to_each_row():
    dictionary, x = made()
    dictionary.loss(x).total.backward()
    dictionary.remove_parallel_gradient()
    along = (dictionary.W_dec.grad * dictionary.W_dec).sum(1)
    assert float(along.abs().max().detach()) < 1e-12
    assert float(dictionary.W_dec.grad.abs().max()) > 0


def test_folding_the_input_scale_leaves_the_code_unchanged():
    dictionary, x = made()
    centre, scale = torch.linspace(-3, 3, 6, dtype=torch.float64), 4.5
    folded = dictionary.fold(centre, scale)
    raw = x * scale + centre
    torch.testing.assert_close(folded.encode(raw), dictionary.encode(x))
    torch.testing.assert_close(folded(raw), dictionary(x) * scale + centre)


def test_saving_and_loading_changes_no_bit(tmp_path):
    dictionary, x = made(dtype=torch.float32)
    dictionary.save(tmp_path / "a.safetensors")
    dictionary.save(tmp_path / "b.safetensors")
    again = TopKDictionary.load(tmp_path / "a.safetensors")
    assert torch.equal(again.encode(x), dictionary.encode(x))
    assert again.k == dictionary.k
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def test_the_geometric_median_withstands_an_outlier():
    x = torch.zeros(9, 2, dtype=torch.float64)
    x[8] = 1e6
    assert float(geometric_median(x).norm()) < 1e-3


def test_a_value_at_the_threshold_has_not_fired():
    z = torch.tensor([[FIRED, 2 * FIRED, 0.0]])
    pooled = Reconstruction()
    pooled.add(z, z, z)
    assert pooled.l0 == 1
    assert pooled.dead_fraction == pytest.approx(2 / 3)


class _Reconstruction(torch.nn.Module):
    def __init__(self, dictionary):
        super().__init__()
        self.d = dictionary

    def forward(self, x):
        return self.d.loss(x).components["reconstruction"]


class _Auxiliary(torch.nn.Module):
    def __init__(self, dictionary):
        super().__init__()
        self.d = dictionary

    def forward(self, x, residual, dead):
        return self.d.auxiliary(x, residual, dead)

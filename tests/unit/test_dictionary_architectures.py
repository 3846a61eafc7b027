"""Laws of every architecture of dictionary, and what tells each from the others."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from glassbox.dictionaries.architectures import (
    ARCHITECTURES,
    AUTOENCODERS,
    load_dictionary,
)
from glassbox.dictionaries.batch_topk import BatchTopKDictionary
from glassbox.dictionaries.dictionary import FIRED
from glassbox.dictionaries.jumprelu import BANDWIDTH, JumpReluDictionary, jump_relu, step
from glassbox.dictionaries.matching_pursuit import MatchingPursuitDictionary
from glassbox.dictionaries.matryoshka import MatryoshkaDictionary
from glassbox.dictionaries.options import Architecture
from glassbox.dictionaries.relu import ReluDictionary
from glassbox.dictionaries.sparse import choose, largest
from glassbox.dictionaries.topk import TopKDictionary
from glassbox.dictionaries.transcoder import Transcoder
from torch.autograd import gradcheck
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode

every = pytest.mark.parametrize("name", list(ARCHITECTURES))
# Of these the whole loss has a derivative wherever no unit changes sides.
smooth = pytest.mark.parametrize("name", [n for n in ARCHITECTURES if n != "jumprelu"])


def made(name, dim=6, width=16, k=3, seed=0, dtype=torch.float64, n=40):
    generator = torch.Generator().manual_seed(seed)
    dictionary = ARCHITECTURES[name](dim, width, k, k_aux=4).to(dtype)
    x = torch.randn(n, dim, generator=generator, dtype=dtype) + 0.7
    dictionary.initialise(x, generator)
    with torch.no_grad():
        if hasattr(dictionary, "b_enc"):
            dictionary.b_enc += 0.1 * torch.randn(width, generator=generator, dtype=dtype)
        if hasattr(dictionary, "threshold"):
            dictionary.threshold.fill_(0.2)
    return dictionary, x


def half_dead(width=16):
    return torch.arange(width) % 2 == 0


def component(dictionary, name):
    """A module whose output is one component of the loss, for `functional_call`."""

    class OfLoss(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.d = dictionary

        def forward(self, x, dead):
            return self.d.loss(x, dead).components[name]

    return OfLoss()


@every
def test_folding_the_input_scale_leaves_the_function_unchanged(name):
    dictionary, x = made(name)
    centre, scale = torch.linspace(-3, 3, 6, dtype=torch.float64), 4.5
    folded = dictionary.fold(centre, scale)
    raw = x * scale + centre
    torch.testing.assert_close(folded.encode(raw), dictionary.encode(x))
    torch.testing.assert_close(folded(raw), dictionary(x) * scale + centre)


@every
def test_saving_and_loading_changes_no_bit(name, tmp_path):
    dictionary, x = made(name, dtype=torch.float32)
    dictionary.save(tmp_path / "a.safetensors")
    dictionary.save(tmp_path / "b.safetensors")
    again = load_dictionary(tmp_path / "a.safetensors")
    assert type(again) is type(dictionary) and again.k == dictionary.k
    assert torch.equal(again.encode(x), dictionary.encode(x))
    assert torch.equal(again(x), dictionary(x))
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


@every
def test_sparse_and_dense_forms_of_the_code_agree(name):
    dictionary, x = made(name)
    code, z = dictionary.code(x), dictionary.encode(x)
    dense = torch.zeros_like(z).scatter_add(1, code.units, code.values)
    torch.testing.assert_close(dense, z)
    torch.testing.assert_close(dictionary.decode_sparse(code), dictionary.decode(z))
    torch.testing.assert_close(dictionary(x), dictionary.decode(z))


@every
def test_the_code_of_an_input_does_not_depend_on_the_others(name):
    dictionary, x = made(name)
    torch.testing.assert_close(dictionary.encode(x)[7:8], dictionary.encode(x[7:8]))


@every
def test_the_loss_names_its_parts_and_who_fired(name):
    dictionary, x = made(name)
    loss = dictionary.loss(x, half_dead())
    assert {"reconstruction", "auxiliary"} <= set(loss.components)
    assert loss.fired.shape == (16,) and loss.fired.any()
    assert 0 < loss.l0 <= 16
    loss.total.backward()
    assert all(torch.isfinite(p.grad).all() for p in dictionary.parameters())


@smooth
@pytest.mark.parametrize("part", ["reconstruction", "auxiliary"])
def test_the_loss_passes_gradcheck_in_float64(name, part):
    dictionary, x = made(name, n=7)
    if part == "auxiliary":  # the residual is a constant of AuxK, so it is held still here
        check_auxiliary(dictionary, x)
        return
    module = component(dictionary, part)
    names = [n for n, _ in dictionary.named_parameters()]

    def loss(*values):
        return functional_call(
            module, {f"d.{n}": v for n, v in zip(names, values, strict=True)}, (x, None)
        )

    values = [p.detach().clone().requires_grad_() for p in dictionary.parameters()]
    assert gradcheck(loss, values)


def check_auxiliary(dictionary, x):
    residual = (x - dictionary(x)).detach()
    dead = half_dead()

    class Auxiliary(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.d = dictionary

        def forward(self):
            if isinstance(self.d, MatchingPursuitDictionary):
                return self.d.auxiliary(residual, dead)
            return self.d.auxiliary(x, residual, dead)

    module = Auxiliary()
    names = [n for n, _ in dictionary.named_parameters()]

    def loss(*values):
        return functional_call(
            module, {f"d.{n}": v for n, v in zip(names, values, strict=True)}, ()
        )

    values = [p.detach().clone().requires_grad_() for p in dictionary.parameters()]
    assert gradcheck(loss, values)


@every
def test_the_gradient_reaches_the_inputs_too(name):
    dictionary, x = made(name, n=7)
    if name == "matching_pursuit":
        return  # its inputs are differentiated with the loss alone
    code = dictionary.code if name in ("topk", "transcoder") else dictionary.encode

    def values(inputs):
        out = code(inputs)
        return out.values if name in ("topk", "transcoder") else out

    assert gradcheck(values, [x.clone().requires_grad_()])


@pytest.mark.parametrize("name", [n for n in ARCHITECTURES if n != "matching_pursuit"])
def test_auxk_moves_the_encoder_of_dead_units_and_of_no_other(name):
    dictionary, x = made(name)
    dead = torch.zeros(16, dtype=torch.bool)
    dead[[2, 7]] = True
    residual = (x - dictionary(x)).detach()
    dictionary.auxiliary(x, residual, dead).backward()
    assert torch.equal(dictionary.W_enc.grad.norm(dim=1) > 0, dead)


def test_the_options_know_every_autoencoder():
    assert set(AUTOENCODERS) == set(Architecture.__args__)


# The search for the largest


@pytest.mark.parametrize(("width", "k"), [(512, 8), (1024, 16), (100, 7), (64, 20)])
def test_searching_by_groups_finds_exactly_the_largest(width, k):
    pre = torch.randn(300, width, generator=torch.Generator().manual_seed(0))
    values, units = largest(pre, k)
    expected = pre.topk(k, dim=1)
    assert torch.equal(units.sort(1).values, expected.indices.sort(1).values)
    assert torch.equal(values, pre.gather(1, units))


def test_dead_units_are_chosen_among_the_dead_alone_by_their_raw_values():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(600, 5, generator=generator)
    weight, bias = torch.randn(64, 5, generator=generator), torch.full((64,), -100.0)
    dead = torch.arange(64) % 3 == 0
    chosen = choose(x, weight, bias, 4, dead, 6)
    pre = (x @ weight.T + bias).masked_fill(~dead, -torch.inf)
    torch.testing.assert_close(
        chosen.dead_values.sort(1, descending=True).values, pre.topk(6, dim=1).values
    )
    assert dead[chosen.dead_units].all()


class Largest(TorchDispatchMode):
    """The size of the largest array that any operation makes."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for made_by in out if isinstance(out, tuple) else (out,):
            if isinstance(made_by, torch.Tensor):
                self.numbers = max(self.numbers, made_by.numel())
        return out


@pytest.mark.parametrize("name", ["topk", "batch_topk", "matryoshka", "transcoder"])
def test_no_step_of_training_makes_an_array_of_all_samples_by_all_units(name):
    n, width = 2048, 512
    dictionary, x = made(name, dim=8, width=width, k=4, dtype=torch.float32, n=n)
    with Largest() as largest_of:
        dictionary.loss(x, half_dead(width)).total.backward()
    assert largest_of.numbers <= n * width / 4
    with Largest() as dense:
        dictionary.encode(x)
    assert dense.numbers >= n * width


# BatchTopK


def test_batch_topk_keeps_k_times_the_batch_and_not_k_for_the_batch():
    dictionary, x = made("batch_topk")
    kept, where, _ = dictionary.keep(x)
    pre = dictionary.pre_activations(x).detach()
    expected = pre.flatten().topk(dictionary.k * len(x))
    assert len(kept) == dictionary.k * len(x)
    assert torch.equal((where.rows * 16 + where.units), expected.indices.sort().values)
    torch.testing.assert_close(kept, pre[where.rows, where.units])


def test_batch_topk_lets_one_sample_take_many_units_and_another_none():
    dictionary, x = made("batch_topk")
    with torch.no_grad():
        dictionary.b_enc.zero_()
        x = torch.cat([dictionary.b_dec.expand(9, 6).clone(), x[:1] * 50])
    _, where, _ = dictionary.keep(x)
    counts = torch.bincount(where.rows, minlength=10)
    positive = int((dictionary.pre_activations(x)[9] > 0).sum())
    assert positive > 2 * dictionary.k  # more than are looked at first
    assert counts[9] == positive and int(counts[:9].max()) == 0


def test_batch_topk_follows_the_smallest_value_kept():
    dictionary, x = made("batch_topk")
    dictionary.threshold.fill_(-1)
    dictionary.keep(x)
    first = float(dictionary.threshold)
    assert first == pytest.approx(float(dictionary.keep(x)[0].min()))
    dictionary.keep(2 * x)
    assert first < float(dictionary.threshold) < first + 0.2
    z = dictionary.encode(x)
    assert float(z[z > 0].min().detach()) > float(dictionary.threshold)


def test_batch_topk_of_one_batch_over_and_over_evaluates_as_it_trains():
    dictionary, x = made("batch_topk")
    dictionary.threshold.fill_(-1)
    kept, _, _ = dictionary.keep(x)
    z = dictionary.encode(x)
    # The smallest value kept is at the threshold, not above it.
    assert int((z > 0).sum()) == len(kept) - 1


# JumpReLU


@pytest.mark.parametrize("function", [jump_relu, step])
def test_the_threshold_s_gradient_is_how_the_mean_output_changes_with_it(function):
    """Over inputs of even density the mean of the output is smooth in the threshold."""
    pre = torch.linspace(0, 1, 200_001, dtype=torch.float64)[:, None]
    threshold = torch.tensor([0.4], dtype=torch.float64, requires_grad=True)
    function(pre, threshold, BANDWIDTH).mean().backward()
    moved = 1e-3
    with torch.no_grad():
        above = function(pre, threshold + moved, BANDWIDTH).mean()
        below = function(pre, threshold - moved, BANDWIDTH).mean()
    assert float(threshold.grad) == pytest.approx(float(above - below) / (2 * moved), rel=1e-3)


def test_only_inputs_near_the_threshold_move_it():
    threshold = torch.tensor([0.5], requires_grad=True)
    near, far = 0.5 + 0.4 * BANDWIDTH, 0.5 + 0.6 * BANDWIDTH
    jump_relu(torch.tensor([[far]]), threshold, BANDWIDTH).sum().backward()
    assert float(threshold.grad) == 0
    jump_relu(torch.tensor([[near]]), threshold, BANDWIDTH).sum().backward()
    assert float(threshold.grad) == pytest.approx(-0.5 / BANDWIDTH)


def test_jump_relu_away_from_its_threshold_passes_gradcheck():
    pre = torch.tensor([[0.9, -0.3], [0.1, 0.8]], dtype=torch.float64, requires_grad=True)
    threshold = torch.tensor([0.5, 0.5], dtype=torch.float64)
    assert gradcheck(lambda p: jump_relu(p, threshold, 0.1), [pre])


def test_l0_moves_the_threshold_and_nothing_else():
    dictionary, x = made("jumprelu")
    threshold = dictionary.log_threshold.exp()
    step(dictionary.pre_activations(x), threshold, 5.0).sum().backward()
    assert float(dictionary.log_threshold.grad.max()) < 0  # a higher threshold, fewer units
    assert dictionary.W_enc.grad is None or float(dictionary.W_enc.grad.abs().max()) == 0


# Matryoshka


def test_the_first_units_of_a_matryoshka_alone_are_its_smaller_dictionaries():
    dictionary, x = made("matryoshka")
    kept, where, _ = dictionary.keep(x)
    z = torch.zeros(40, 16, dtype=torch.float64)
    z[where.rows, where.units] = kept
    made_by = dictionary.reconstructions(kept, x, where)
    assert dictionary.prefixes == (1, 2, 4, 8, 16)
    for prefix, reconstruction in zip(dictionary.prefixes, made_by, strict=True):
        expected = z[:, :prefix] @ dictionary.W_dec[:prefix] + dictionary.b_dec
        torch.testing.assert_close(reconstruction, expected)


def test_the_loss_of_a_matryoshka_is_the_mean_over_its_dictionaries():
    dictionary, x = made("matryoshka")
    loss = dictionary.loss(x)
    kept, where, _ = dictionary.keep(x)
    errors = (x - dictionary.reconstructions(kept, x, where)).square().mean((1, 2))
    spread = (x - x.mean(0)).square().mean()
    torch.testing.assert_close(loss.components["nested"], errors.mean() / spread)
    torch.testing.assert_close(loss.components["reconstruction"], errors[-1] / spread)


def test_the_nested_loss_passes_gradcheck_in_float64():
    dictionary, x = made("matryoshka", n=7)
    module = component(dictionary, "nested")
    names = [n for n, _ in dictionary.named_parameters()]

    def loss(*values):
        return functional_call(
            module, {f"d.{n}": v for n, v in zip(names, values, strict=True)}, (x, None)
        )

    assert gradcheck(loss, [p.detach().clone().requires_grad_() for p in dictionary.parameters()])


# Matching pursuit


def by_the_book(x, rows, k):
    """Matching pursuit as defined: the residual itself, one step at a time."""
    residual, z = x.clone(), torch.zeros(len(x), len(rows), dtype=x.dtype)
    for _ in range(k):
        along = residual @ rows.T
        best = along.argmax(1)
        value = along.gather(1, best[:, None]).clamp_min(0)
        z.scatter_add_(1, best[:, None], value)
        residual = residual - value * rows[best]
    return z


def test_matching_pursuit_is_its_definition():
    dictionary, x = made("matching_pursuit", k=5)
    expected = by_the_book(x - dictionary.b_dec, dictionary.W_dec, 5).detach()
    torch.testing.assert_close(dictionary.encode(x), expected)


def test_matching_pursuit_is_guided_by_what_is_left_over():
    """Two rows close together: TopK takes both, matching pursuit the one that is missing."""
    rows = torch.nn.functional.normalize(
        torch.tensor([[1.0, 0, 0], [1, 0.2, 0], [0, 0, 1]], dtype=torch.float64), dim=1
    )
    x = (2 * rows[0] + 0.5 * rows[2])[None]
    pursuit, topk = MatchingPursuitDictionary(3, 3, 2).double(), TopKDictionary(3, 3, 2).double()
    with torch.no_grad():
        pursuit.W_dec.copy_(rows)
        topk.W_dec.copy_(rows)
        topk.W_enc.copy_(rows)
    assert (pursuit.encode(x) > FIRED)[0].tolist() == [True, False, True]
    assert (topk.encode(x) > FIRED)[0].tolist() == [True, True, False]


def test_matching_pursuit_never_leaves_more_than_there_was():
    dictionary, x = made("matching_pursuit", k=6)
    norms = [(x - dictionary.b_dec).norm(dim=1)]
    for k in range(1, 7):
        dictionary.k = k
        norms.append((x - dictionary(x)).norm(dim=1))
    assert all(bool((b <= a + 1e-12).all()) for a, b in pairwise(norms))


# ReLU and the price of sparsity


def test_the_price_rises_while_more_than_k_units_fire_and_falls_below():
    dictionary = ReluDictionary(4, 8, 2)
    before = dictionary.price.next(6.0, 2)
    middle = dictionary.price.next(1.0, 2)
    assert middle > before and float(dictionary.price.value) < middle


@pytest.mark.parametrize("cls", [ReluDictionary, JumpReluDictionary, BatchTopKDictionary])
def test_k_units_fire_on_average_after_training(cls):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2000, 8, generator=generator)
    dictionary = cls(8, 32, 4)
    dictionary.initialise(x, generator)
    optimiser = torch.optim.Adam(dictionary.parameters(), lr=5e-3)
    for i in range(600):
        rows = slice((i % 8) * 250, (i % 8 + 1) * 250)
        optimiser.zero_grad()
        dictionary.loss(x[rows]).total.backward()
        optimiser.step()
        dictionary.normalise_rows()
    l0 = (dictionary.encode(x) > FIRED).sum(1).double().mean()
    assert float(l0) == pytest.approx(4, rel=0.15)


# The transcoder


def test_a_transcoder_goes_from_one_size_to_another_and_folds_both_sides():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(50, 5, generator=generator, dtype=torch.float64)
    y = torch.randn(50, 3, generator=generator, dtype=torch.float64)
    coder = Transcoder(3, 12, 4, dim_in=5).double()
    coder.initialise(x, generator, y)
    assert coder(x).shape == (50, 3)
    centre, y_centre = torch.ones(5).double(), -torch.ones(3).double()
    folded = coder.fold(centre, 2.0, y_centre, 3.0)
    torch.testing.assert_close(folded(2 * x + centre), 3 * coder(x) + y_centre)


def test_a_transcoder_learns_a_layer():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3000, 6, generator=generator)
    layer = torch.nn.Sequential(torch.nn.Linear(6, 12), torch.nn.ReLU(), torch.nn.Linear(12, 6))
    with torch.no_grad():
        for p in layer.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.7)
        y = layer(x)
        y = (y - y.mean(0)) / y.std()
    coder = Transcoder(6, 48, 8)
    coder.initialise(x, generator, y)
    optimiser = torch.optim.Adam(coder.parameters(), lr=5e-3)
    for i in range(500):
        rows = slice((i % 10) * 300, (i % 10 + 1) * 300)
        optimiser.zero_grad()
        coder.loss(x[rows], y=y[rows]).total.backward()
        optimiser.step()
        coder.normalise_rows()
    with torch.no_grad():
        unexplained = (y - coder(x)).square().sum() / (y - y.mean(0)).square().sum()
    assert float(unexplained) < 0.1


def test_a_matryoshka_is_a_batch_topk_with_another_loss():
    assert issubclass(MatryoshkaDictionary, BatchTopKDictionary)
    plain, x = made("batch_topk")
    nested, _ = made("matryoshka")
    nested.load_state_dict(plain.state_dict())
    assert torch.equal(plain.encode(x), nested.encode(x))

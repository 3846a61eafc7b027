"""Laws of the identity-keyed decoder."""

from __future__ import annotations

import numpy as np
import torch
from glassbox.decoders.batches import batches_of_epoch
from glassbox.decoders.identity_keyed import IdentityKeyedDecoder
from glassbox.decoders.randomness import torch_generator
from tiny_trials import CLASSES, OPTIONS

CELLS = 6


def drawn(depth: int = 1, **sizes: int) -> IdentityKeyedDecoder:
    options = OPTIONS.__class__(**{**vars(OPTIONS), "depth": depth, **sizes})
    classes = {task: len(values) for task, values in CLASSES.items()}
    model = IdentityKeyedDecoder(options, {"a": CELLS, "b": 4}, classes)
    model.draw(0)
    with torch.no_grad():  # patterns far from uniform, so that a fault shows
        model.cells_of("a").key.mul_(50)
        model.latent.mul_(50)
        model.cells_of("a").mean.copy_(torch.linspace(-0.3, 0.3, CELLS)[:, None])
        model.cells_of("a").deviation.copy_(torch.linspace(0.5, 2, CELLS)[:, None])
    return model.requires_grad_(False)


def some_windows(n: int = 5, seed: int = 0) -> torch.Tensor:
    noise = torch_generator("windows", seed)
    return torch.randn(n, CELLS, OPTIONS.n_samples, generator=noise) / 2  # nothing is clipped


def test_what_a_trial_gives_does_not_depend_on_the_other_trials_of_its_batch():
    model, windows = drawn(), some_windows()
    alone = model.encode("a", windows[2:3])
    assert torch.allclose(model.encode("a", windows)[2:3], alone, atol=1e-5)


def test_the_attention_pattern_does_not_depend_on_the_trial():
    """Then the encoder is affine in scaled dF/F: it maps mixtures of trials to mixtures."""
    model = drawn()
    a, b = some_windows(1, 1), some_windows(1, 2)
    mixed = model.entering("a", 0.3 * a + 0.7 * b)
    assert torch.allclose(
        mixed, 0.3 * model.entering("a", a) + 0.7 * model.entering("a", b), atol=1e-5
    )


def test_the_attention_pattern_sums_to_one_over_the_tokens():
    pattern = drawn().attention_pattern("a")
    assert pattern.shape == (OPTIONS.heads, OPTIONS.latents, CELLS * OPTIONS.n_patches)
    assert torch.allclose(pattern.sum(-1), torch.ones(pattern.shape[:2]), atol=1e-5)


def test_the_order_of_the_cells_leaves_the_logits_unchanged():
    model, windows = drawn(), some_windows()
    before = model.readout(model.encode("a", windows))
    order = torch.randperm(CELLS, generator=torch_generator("order"))
    cells = model.cells_of("a")
    for tensor in (cells.key, cells.value, cells.mean, cells.deviation):
        tensor.copy_(tensor[order].clone())
    after = model.readout(model.encode("a", windows[:, order]))
    for task, logits in before.items():
        assert torch.allclose(after[task], logits, atol=1e-5)


def test_leaving_cells_out_is_a_model_without_those_cells_in_any_order_of_keep():
    model, windows = drawn(), some_windows()
    keep = torch.tensor([0, 2, 5])
    kept = model.encode("a", windows, keep)
    assert torch.allclose(model.encode("a", windows, keep.flip(0)), kept, atol=1e-5)
    other = windows.clone()
    other[:, [1, 3, 4]] = 100
    assert torch.equal(model.encode("a", other, keep), kept)


def test_a_linear_population_decoder_is_a_special_case():
    """Uniform attention, mean filters, ±weights as value vectors: argmax of mean dF/F · weights."""
    model = drawn(depth=0, heads=1, dim=16, value_dim=8)
    weights = torch.randn(CELLS, 4, generator=torch_generator("weights"))
    cells = model.cells_of("a")
    cells.mean.zero_(), cells.deviation.fill_(1), cells.key.zero_()
    model.patch.zero_(), model.query.weight.zero_(), model.latent.zero_()
    model.filters.fill_(1 / OPTIONS.patch_samples)
    cells.value.copy_(torch.cat([weights, -weights], dim=1))  # the mean that LayerNorm takes is 0
    model.value.weight.copy_(torch.eye(16)[:, :8]), model.attended.weight.copy_(torch.eye(16))
    model.attended.bias.zero_()
    model.task_value.weight.copy_(torch.eye(16)), model.task_value.bias.zero_()
    model.logits[0].weight.copy_(torch.eye(16)[:4])
    windows = some_windows(200)
    got = model.readout(model.encode("a", windows))["direction"].argmax(1)
    linear = torch.einsum("tcs,cd->td", windows, weights).argmax(1)
    assert torch.equal(got, linear)
    assert len(linear.unique()) == 4


def test_the_folded_readout_equals_attention_written_out():
    model = drawn()
    latents = model.encode("a", some_windows())
    normal = model.norm_latents(latents)
    heads, width = OPTIONS.heads, OPTIONS.dim // OPTIONS.heads
    key = model.task_key(normal).view(*normal.shape[:2], heads, width)
    value = model.task_value(normal).view(*normal.shape[:2], heads, width)
    query = model.task_query.view(-1, heads, width)
    share = (torch.einsum("khd,blhd->bkhl", query, key) / width**0.5).softmax(-1)
    said = torch.einsum("bkhl,blhd->bkhd", share, value).flatten(2)
    for i, (task, logits) in enumerate(model.readout(latents).items()):
        assert torch.allclose(logits, model.logits[i](said[:, i]), atol=1e-5), task


def test_the_vectors_of_a_session_and_the_body_do_not_depend_on_the_other_sessions():
    classes = {task: len(values) for task, values in CLASSES.items()}
    one = IdentityKeyedDecoder(OPTIONS, {"a": CELLS}, classes)
    two = IdentityKeyedDecoder(OPTIONS, {"b": CELLS, "a": CELLS}, classes)
    one.draw(3), two.draw(3)
    assert torch.equal(one.cells_of("a").key, two.cells_of("a").key)
    assert torch.equal(one.cells_of("a").value, two.cells_of("a").value)
    assert not torch.equal(two.cells_of("a").key, two.cells_of("b").key)
    assert not torch.equal(two.cells_of("a").value, two.cells_of("b").value)
    bodies = [dict(model.named_parameters()) for model in (one, two)]
    assert all(torch.equal(bodies[0][name], bodies[1][name]) for name in one.body_parameters())


def test_dropout_depends_on_its_generator_alone():
    model, windows = drawn(), some_windows()
    first = model.encode("a", windows, noise=torch_generator(1))
    torch.manual_seed(7)
    assert torch.equal(model.encode("a", windows, noise=torch_generator(1)), first)
    assert not torch.equal(model.encode("a", windows, noise=torch_generator(2)), first)
    assert not torch.equal(model.encode("a", windows), first)


def test_unit_dropout_is_reproducible_and_keeps_from_min_cells_to_all():
    def draw(seed: int, min_cells: int = 3):
        trials = {"a": np.arange(400), "b": np.arange(50)}
        return batches_of_epoch(trials, {"a": CELLS, "b": 4}, 8, min_cells, (seed,))

    first, again, other = draw(1), draw(1), draw(2)
    assert [b.keep.tolist() for b in first] == [b.keep.tolist() for b in again]
    assert [b.keep.tolist() for b in first] != [b.keep.tolist() for b in other]
    sizes = {len(b.keep) for b in first if b.session == "a"}
    assert sizes == {3, 4, 5, 6}
    assert {len(b.keep) for b in draw(1, min_cells=50) if b.session == "b"} == {4}


def test_an_epoch_uses_every_training_trial_of_every_session_once():
    trials = {"a": np.arange(3, 103), "b": np.arange(10)}
    batches = batches_of_epoch(trials, {"a": CELLS, "b": 4}, 8, 2, (0,))
    for session, places in trials.items():
        used = np.concatenate([b.trials for b in batches if b.session == session])
        assert sorted(used) == places.tolist()
    assert {b.session for b in batches[:2]} == {"a", "b"}

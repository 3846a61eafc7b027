"""Laws of the identity-keyed decoder."""

from __future__ import annotations

import numpy as np
import torch
from glassbox.decoders.batches import batches_of_epoch
from glassbox.decoders.identity_keyed import IdentityKeyedDecoder
from glassbox.decoders.layers import Noise
from glassbox.decoders.randomness import torch_generator
from glassbox.decoders.targets import targets_of
from tiny_trials import CLASSES, OPTIONS, PATCHES, SAMPLES, STIMULUS

CELLS = 6
TASKS = tuple(CLASSES)
A, B = ("a", STIMULUS), ("b", STIMULUS)


def decoder_of(cells: dict[str, int], options=OPTIONS) -> IdentityKeyedDecoder:
    classes = {task: len(values) for task, values in CLASSES.items()}
    targets = targets_of(options, tuple(CLASSES), classes)
    ids = {name: np.arange(n) for name, n in cells.items()}
    return IdentityKeyedDecoder(options, ids, targets)


def drawn(depth: int = 1, **sizes: int) -> IdentityKeyedDecoder:
    options = OPTIONS.__class__(**{**vars(OPTIONS), "depth": depth, **sizes})
    model = decoder_of({"a": CELLS, "b": 4}, options)
    model.draw(0)
    with torch.no_grad():  # patterns far from uniform, so that a fault shows
        model.unit_vectors("a")[0].mul_(50)
        model.latent.mul_(50)
        model.scaling("a").mean.copy_(torch.linspace(-0.3, 0.3, CELLS)[:, None])
        model.scaling("a").deviation.copy_(torch.linspace(0.5, 2, CELLS)[:, None])
    return model.requires_grad_(False)


def noise_of(seed: int) -> Noise:
    return Noise((torch_generator(seed),), (5,))


def some_windows(n: int = 5, seed: int = 0) -> torch.Tensor:
    noise = torch_generator("windows", seed)
    return torch.randn(n, CELLS, SAMPLES, generator=noise) / 2  # nothing is clipped


def test_what_a_trial_gives_does_not_depend_on_the_other_trials_of_its_batch():
    model, windows = drawn(), some_windows()
    alone = model.encode("a", STIMULUS, windows[2:3])
    assert torch.allclose(model.encode("a", STIMULUS, windows)[2:3], alone, atol=1e-5)


def test_the_attention_pattern_does_not_depend_on_the_trial():
    """Then the encoder is affine in scaled dF/F: it maps mixtures of trials to mixtures."""
    model = drawn()
    a, b = some_windows(1, 1), some_windows(1, 2)
    mixed = model.entering("a", STIMULUS, 0.3 * a + 0.7 * b)
    assert torch.allclose(
        mixed,
        0.3 * model.entering("a", STIMULUS, a) + 0.7 * model.entering("a", STIMULUS, b),
        atol=1e-5,
    )


def test_the_attention_pattern_sums_to_one_over_the_tokens():
    pattern = drawn().attention_pattern("a", STIMULUS)
    assert pattern.shape == (OPTIONS.heads, OPTIONS.latents, CELLS * PATCHES)
    assert torch.allclose(pattern.sum(-1), torch.ones(pattern.shape[:2]), atol=1e-5)


def test_the_order_of_the_cells_leaves_the_logits_unchanged():
    model, windows = drawn(), some_windows()
    before = model.readout(model.encode("a", STIMULUS, windows), TASKS)
    order = torch.randperm(CELLS, generator=torch_generator("order"))
    cells = model.scaling("a")
    for tensor in (*model.unit_vectors("a"), cells.mean, cells.deviation):
        tensor.copy_(tensor[order].clone())
    after = model.readout(model.encode("a", STIMULUS, windows[:, order]), TASKS)
    for task, logits in before.items():
        assert torch.allclose(after[task], logits, atol=1e-5)


def test_leaving_cells_out_is_a_model_without_those_cells_in_any_order_of_keep():
    model, windows = drawn(), some_windows()
    keep = torch.tensor([0, 2, 5])
    kept = model.encode("a", STIMULUS, windows, keep)
    assert torch.allclose(model.encode("a", STIMULUS, windows, keep.flip(0)), kept, atol=1e-5)
    other = windows.clone()
    other[:, [1, 3, 4]] = 100
    assert torch.equal(model.encode("a", STIMULUS, other, keep), kept)


def test_a_linear_population_decoder_is_a_special_case():
    """Uniform attention, mean filters, ±weights as value vectors: argmax of mean dF/F · weights."""
    model = drawn(depth=0, heads=1, dim=16, value_dim=8)
    weights = torch.randn(CELLS, 4, generator=torch_generator("weights"))
    cells, (key, value) = model.scaling("a"), model.unit_vectors("a")
    cells.mean.zero_(), cells.deviation.fill_(1), key.zero_()
    front = model.fronts[STIMULUS]
    front.patch.zero_(), model.query.weight.zero_(), model.latent.zero_()
    front.filters.fill_(1 / (SAMPLES // PATCHES))
    value.copy_(torch.cat([weights, -weights], dim=1))  # the mean that LayerNorm takes is 0
    model.value.weight.copy_(torch.eye(16)[:, :8]), model.attended.weight.copy_(torch.eye(16))
    model.attended.bias.zero_()
    model.task_value.weight.copy_(torch.eye(16)), model.task_value.bias.zero_()
    model.answers[0].weight.copy_(torch.eye(16)[:4])
    windows = some_windows(200)
    got = model.readout(model.encode("a", STIMULUS, windows), TASKS)["direction"].argmax(1)
    linear = torch.einsum("tcs,cd->td", windows, weights).argmax(1)
    assert torch.equal(got, linear)
    assert len(linear.unique()) == 4


def test_the_folded_readout_equals_attention_written_out():
    model = drawn()
    latents = model.encode("a", STIMULUS, some_windows())
    normal = model.norm_latents(latents)
    heads, width = OPTIONS.heads, OPTIONS.dim // OPTIONS.heads
    key = model.task_key(normal).view(*normal.shape[:2], heads, width)
    value = model.task_value(normal).view(*normal.shape[:2], heads, width)
    query = model.task_query.view(-1, heads, width)
    share = (torch.einsum("khd,blhd->bkhl", query, key) / width**0.5).softmax(-1)
    said = torch.einsum("bkhl,blhd->bkhd", share, value).flatten(2)
    for i, (task, logits) in enumerate(model.readout(latents, TASKS).items()):
        assert torch.allclose(logits, model.answers[i](said[:, i]), atol=1e-5), task


def test_the_vectors_of_a_session_and_the_body_do_not_depend_on_the_other_sessions():
    one, two = decoder_of({"a": CELLS}), decoder_of({"b": CELLS, "a": CELLS})
    one.draw(3), two.draw(3)
    assert torch.equal(one.unit_vectors("a")[0], two.unit_vectors("a")[0])
    assert torch.equal(one.unit_vectors("a")[1], two.unit_vectors("a")[1])
    assert not torch.equal(two.unit_vectors("a")[0], two.unit_vectors("b")[0])
    assert not torch.equal(two.unit_vectors("a")[1], two.unit_vectors("b")[1])
    bodies = [dict(model.named_parameters()) for model in (one, two)]
    assert all(torch.equal(bodies[0][name], bodies[1][name]) for name in one.body_parameters())


def test_dropout_depends_on_its_generator_alone():
    model, windows = drawn(), some_windows()
    first = model.encode("a", STIMULUS, windows, noise=noise_of(1))
    torch.manual_seed(7)
    assert torch.equal(model.encode("a", STIMULUS, windows, noise=noise_of(1)), first)
    assert not torch.equal(model.encode("a", STIMULUS, windows, noise=noise_of(2)), first)
    assert not torch.equal(model.encode("a", STIMULUS, windows), first)


def test_unit_dropout_is_reproducible_and_keeps_from_min_cells_to_all():
    def draw(seed: int, min_cells: int = 3):
        trials = {A: np.arange(400), B: np.arange(50)}
        return batches_of_epoch(trials, {A: CELLS, B: 4}, 8, min_cells, (seed,))

    first, again, other = draw(1), draw(1), draw(2)
    assert [b.keep.tolist() for b in first] == [b.keep.tolist() for b in again]
    assert [b.keep.tolist() for b in first] != [b.keep.tolist() for b in other]
    sizes = {len(b.keep) for b in first if b.key == A}
    assert sizes == {3, 4, 5, 6}
    assert {len(b.keep) for b in draw(1, min_cells=50) if b.key == B} == {4}


def test_an_epoch_uses_every_training_trial_of_every_session_once():
    trials = {A: np.arange(3, 103), B: np.arange(10)}
    batches = batches_of_epoch(trials, {A: CELLS, B: 4}, 8, 2, (0,))
    for key, places in trials.items():
        used = np.concatenate([b.trials for b in batches if b.key == key])
        assert sorted(used) == places.tolist()
    assert {b.key for b in batches[:2]} == {A, B}

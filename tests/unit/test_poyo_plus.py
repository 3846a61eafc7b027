"""Laws of the POYO+ form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from glassbox.decoders.hooks import Recorder
from glassbox.decoders.poyo_plus import PoyoPlus, Tokens
from glassbox.decoders.poyo_plus_options import PoyoPlusOptions
from glassbox.decoders.poyo_plus_tokens import first_samples, latent_grid
from glassbox.decoders.rotary import RotaryTime, turned
from poyo_plus_arrays import TOLERANCE, arrays_of, differences, model_of, tokens_of

ARRAYS = arrays_of(Path(__file__).with_name("data") / "poyo_plus.npz")
TINY = PoyoPlusOptions(
    latent_step_s=0.25, latents_per_step=2, dim=8, head_dim=8, depth=2, cross_heads=2, self_heads=3
)


@pytest.fixture
def model() -> PoyoPlus:
    return model_of(ARRAYS, TINY)


def test_with_torch_brains_weights_every_hook_point_and_answer_is_torch_brains(model):
    far = differences(ARRAYS, model)
    ours_alone = {"block1", "block0.mlp", "block1.mlp"}  # behind the last block: `latents`
    assert set(model.body.hooks) - ours_alone <= set(far)
    assert {"direction", "temporal_frequency", "running_speed"} <= set(far)
    assert max(far.values()) < TOLERANCE, far


def test_our_periods_of_the_rotary_embedding_are_torch_brains():
    theirs = ARRAYS["weights"]["rotary_emb.omega"]
    ours = RotaryTime(8, TINY.shortest_period_s, TINY.longest_period_s).speed
    assert torch.allclose(ours, theirs[:2], rtol=1e-6)


def test_what_stands_where_the_mask_says_nothing_is_changes_no_answer(model):
    tokens = tokens_of(ARRAYS)
    value = torch.where(tokens.mask, tokens.value, 1e3)
    for task, answer in model(replace(tokens, value=value)).items():
        assert torch.equal(answer, model(tokens)[task])


def test_a_trial_is_answered_alike_alone_and_among_others(model):
    tokens = tokens_of(ARRAYS)
    alone = Tokens(**{name: part[1:2] for name, part in vars(tokens).items()})
    together = model(tokens)["running_speed"]
    assert torch.allclose(model(alone)["running_speed"], together[:2], atol=1e-4)


def test_the_latents_of_the_grid_stand_in_the_middle_of_their_steps():
    which, time = latent_grid(1.0, 0.25, 2)
    assert which.tolist() == [0, 1] * 4
    assert time.tolist() == [0.125, 0.125, 0.375, 0.375, 0.625, 0.625, 0.875, 0.875]


def test_attention_depends_on_the_difference_of_times_alone():
    rotary = RotaryTime(16, 0.01, 2.0).double()
    generator = torch.Generator().manual_seed(0)
    query, key = torch.randn(2, 16, generator=generator)
    at = torch.tensor([0.2, 0.7, 1.2, 1.7], dtype=torch.float64)
    score = [
        turned(query, rotary(a)).double() @ turned(key, rotary(b)).double()
        for a, b in ((at[0], at[1]), (at[2], at[3]), (at[0], at[2]))
    ]
    assert torch.isclose(score[0], score[1], atol=1e-5)
    assert not torch.isclose(score[0], score[2], atol=1e-2)


def test_turning_back_undoes_turning():
    rotary = RotaryTime(16, 0.01, 2.0)
    x = torch.randn(5, 16, generator=torch.Generator().manual_seed(0))
    by = rotary(torch.linspace(0, 1, 5))
    assert torch.allclose(turned(turned(x, by), by.conj()), x, atol=1e-6)
    assert torch.equal(turned(x, by)[:, 8:], x[:, 8:])


def test_a_tap_that_replaces_what_passes_a_hook_point_changes_what_comes_after(model):
    tokens = tokens_of(ARRAYS)
    clean = Recorder(model.body.hooks)
    answers = model(tokens, tap=clean)
    for at, place in enumerate(model.body.hooks):
        later = Recorder(model.body.hooks)

        def tap(name, x, place=place, later=later):
            return later(name, x) if name != place else torch.zeros_like(x)

        changed = model(tokens, tap=tap)
        assert not torch.allclose(changed["direction"], answers["direction"], atol=1e-3), place
        for name in model.body.hooks[:at]:
            assert torch.equal(later.seen[name], clean.seen[name])
        for name in model.body.hooks[at + 1 :]:
            assert not torch.equal(later.seen[name], clean.seen[name]), (place, name)


@pytest.mark.parametrize("asked", [0.0, 3.75, 15.0, 29.9, 37.0, 60.0])
def test_the_time_that_is_asked_about_always_lies_in_the_context(asked):
    drawn = torch.linspace(0, 1 - 1e-6, 999)
    first = first_samples(60, 30, asked, drawn, 999)
    assert first.unique().tolist() == [s for s in range(31) if s <= asked <= s + 30]
    middle = first_samples(60, 30, asked, None, 4)
    assert len(middle) == 4 and len(middle.unique()) == 1
    assert abs(int(middle[0]) + 15 - asked) <= abs(first + 15 - asked).min() + 1

"""Laws of a decoder up to any of its hook points, and from there on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from glassbox.decoders.hook_names import check_hook, holds_session, hooks_of
from glassbox.decoders.hooks import Recorder
from glassbox.decoders.identity_keyed import IdentityKeyedDecoder
from glassbox.decoders.poyo_plus_decoder import PoyoPlusDecoder
from glassbox.decoders.poyo_plus_options import PoyoPlusOptions
from glassbox.decoders.randomness import torch_generator
from glassbox.decoders.resume import answers_from, passed
from glassbox.decoders.targets import Targets
from glassbox.dictionaries.topk import TopKDictionary
from glassbox.errors import UserError
from glassbox.interventions.ablation import CleanPass
from glassbox.interventions.hook_suffix import HookSuffix
from glassbox.interventions.suffix import Suffix
from tiny_trials import CLASSES, OPTIONS, SAMPLES, STIMULUS

SIZES = PoyoPlusOptions(
    context_s=0.5,
    latent_step_s=0.25,
    latents_per_step=2,
    dim=8,
    head_dim=8,
    depth=2,
    cross_heads=2,
    self_heads=2,
)
CELLS = {"a": np.arange(6), "b": np.arange(4)}
ORDER = ("b", "a", "a", "b", "a")  # sessions of trials
KINDS = {"identity_keyed": IdentityKeyedDecoder, "poyo_plus": PoyoPlusDecoder}
EVERY = [(kind, hook) for kind in KINDS for hook in hooks_of(kind, 2)]
TASKS = tuple(CLASSES)


def drawn(kind: str):
    """A decoder whose answers depend on all that they may depend on."""
    options = replace(OPTIONS, decoder=kind, depth=2, poyo_plus=SIZES)
    widths = {task: len(values) for task, values in CLASSES.items()}
    targets = Targets(TASKS, (STIMULUS,), widths, dict.fromkeys(TASKS, 1.0))
    model = KINDS[kind](options, CELLS, targets)
    model.draw(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            noise = torch.randn(weight.shape, generator=torch_generator(name))
            weight.add_(noise * (0.3 if weight.ndim > 1 else 0.5))
    return model.double().requires_grad_(False)


def windows(session: str, n: int) -> torch.Tensor:
    noise = torch_generator("windows", session)
    return torch.randn(n, len(CELLS[session]), SAMPLES, generator=noise).double()


def seen_at(model, hook: str, tasks=TASKS):
    """What passes the hook in five trials of two sessions, in the order of `ORDER`."""
    of = {
        s: passed(model, hook, tasks, s, STIMULUS, windows(s, n)) for s, n in (("a", 3), ("b", 2))
    }
    places = [(s, ORDER[:i].count(s)) for i, s in enumerate(ORDER)]
    value = torch.stack([of[s].value[i] for s, i in places])
    if of["a"].beside is None:
        return value, None
    return value, torch.stack([of[s].beside[i] for s, i in places])


def whole(model, tap, tasks=TASKS) -> dict[str, torch.Tensor]:
    """The answers of a pass from the windows on, with a tap on the way, in the order of `ORDER`."""
    answers = {}
    for session, n in (("a", 3), ("b", 2)):
        latents = model.encode(session, STIMULUS, windows(session, n), tap=tap(session))
        answers[session] = model.readout(latents, tasks, sessions=[session] * n, tap=tap(session))
    places = [(s, ORDER[:i].count(s)) for i, s in enumerate(ORDER)]
    return {task: torch.stack([answers[s][task][i] for s, i in places]) for task in tasks}


@pytest.mark.parametrize("kind", KINDS)
def test_a_tap_is_called_at_every_hook_point_in_order(kind):
    model, order = drawn(kind), []

    def tap(place, x):
        order.append(place)
        return x

    model.readout(model.encode("a", STIMULUS, windows("a", 3), tap=tap), sessions="aaa", tap=tap)
    assert tuple(order) == model.hooks == hooks_of(kind, 2)


@pytest.mark.parametrize(("kind", "hook"), EVERY)
def test_the_pass_from_a_hook_equals_the_whole_pass_with_a_change_there(kind, hook):
    """For several versions at once, with trials of two sessions in any order."""
    model = drawn(kind)
    value, beside = seen_at(model, hook)
    versions = [value, value.square(), value.flip(-1)]
    changes = [lambda x: x, lambda x: x.square(), lambda x: x.flip(-1)]
    got = HookSuffix(model, TASKS, hook)(torch.stack(versions, dim=2), np.array(ORDER), beside)
    answers = []
    for i, change in enumerate(changes):

        def tap(session, change=change):
            return lambda place, x: change(x) if place == hook else x

        expected = whole(model, tap)
        for task, logits in expected.items():
            torch.testing.assert_close(got[task][:, i], logits, rtol=0, atol=1e-10)
        answers.append(expected["direction"])
    assert (answers[0] - answers[1]).abs().max() > 1e-3
    assert (answers[0] - answers[2]).abs().max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_at_the_queries_there_is_one_position_for_each_task_that_is_asked(kind):
    model = drawn(kind)
    for tasks in (TASKS, TASKS[1:], TASKS[::-1]):
        value, _ = seen_at(model, "queries", tasks)
        assert value.shape[1] == len(tasks)
        answers = answers_from(model, "queries", value, tasks, ORDER)
        for task, logits in whole(model, lambda s: Recorder(()), TASKS).items():
            if task in tasks:
                torch.testing.assert_close(answers[task], logits, rtol=0, atol=1e-10)


def test_the_fast_suffix_is_the_general_one_at_the_latents():
    model = drawn("identity_keyed")
    value, _ = seen_at(model, "latents")
    versions = torch.stack([value, value.flip(1)], dim=2)
    fast = Suffix(model, TASKS)(versions)
    for task, logits in HookSuffix(model, TASKS, "latents")(versions).items():
        torch.testing.assert_close(fast[task], logits, rtol=0, atol=1e-10)


@pytest.mark.parametrize(("kind", "told"), [("identity_keyed", False), ("poyo_plus", True)])
def test_only_the_queries_of_poyo_plus_depend_on_the_session_beyond_the_latents(kind, told):
    model = drawn(kind)
    latents = seen_at(model, "latents")[0]
    for hook in ("queries", "queries.attention"):
        if hook not in model.hooks:
            continue
        seen = []
        for session in CELLS:
            recorder = Recorder({hook})
            model.readout(latents, TASKS, sessions=[session] * 5, tap=recorder)
            seen.append(recorder.seen[hook])
        assert holds_session(hook, kind) == told == (not torch.equal(*seen))
    assert not holds_session("latents", kind)


def test_a_clean_pass_keeps_what_its_latents_are_added_to_trial_by_trial():
    value, beside = seen_at(drawn("identity_keyed"), "block0.attention")
    dictionary = TopKDictionary(value.shape[2], 16, k=2).double()
    dictionary.initialise(value.flatten(0, 1), torch_generator("rows"))
    mean = torch.zeros(value.shape[1], 16).double()
    clean = CleanPass.of(dictionary, value, mean, np.array(ORDER), beside)
    assert clean.donor_values is None
    torch.testing.assert_close(clean.take(slice(1, 3)).beside, beside[1:3], rtol=0, atol=0)


def test_a_hook_that_the_decoder_does_not_have_is_one_sentence_that_names_those_it_has():
    options = replace(OPTIONS, depth=1)
    with pytest.raises(UserError) as error:
        check_hook("block1", options)
    assert str(error.value) == (
        "dictionaries.hook: expected a hook point of the decoder identity_keyed with 1 block, one "
        "of encoder.attention, encoder, block0.attention, block0.mlp, block0, latents, queries; "
        "found 'block1'."
    )
    with pytest.raises(UserError, match=r"poyo_plus with 2 blocks.*queries.attention"):
        check_hook("block2", replace(options, decoder="poyo_plus", poyo_plus=SIZES))
    for kind, hook in EVERY:
        check_hook(hook, replace(OPTIONS, decoder=kind, depth=2, poyo_plus=SIZES))

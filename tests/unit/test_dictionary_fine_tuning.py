"""Laws of training a dictionary on through the decoder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.randomness import seed_of
from glassbox.dictionaries import fine_tune, stage
from glassbox.dictionaries.architectures import new_dictionary
from glassbox.dictionaries.cached import activations_of
from glassbox.dictionaries.fine_tune import Shown, cost, divergences, fine_tuned
from glassbox.dictionaries.fine_tune_options import FineTuneOptions
from glassbox.dictionaries.metrics import reconstruct
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.dictionaries.splice import insertion_scores
from glassbox.dictionaries.topk import TopKDictionary
from glassbox.dictionaries.train import train_dictionary
from glassbox.errors import UserError
from glassbox.options import options_from
from glassbox.tensors.splits import SELECTION, TRAIN
from tiny_trials import decoded_sessions, trained_decoders

FEW = DictionaryOptions(
    width=24,
    k=2,
    samples=6000,
    batch=100,
    copies=2,
    fine_tune=FineTuneOptions(samples=8000, batch_trials=16),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return trained_decoders(tmp_path_factory.mktemp("trained"), epochs=20, patience=20)


@pytest.fixture(scope="module")
def decoder(folder):
    return FittedDecoder.load(folder, 0, 0)


@pytest.fixture(scope="module")
def sessions():
    return decoded_sessions()


def learned(decoder, sessions, options):
    """What is learned from, and a dictionary learned from it."""
    seen = activations_of(decoder, sessions, options, None, "")
    return seen, train_dictionary(seen.stream, seen.selection(), options, 0).dictionary


@pytest.mark.parametrize("hook", ["latents", "block0.attention"])
def test_the_divergence_is_that_of_the_spliced_answers_from_the_clean(decoder, sessions, hook):
    seen, dictionary = learned(decoder, sessions, replace(FEW, hook=hook))
    shown = seen.whole.in_part(SELECTION)
    readout = shown.readout(decoder)
    clean, spliced = readout(shown.latents), readout(dictionary(shown.latents))
    expected = np.mean(
        [
            torch.nn.functional.kl_div(
                spliced[task].log_softmax(-1),
                clean[task].log_softmax(-1),
                reduction="batchmean",
                log_target=True,
            )
            for task in clean
        ]
    )
    for scale in (1.0, 3.0):
        scaled = dictionary.fold(torch.zeros(dictionary.dim), 1 / scale)
        found = divergences(scaled, decoder, Shown.of_trials(decoder, shown), scale)
        assert found.shape == (len(shown.latents),)
        assert found.mean().item() == pytest.approx(expected, rel=1e-4)
    assert expected > 1e-4


@pytest.mark.parametrize("hook", ["latents", "block0.attention", "queries"])
def test_it_lowers_what_is_minimised_and_leaves_the_decoder_as_it_is(decoder, sessions, hook):
    options = replace(FEW, hook=hook)
    seen, dictionary = learned(decoder, sessions, options)
    before = {name: value.clone() for name, value in decoder.model.state_dict().items()}
    tuned = fine_tuned(dictionary, seen, options, 0)
    weight = options.fine_tune.weight
    for part in (SELECTION, TRAIN):
        shown = Shown.of_trials(decoder, seen.whole.in_part(part))
        first, now = (cost(one, decoder, shown, 1.0, weight)[0] for one in (dictionary, tuned))
        assert now < first
    assert all(
        torch.equal(before[name], value) for name, value in decoder.model.state_dict().items()
    )
    assert all(weight.grad is None for weight in decoder.model.parameters())
    assert not any(parameter.requires_grad for parameter in tuned.parameters())
    norms = tuned.W_dec.norm(dim=1)
    torch.testing.assert_close(norms, norms[:1].expand_as(norms), rtol=1e-4, atol=0)


def test_without_answers_it_is_its_own_loss_alone_in_the_same_steps(decoder, sessions, monkeypatch):
    seen, dictionary = learned(decoder, sessions, FEW)
    alone = replace(FEW, fine_tune=replace(FEW.fine_tune, answers=False))
    steps = {}

    def counted(name):
        steps[name] = []
        return lambda n, note: steps[name].append(n)

    tuned = fine_tuned(dictionary, seen, FEW, 0, counted("both"))
    longer = fine_tuned(dictionary, seen, alone, 0, counted("alone"))
    assert sum(steps["both"]) == sum(steps["alone"]) > 0
    shown = Shown.of_trials(decoder, seen.whole.in_part(SELECTION))
    (before, diverged, _), (now, moved, _), (_, least, _) = (
        cost(one, decoder, shown, 1.0, 1.0) for one in (dictionary, longer, tuned)
    )
    assert now - moved < before - diverged
    assert least < moved
    monkeypatch.setattr(fine_tune, "divergences", lambda *_: torch.zeros(3))
    assert torch.equal(fine_tuned(dictionary, seen, alone, 0).W_dec, longer.W_dec)
    assert not torch.equal(fine_tuned(dictionary, seen, FEW, 0).W_dec, tuned.W_dec)


def test_it_raises_the_log_probability_of_the_true_class_when_spliced(decoder, sessions):
    seen, dictionary = learned(decoder, sessions, FEW)
    tuned = fine_tuned(dictionary, seen, FEW, 0)
    told = [spliced_log_probability(one, seen) for one in (dictionary, tuned)]
    assert told[1] > told[0] + 0.01


def spliced_log_probability(dictionary, seen) -> float:
    """Of the true classes of selection trials, mean over trials and tasks."""
    trials = seen.whole.in_part(SELECTION)
    generator = torch.Generator().manual_seed(0)
    readout = trials.readout(seen.decoder)
    scores = insertion_scores(dictionary, trials.latents, trials.labels, readout, 1, generator)
    return np.nanmean([scores["spliced", task, "log_probability"] for task in trials.labels])


def test_the_stage_trains_on_only_where_samples_are_asked_for(
    folder, sessions, tmp_path, monkeypatch
):
    assert DictionaryOptions().fine_tune.samples == 0
    monkeypatch.setattr(stage, "open_sessions", lambda *_, **__: sessions)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    weights = {}
    for samples in (0, 2000):
        few = replace(FEW.fine_tune, samples=samples)
        options = replace(FEW, fine_tune=few, noise_draws=1, resamples=20)
        stage.train_dictionaries(folder, [], tmp_path / f"{samples}", options)
        made = TopKDictionary.load(tmp_path / f"{samples}" / "topk-seed0-fold0.safetensors")
        weights[samples] = made.W_dec
    decoder = FittedDecoder.load(folder, 0, 0)
    seen = activations_of(decoder, sessions, FEW, None, "")
    learned = train_dictionary(
        seen.stream, seen.selection(), FEW, seed_of("dictionary", 0, 0, 0)
    ).dictionary
    assert torch.equal(weights[0], learned.W_dec)
    assert not torch.equal(weights[0], weights[2000])
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}


def test_with_much_weight_on_its_own_loss_the_reconstruction_is_kept(decoder, sessions):
    seen, dictionary = learned(decoder, sessions, FEW)
    told = {}
    for weight in (0.0, 100.0):
        options = replace(FEW, fine_tune=replace(FEW.fine_tune, weight=weight))
        tuned = fine_tuned(dictionary, seen, options, 0)
        told[weight] = reconstruct(tuned, seen.selection()).explained_variance
    assert told[100.0] > told[0.0]
    assert told[100.0] >= reconstruct(dictionary, seen.selection()).explained_variance


def test_where_nothing_is_gained_the_dictionary_is_what_it_was(decoder, sessions):
    seen, dictionary = learned(decoder, sessions, FEW)
    wild = replace(FEW, fine_tune=replace(FEW.fine_tune, learning_rate=100.0))
    tuned = fine_tuned(dictionary, seen, wild, 0)
    for name, value in dictionary.state_dict().items():
        torch.testing.assert_close(tuned.state_dict()[name], value, rtol=1e-5, atol=1e-6)


def test_a_seed_gives_the_same_dictionary_again_and_another_another(decoder, sessions):
    options = replace(FEW, fine_tune=replace(FEW.fine_tune, samples=1500))
    seen, dictionary = learned(decoder, sessions, options)
    first, again, other = (fine_tuned(dictionary, seen, options, seed) for seed in (0, 0, 1))
    assert torch.equal(first.W_dec, again.W_dec)
    assert not torch.equal(first.W_dec, other.W_dec)


@pytest.mark.parametrize(
    "architecture", ["topk", "relu", "batch_topk", "jumprelu", "matryoshka", "matching_pursuit"]
)
def test_the_reconstruction_of_every_architecture_has_a_way_back_to_its_rows(architecture):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(40, 6, generator=generator, dtype=torch.float64)
    dictionary = new_dictionary(6, replace(FEW, architecture=architecture, width=10, k=3)).double()
    dictionary.initialise(x, generator)
    dictionary.loss(x)  # BatchTopK has a threshold after a batch
    torch.testing.assert_close(dictionary.reconstruction(x), dictionary(x))
    direction = torch.randn(x.shape, generator=generator, dtype=torch.float64)

    def along() -> torch.Tensor:
        return (dictionary.reconstruction(x) * direction).sum()

    dictionary.zero_grad()
    along().backward()
    gradient = dictionary.W_dec.grad.clone()
    step = 1e-6 * torch.randn(gradient.shape, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        dictionary.W_dec += step
        above = along()
        dictionary.W_dec -= 2 * step
        below = along()
    assert float((gradient * step).sum()) == pytest.approx(float(above - below) / 2, rel=1e-4)


def test_a_reconstruction_is_differentiated_through_the_encoder_too():
    dictionary = TopKDictionary(6, 10, k=3)
    x = torch.randn(40, 6, generator=torch.Generator().manual_seed(0))
    dictionary.initialise(x, torch.Generator().manual_seed(1))
    dictionary.reconstruction(x).square().sum().backward()
    assert all(float(p.grad.abs().sum()) > 0 for p in dictionary.parameters())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"samples": -1}, "dictionaries.fine_tune: samples and weight must be at least 0"),
        ({"weight": -0.5}, "found 0 and -0.5"),
        ({"weight": 0.0, "answers": False}, "expected a weight above 0 without answers"),
        ({"learning_rate": 0.0}, "learning_rate must be above 0"),
        ({"batch_trials": 0}, "batch_trials at least 1"),
        ({"sample": 5}, "dictionaries.fine_tune.sample: no such option"),
    ],
)
def test_a_wrong_option_is_one_sentence(options, sentence):
    with pytest.raises(UserError, match=sentence):
        options_from(DictionaryOptions, {"fine_tune": options}, "dictionaries")

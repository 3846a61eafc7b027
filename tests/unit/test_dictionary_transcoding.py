"""Laws of transcoders of a decoder's linear layers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from glassbox.decoders.fitted import FittedDecoder
from glassbox.dictionaries.activations import hook_trials
from glassbox.dictionaries.metrics import reconstruct
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.dictionaries.transcoder import Transcoder
from glassbox.dictionaries.transcoding import PairedTranscoder, pairs_of, train_transcoder
from glassbox.errors import UserError
from glassbox.tensors.splits import TEST
from tiny_trials import decoded_sessions, trained_decoders

FEW = DictionaryOptions(hook="block0.mlp", width=24, k=4, samples=40_000, batch=100, copies=2)


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    out = trained_decoders(tmp_path_factory.mktemp("trained"), epochs=20, patience=20)
    return FittedDecoder.load(out, 0, 0)


@pytest.fixture(scope="module")
def sessions():
    return decoded_sessions()


@pytest.fixture(scope="module")
def trials(decoder, sessions):
    return hook_trials(decoder, sessions, "block0.mlp")


def explained(made: torch.Tensor, wanted: torch.Tensor) -> float:
    left = (made.detach() - wanted).double().square().sum()
    return 1 - float(left / (wanted - wanted.mean(0)).double().square().sum())


def test_it_makes_what_the_layers_add_from_what_enters_them(decoder, sessions, trials):
    trained = train_transcoder(decoder, sessions, trials, FEW, 0)
    test = trials.in_part(TEST)
    entering, added = test.beside.flatten(0, 1), test.latents.flatten(0, 1)
    assert explained(trained.dictionary(entering), added) > 0.6
    # It reads what enters, which is not what it makes.
    assert explained(trained.dictionary(added), added) < 0.3
    assert not any(parameter.requires_grad for parameter in trained.dictionary.parameters())


def test_in_their_place_the_answers_stay(decoder, sessions, trials):
    coder = train_transcoder(decoder, sessions, trials, FEW, 0).dictionary
    test = trials.in_part(TEST)
    readout = test.readout(decoder)
    versions = (test.latents, coder(test.beside), torch.zeros_like(test.latents))
    clean, spliced, without = (
        torch.cat([said.log_softmax(-1) for said in readout(version).values()], -1)
        for version in versions
    )
    assert (spliced - clean).abs().mean() < 0.5 * (without - clean).abs().mean()


def test_folded_it_is_a_transcoder_of_raw_inputs_and_outputs():
    generator = torch.Generator().manual_seed(0)
    pair = torch.randn(50, 8, generator=generator)
    paired = PairedTranscoder(8, 12, 3)
    paired.initialise(pair, generator)
    centre, scale = torch.randn(8, generator=generator), 3.0
    folded = paired.fold(centre, scale)
    assert type(folded) is Transcoder
    raw = scale * pair + centre
    made = paired.decode(paired.encode(pair))
    torch.testing.assert_close(folded(raw[:, :4]), scale * made + centre[4:])


def test_a_reconstruction_is_held_against_the_outputs():
    generator = torch.Generator().manual_seed(0)
    pair = torch.randn(50, 8, generator=generator)
    paired = PairedTranscoder(8, 12, 3)
    paired.initialise(pair, generator)
    made = paired.decode(paired.encode(pair))
    found = reconstruct(paired, pair).explained_variance
    assert found == pytest.approx(explained(made, pair[:, 4:]), rel=1e-5)


def test_pairs_are_what_enters_beside_what_is_added(trials):
    pairs = pairs_of(trials)
    dim = trials.latents.shape[-1]
    assert torch.equal(pairs[:, :dim], trials.beside.flatten(0, 1))
    assert torch.equal(pairs[:, dim:], trials.latents.flatten(0, 1))


@pytest.mark.parametrize("hook", ["latents", "block0", "block0.attention"])
def test_where_nothing_enters_linear_layers_it_is_refused(decoder, sessions, trials, hook):
    with pytest.raises(UserError, match=f"expected the linear layers of a block.*{hook}"):
        train_transcoder(decoder, sessions, trials, replace(FEW, hook=hook), 0)

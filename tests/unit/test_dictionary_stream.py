"""Laws of drawing from activations, of many trainings over one stream, and of going on."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from glassbox.decoders.checkpoint import Checkpoint
from glassbox.dictionaries.architectures import AUTOENCODERS
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.dictionaries.random_decoder import new_random_decoder
from glassbox.dictionaries.stream import BLOCKS_HELD, MOST_SAMPLED, Stream, spread
from glassbox.dictionaries.train import TOGETHER, train_dictionary, train_together
from glassbox.dictionaries.training import Wanted, k_at
from glassbox.errors import UserError
from glassbox.options import options_from
from planted import plant

FEW = DictionaryOptions(width=24, k=3, samples=6000, batch=50, checkpoint_every_s=0.0)


class Source:
    """Rows that tell which of them were read, and how many at once at most."""

    def __init__(self, n: int, dim: int = 2):
        self.rows = np.repeat(np.arange(n, dtype=np.float32)[:, None], dim, axis=1)
        self.shape, self.read, self.longest = (n, dim), 0, 0

    def __getitem__(self, rows: slice) -> np.ndarray:
        found = self.rows[rows]
        self.read, self.longest = self.read + len(found), max(self.longest, len(found))
        return found


@pytest.fixture(scope="module")
def data():
    return plant("superposition", 1300, atoms=16, dim=8, active=2).x


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rows_of(batches):
    return torch.cat(list(batches))[:, 0].long().tolist()


@pytest.mark.parametrize("held", [64, 160, 1000], ids=["blocks", "few blocks", "all"])
def test_a_pass_shows_each_activation_once_in_an_order_that_the_seed_decides(held):
    source = Source(320)
    stream = Stream(source, held)
    passes = rows_of(islice(stream.batches(16, generator()), 20))
    assert sorted(passes) == list(range(320))
    assert passes == rows_of(islice(stream.batches(16, generator()), 20))
    assert passes != rows_of(islice(stream.batches(16, generator(1)), 20))
    following = rows_of(islice(stream.batches(16, generator(), skip=20), 20))
    assert sorted(following) == list(range(320)) and following != passes


def test_no_more_activations_are_held_than_may_be():
    source = Source(10_000)
    list(islice(Stream(source, 640).batches(64, generator()), 100))
    assert source.longest == 640 // BLOCKS_HELD
    assert source.read <= 100 * 64 + 640


def test_blocks_that_are_held_together_are_mixed():
    first = rows_of(islice(Stream(Source(10_000), 640).batches(64, generator()), 1))
    assert len({row // 40 for row in first}) > BLOCKS_HELD / 2


def test_batches_that_were_learned_from_are_passed_over_unread():
    source = Source(3000)
    stream = Stream(source, 160)
    wanted = rows_of(islice(stream.batches(16, generator()), 60))[-16 * 5 :]
    source.read = 0
    assert rows_of(islice(stream.batches(16, generator(), skip=55), 5)) == wanted
    assert source.read <= 160


def test_centre_scale_and_sample_are_those_of_all(data, monkeypatch):
    monkeypatch.setattr("glassbox.dictionaries.stream.READ", 100)
    stream = Stream(data.numpy(), 200)
    centre, scale = stream.centre_and_scale()
    torch.testing.assert_close(centre, data.double().mean(0).float())
    assert scale == pytest.approx(float((data - centre).double().square().mean().sqrt()), rel=1e-6)
    assert torch.equal(stream.sample(), data)
    monkeypatch.setattr("glassbox.dictionaries.stream.MOST_SAMPLED", 130)
    assert torch.equal(stream.sample(), data[torch.from_numpy(spread(1300, 130))])


def test_spread_takes_first_and_last_and_none_twice():
    places = spread(1000, 77)
    assert places[0] == 0 and places[-1] == 999 and len(set(places)) == 77
    assert MOST_SAMPLED > 77 and len(spread(5, 77)) == 5


def test_from_blocks_as_much_is_learned_as_from_memory(data):
    one = replace(FEW, samples=30_000)
    whole = train_dictionary(data, data[:300], one, seed=0).explained_variance
    blocks = train_dictionary(Stream(data.numpy(), 400), data[:300], one, 0).explained_variance
    assert blocks == pytest.approx(whole, abs=0.05) and whole > 0.5


def same_weights(first, second):
    first, second = first.dictionary.state_dict(), second.dictionary.state_dict()
    return all(torch.equal(first[name], second[name]) for name in first)


def test_several_dictionaries_read_the_stream_once_and_the_first_is_as_alone(data):
    source = Source(1300, 8)
    source.rows = data.numpy()
    stream = Stream(source, 400)
    wanted = [
        Wanted(FEW, 0),
        Wanted(replace(FEW, width=16, k=2), 1),
        Wanted(replace(FEW, architecture="relu"), 0),
        Wanted(FEW, 5, new_random_decoder),
    ]
    alone = train_together(stream, data[:300], wanted[:1])[0]
    read_alone, source.read = source.read, 0
    together = train_together(stream, data[:300], wanted)
    assert source.read == read_alone
    assert same_weights(alone, together[0])
    assert [t.dictionary.width for t in together] == [24, 16, 24, 24]
    assert not torch.equal(together[0].dictionary.W_enc, together[3].dictionary.W_enc)


def test_trainings_of_unlike_length_share_no_stream(data):
    with pytest.raises(ValueError, match="one number of samples"):
        train_together(
            Stream(data, 2000), data, [Wanted(FEW, 0), Wanted(replace(FEW, samples=50), 0)]
        )


class Killed(Exception):
    pass


def killed_after(calls):
    def progress(n, note):
        nonlocal calls
        calls -= 1
        if calls < 0:
            raise Killed

    return progress


@pytest.mark.parametrize("architecture", AUTOENCODERS)
@pytest.mark.parametrize("held", [400, 2000], ids=["blocks", "memory"])
def test_a_killed_training_goes_on_and_gives_the_same_bits(architecture, held, data, tmp_path):
    one = replace(FEW, architecture=architecture, k_first=6, checks=9)
    wanted = [Wanted(one, 0), Wanted(replace(one, width=16), 4)]
    stream, keep = Stream(data.numpy(), held), Checkpoint(tmp_path, "run", "0" * 16, 0.0)
    whole = train_together(stream, data[:300], wanted)
    with pytest.raises(Killed):
        train_together(stream, data[:300], wanted, killed_after(2 * 2), keep)
    assert keep.load()[1]["at"] == 2 * TOGETHER
    told = []
    again = train_together(stream, data[:300], wanted, lambda n, note: told.append(n), keep)
    assert told[0] == 2 * 2 * TOGETHER * 50  # of each of two, two turns
    assert all(same_weights(*pair) for pair in zip(whole, again, strict=True))
    assert [t.curve for t in whole] == [t.curve for t in again]
    finished = train_together(stream, data[:300], wanted, None, keep)
    assert all(same_weights(*pair) for pair in zip(whole, finished, strict=True))


def test_what_progress_is_told_adds_up_also_where_a_training_ends_early(data):
    told = []
    one = replace(FEW, patience=1, checks=40, learning_rate=0.5)
    trained = train_dictionary(data, data[:300], one, 0, lambda n, note: told.append(n))
    assert len(trained.curve) < 40 and sum(told) == 6000


def test_k_falls_to_what_is_wanted_and_stays():
    options = DictionaryOptions(k=8, k_first=32, k_falls=0.5)
    assert [k_at(share, options) for share in (0, 0.25, 0.5, 1)] == [32, 20, 8, 8]
    assert k_at(0, DictionaryOptions(k=8)) == 8


def test_no_weights_are_kept_while_more_than_k_units_fire(data):
    one = replace(FEW, k_first=12, k_falls=0.5, checks=10)
    trained = train_dictionary(data, data[:300], one, seed=0)
    assert trained.dictionary.k == 3
    assert (trained.dictionary.encode(data) > 0).sum(1).max() <= 3
    assert trained.epochs > 0.5 * trained.curve[-1][0] - 0.5


@pytest.mark.parametrize("architecture", AUTOENCODERS)
def test_mixed_precision_learns_about_as_much_and_keeps_weights_of_32_bits(architecture, data):
    one = replace(FEW, architecture=architecture, samples=20_000)
    whole = train_dictionary(data, data[:300], one, seed=0)
    mixed = train_dictionary(data, data[:300], replace(one, precision="bf16-mixed"), seed=0)
    assert mixed.dictionary.W_dec.dtype == torch.float32
    assert not torch.equal(mixed.dictionary.W_dec, whole.dictionary.W_dec)
    assert mixed.explained_variance == pytest.approx(whole.explained_variance, abs=0.1)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"precision": "bf16-mixed"}, r"dictionaries.precision: expected 32-true on the CPU"),
        ({"k": 8, "k_first": 4}, r"dictionaries.k_first: expected 0, or k = 8 to width = 512"),
        ({"memory_mb": 0}, r"dictionaries.memory_mb: expected at least 1; found 0"),
    ],
)
def test_options_that_cannot_be_are_told_in_a_sentence(given, sentence):
    with pytest.raises(UserError, match=sentence):
        options_from(DictionaryOptions, given, "dictionaries")

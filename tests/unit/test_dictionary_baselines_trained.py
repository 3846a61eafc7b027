"""Laws of the baselines that need the decoder or its cells: frozen rows, no training, raw cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.untrained import untrained
from glassbox.dictionaries.activations import DecodedSession, HookTrials, hook_trials
from glassbox.dictionaries.comparison import of_cells, of_untrained
from glassbox.dictionaries.comparison_options import ComparisonOptions
from glassbox.dictionaries.comparison_rows import rows_of
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.dictionaries.random_decoder import RandomDecoder, new_random_decoder
from glassbox.dictionaries.raw_cells import (
    best_cells,
    cell_activity,
    places,
    raw_cells,
    reconstruct_from_cells,
)
from glassbox.dictionaries.stream import Stream
from glassbox.dictionaries.train import train_dictionary
from glassbox.tensors.splits import SELECTION, TEST, TRAIN
from planted import plant
from tiny_trials import decoded_sessions, tiny_session, trained_decoders

FEW = DictionaryOptions(
    width=24,
    k=3,
    samples=6000,
    batch=100,
    compare=ComparisonOptions(
        architectures=("topk",), widths=(24, 32), ks=(2, 4), seeds=(3,), baseline_samples=100
    ),
)


def stream_of(trials):
    train = trials.in_part(TRAIN).latents.flatten(0, 1)
    return Stream(train, len(train))


@pytest.fixture(scope="module")
def decoder(tmp_path_factory):
    return FittedDecoder.load(trained_decoders(tmp_path_factory.mktemp("trained")), 0, 0)


@pytest.fixture(scope="module")
def sessions():
    return decoded_sessions()


def test_an_untrained_decoder_has_drawn_weights_and_the_scaling_that_was_measured(decoder):
    before = untrained(decoder, 0)
    trained, drawn = decoder.model.state_dict(), before.model.state_dict()
    measured = {name for name, _ in decoder.model.named_buffers()}
    assert set(drawn) == set(trained)
    for name in measured:
        assert torch.equal(drawn[name], trained[name])
    assert any(value.abs().max() > 0 for name, value in trained.items() if "mean" in name)
    changed = [n for n in drawn if n not in measured and not torch.equal(drawn[n], trained[n])]
    assert len(changed) == len(drawn) - len(measured)


def test_an_untrained_decoder_is_that_of_its_seed_and_leaves_the_trained_one_alone(decoder):
    before = {name: value.clone() for name, value in decoder.model.state_dict().items()}
    windows = tiny_session("a").windows
    said = decoder.latents("a", windows)
    first, again, other = (untrained(decoder, seed).latents("a", windows) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(decoder.latents("a", windows), said)
    for name, value in decoder.model.state_dict().items():
        assert torch.equal(value, before[name])


def test_its_dictionaries_are_measured_on_its_own_latents_and_no_splice_is(decoder, sessions):
    before = untrained(decoder, 0)
    trials = hook_trials(before, sessions)
    rows = list(of_untrained(stream_of(trials), trials, FEW))
    assert len(rows) == 2 * 2 * 2
    for row in rows:
        assert row["dictionary"] == "untrained_decoder"
        assert row["explained_variance"] > 0.2 and 0 < row["l0"] <= row["k"]
        assert "loss_recovered" not in row and "accuracy_change" not in row


def test_training_moves_the_encoder_of_a_random_decoder_and_none_of_its_rows():
    x = plant("superposition", 1000, atoms=16, dim=8, active=2).x
    new, seed = new_random_decoder, 5
    made = train_dictionary(x, x[:200], FEW, seed, None, new).dictionary
    first = RandomDecoder(8, 24, 3)
    first.initialise((x - x.mean(0)) / float((x - x.mean(0)).square().mean().sqrt()), _seeded(seed))
    same = torch.nn.functional.normalize(made.W_dec, dim=1)
    torch.testing.assert_close(same, first.W_dec.data, atol=1e-5, rtol=0)
    assert made.architecture == "random_decoder"
    moved = torch.nn.functional.normalize(made.W_enc, dim=1) * same
    assert float(moved.sum(1).min()) < 0.999
    trained = train_dictionary(x, x[:200], FEW, seed, None)
    frozen = train_dictionary(x, x[:200], FEW, seed, None, new)
    assert 0 < frozen.explained_variance < trained.explained_variance


def _seeded(seed):
    return torch.Generator().manual_seed(seed)


def linear_trials(noise=0.0):
    """Latents that are a linear function of 5 cells and of which latent it is."""
    draw = _seeded(0)
    cells = torch.randn(200, 5, generator=draw)
    cells = (cells - cells[:120].mean(0)) / cells[:120].std(0)
    weight = torch.randn(5, 3 * 4, generator=draw)
    weight[:2] *= 5
    latents = cells @ weight + 10 * torch.randn(12, generator=draw)
    latents += noise * torch.randn(latents.shape, generator=draw)
    part = np.repeat([TRAIN, SELECTION, TEST], [120, 40, 40]).astype(np.int8)
    nothing = np.zeros(200, np.int32)
    label = {"direction": (cells[:, 0] > 0).numpy().astype(int)}
    latents = latents.view(200, 3, 4)
    return (
        HookTrials(latents, part, nothing, np.arange(200), nothing, nothing > 0, label),
        cells,
    )


def explained(trials, cells, k):
    test = places(trials, TEST)
    made = raw_cells(trials, cells, k)
    return reconstruct_from_cells(made, trials.latents[test], cells[test])


def test_all_cells_explain_latents_that_are_a_linear_function_of_them():
    trials, cells = linear_trials()
    found = explained(trials, cells, 5)
    assert found.explained_variance > 0.9999 and found.l0 == pytest.approx(5, abs=0.05)


def test_more_cells_explain_more_and_l0_is_their_number():
    trials, cells = linear_trials()
    found = [explained(trials, cells, k) for k in (1, 2, 3, 5)]
    shares = [each.explained_variance for each in found]
    assert shares == sorted(shares) and shares[0] < 0.99
    assert [round(each.l0) for each in found] == [1, 2, 3, 5]


def test_cells_that_say_nothing_of_the_latents_explain_no_more_than_which_latent_it_is():
    trials, cells = linear_trials()
    other = torch.randn(cells.shape, generator=_seeded(1))
    latents = trials.latents
    test = latents[places(trials, TEST)].flatten(0, 1)
    mean = latents[places(trials, TRAIN)].mean(0)
    left = (latents[places(trials, TEST)] - mean).square().sum() / (
        test - test.mean(0)
    ).square().sum()
    assert explained(trials, other, 3).explained_variance <= 1 - float(left) + 0.01


def test_the_best_cells_are_those_that_a_search_of_all_pairs_finds():
    trials, cells = linear_trials()
    wanted = trials.latents.flatten(1).double()
    wanted, x = wanted - wanted.mean(0), cells.double() - cells.double().mean(0)

    def left(pair):
        return float((wanted - x[:, pair] @ torch.linalg.pinv(x[:, pair]) @ wanted).norm())

    pairs = [[i, j] for i in range(5) for j in range(i)]
    assert sorted(best_cells(x, wanted, 2).tolist()) == sorted(min(pairs, key=left))


def test_a_copy_of_a_cell_is_chosen_after_all_that_say_something_new():
    _, cells = linear_trials()
    x = torch.cat([cells, cells[:, :1]], 1).double()
    order = best_cells(x, x @ torch.tensor([[5.0], [4], [3], [2], [1], [0]]).double(), 6).tolist()
    assert order[-1] in (0, 5) and sorted(order) == list(range(6))


def test_of_each_session_so_many_cells_are_kept(decoder, sessions):
    trials = hook_trials(decoder, sessions)
    activity = cell_activity(sessions, 0, (-5.0, 10.0))
    made = raw_cells(trials, activity, 3)
    assert made.width == 6 and int((made.kept < 6).sum()) == 3
    assert int((made.encode(activity) != 0).sum(1).max()) == 3


def test_test_trials_fit_no_row_of_raw_cells():
    trials, cells = linear_trials(noise=1.0)
    latents = trials.latents.clone()
    latents[places(trials, TEST)] = 0
    poisoned = replace(trials, latents=latents)
    assert torch.equal(raw_cells(trials, cells, 3).W_dec, raw_cells(poisoned, cells, 3).W_dec)


def test_activity_stands_in_the_order_of_the_hook_and_is_scaled_by_training_trials(
    decoder, sessions
):
    activity = cell_activity(sessions, 0, (-5.0, 10.0))
    trials = hook_trials(decoder, sessions)
    assert activity.shape == (len(trials), 6 + 7)
    of_first = trials.session_index == 0
    assert not activity[of_first][:, 6:].any() and not activity[~of_first][:, :6].any()
    train = activity[places(trials, TRAIN)]
    known = train[trials.in_part(TRAIN).session_index == 1][:, 6:]
    torch.testing.assert_close(known.mean(0), torch.zeros(7), atol=1e-5, rtol=0)
    windows = sessions[1].data.windows
    frames = windows[sessions[1].data.parts[0] == TRAIN]
    scaled = (frames.mean(2) - frames.mean((0, 2))) / frames.std((0, 2))
    torch.testing.assert_close(known, torch.from_numpy(scaled), atol=1e-4, rtol=0)


def test_a_cell_that_fires_in_a_test_trial_alone_is_clipped(sessions):
    data = sessions[0].data
    windows = data.windows.copy()
    windows[:, 2] = 1e-3 * windows[:, 2]
    test = np.flatnonzero(data.parts[0] == TEST)[0]
    windows[test, 2] = 50.0
    loud = DecodedSession(replace(data, windows=windows), sessions[0].block, False)
    activity = cell_activity((loud,), 0, (-5.0, 10.0))
    assert float(activity[test, 2]) == pytest.approx(10, abs=0.1)
    assert float(activity.abs().max()) < 10.1


def test_raw_cells_are_spliced_in_as_what_they_say_of_each_trial():
    trials, cells = linear_trials()

    def readout(x):
        return {"direction": x.flatten(1)[:, :2]}

    read = {"selection": readout, "test": readout}
    made = raw_cells(trials, cells, 5)  # loses nothing
    for row in rows_of(made, trials, read, 0, 5, cells=cells):
        assert row["log_probability_change"] == pytest.approx(0, abs=0.03)
        assert row["dictionary"] == "raw_cells" and row["width"] == 5
    wanted = replace(FEW.compare, ks=(1, 2))
    assert len(list(of_cells(trials, cells, read, wanted))) == 2 * 2

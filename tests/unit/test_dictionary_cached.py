"""Laws of keeping a decoder's activations, and of a stage 4 that memory does not bound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from glassbox.decoders.fitted import FittedDecoder
from glassbox.dictionaries import cached, comparison, stage
from glassbox.dictionaries.activations import DecodedSession, hook_trials, thinned
from glassbox.dictionaries.cached import activations_of
from glassbox.dictionaries.comparison import compare_dictionaries
from glassbox.dictionaries.comparison_options import ComparisonOptions
from glassbox.dictionaries.keeping import device_of
from glassbox.dictionaries.measure import measure
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.dictionaries.stage import train_dictionaries
from glassbox.dictionaries.train import train_dictionary
from glassbox.errors import UserError
from glassbox.progress import Progress
from glassbox.tables import read_rows
from tiny_trials import tiny_session, trained_decoders

MANY = DictionaryOptions(width=24, k=3, samples=6000, batch=100, memory_mb=1, copies=80)
FEW = replace(MANY, copies=2, checkpoint_every_s=0.0, resamples=20, noise_draws=1)
SEEDS = (0, 1)
CHEAP = ("pca_leading", "raw_cells", "random", "random_decoder", "untrained_decoder")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return trained_decoders(tmp_path_factory.mktemp("trained"), ("c",), seeds=SEEDS, folds=(0,))


@pytest.fixture(scope="module")
def decoder(folder):
    return FittedDecoder.load(folder, 0, 0)


@pytest.fixture(scope="module")
def sessions():
    return tuple(
        DecodedSession(data, np.repeat(np.arange(6, dtype=np.int32), 10), name == "c")
        for i, name in enumerate("abc")
        for data in [tiny_session(name, n_cells=6 + i)]
    )


def weights(folder, seed=0):
    return folder / f"seed{seed}-fold0.safetensors"


def test_what_fits_no_memory_lies_in_a_store_that_holds_the_same(
    folder, decoder, sessions, tmp_path
):
    memory = activations_of(decoder, sessions, MANY, None, weights(folder))
    stored = activations_of(decoder, sessions, MANY, tmp_path, weights(folder))
    assert isinstance(memory.stream.source, torch.Tensor) and memory.whole is not None
    assert stored.whole is None and stored.stream.held < len(stored.stream)
    assert np.array_equal(stored.stream.source[:], memory.stream.source.numpy())
    assert stored.stream.source.chunks[0] == stored.stream.block
    assert torch.equal(stored.selection(), memory.selection())


def test_a_store_is_made_once_and_anew_where_something_changed(
    folder, decoder, sessions, tmp_path, monkeypatch
):
    first = activations_of(decoder, sessions, MANY, tmp_path, weights(folder))

    def never(*_):
        raise AssertionError("made again")

    with monkeypatch.context() as patched:
        patched.setattr(cached, "training_copies", never)
        again = activations_of(decoder, sessions, replace(MANY, k=2), tmp_path, weights(folder))
        assert again.key == first.key
        for changed in (
            (decoder, sessions, replace(MANY, copies_keep=0.7), weights(folder)),
            (decoder, sessions, MANY, weights(folder, 1)),
            (decoder, sessions[::-1], MANY, weights(folder)),
        ):
            with pytest.raises(AssertionError, match="made again"):
                activations_of(*changed[:3], tmp_path, changed[3])
    assert len(list(tmp_path.glob("*.zarr"))) == 0  # those of another key went; none is half-made
    activations_of(decoder, sessions, replace(MANY, copies_keep=0.7), tmp_path, weights(folder))
    assert len(list(tmp_path.glob("*.zarr"))) == 1


@pytest.mark.parametrize("at_once", [1, 130])
def test_sessions_run_by_and_by_are_measured_as_all_at_once(folder, decoder, sessions, at_once):
    whole = activations_of(decoder, sessions, FEW, None, weights(folder))
    parts = replace(whole, whole=None, at_once=at_once)
    assert len(list(parts.trials())) == (3 if at_once == 1 else 2)
    assert torch.equal(parts.selection(), whole.selection())
    torch.testing.assert_close(parts.mean(), whole.mean())
    dictionary = train_dictionary(whole.stream, whole.selection(), FEW, 0).dictionary
    one, other = (measure(dictionary, seen, FEW) for seen in (whole, parts))
    for name, values in one.trials.items():
        np.testing.assert_array_equal(values, other.trials[name], err_msg=name)
    np.testing.assert_allclose(one.activity.mean, other.activity.mean, atol=1e-6)
    np.testing.assert_array_equal(one.activity.density, other.activity.density)
    np.testing.assert_allclose(one.activity.session_density, other.activity.session_density)
    assert one.test.fvu == pytest.approx(other.test.fvu, rel=1e-9)
    assert one.test.n == sum(s.n for s in one.sessions[:2]) < sum(s.n for s in one.sessions)
    np.testing.assert_array_equal(one.test_session, other.test_session)
    for key, values in one.scores.items():
        if key[0] != "noise":
            np.testing.assert_allclose(values, other.scores[key], atol=1e-5)


def test_a_thinned_session_keeps_what_belongs_together(decoder, sessions):
    few = thinned(sessions[0], 0.5)
    seen, all_seen = (hook_trials(decoder, [s]) for s in (few, sessions[0]))
    places = np.isin(all_seen.trial_index, seen.trial_index)
    assert len(seen) == 30
    torch.testing.assert_close(seen.latents, all_seen.latents[torch.from_numpy(places)])
    np.testing.assert_array_equal(seen.part, all_seen.part[places])
    np.testing.assert_array_equal(seen.block, all_seen.block[places])
    np.testing.assert_array_equal(seen.labels["direction"], all_seen.labels["direction"][places])


@pytest.fixture
def tiny_stage(folder, sessions, tmp_path, monkeypatch):
    """Runs the stage into a folder of this name and gives the bytes of what it wrote."""
    monkeypatch.setattr(stage, "open_sessions", lambda *_, **__: sessions)

    def run(name, options=FEW, cache=None):
        out = tmp_path / name
        train_dictionaries(folder, [], out, options, cache)
        return {path.name: path.read_bytes() for path in out.iterdir()}

    return run


def test_a_killed_stage_goes_on_from_its_state_and_writes_the_same_bytes(
    tiny_stage, tmp_path, monkeypatch
):
    whole = tiny_stage("whole")
    step, steps = Progress.step, []

    def killed(self, n, note=""):
        steps.append(note)
        if len(steps) == 4:  # in the second seed's training, the first one's is done
            raise KeyboardInterrupt
        step(self, n, note)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Progress, "step", killed)
        tiny_stage("again", cache=tmp_path / "cache")
    assert sorted(p.name[:21] for p in (tmp_path / "cache").iterdir()) == [
        f"topk-latents-seed{seed}-fo" for seed in SEEDS
    ]
    taken = []
    monkeypatch.setattr(Progress, "step", lambda self, n, note="": taken.append((n, note)))
    assert tiny_stage("again", cache=tmp_path / "cache") == whole
    assert taken[0] == (6000, "taken up")
    assert taken[1][1] == "taken up" and 0 < taken[1][0] < 6000


def test_another_configuration_takes_up_no_state(tiny_stage, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    tiny_stage("first", cache=cache)
    notes = []
    monkeypatch.setattr(Progress, "step", lambda self, n, note="": notes.append(note))
    tiny_stage("other", replace(FEW, learning_rate=1e-3), cache)
    assert "taken up" not in notes and len(list(cache.iterdir())) == len(SEEDS)
    tiny_stage("same weights", replace(FEW, learning_rate=1e-3, resamples=30), cache)
    assert notes.count("taken up") == len(SEEDS)


def test_each_session_and_the_agreement_between_decoder_seeds_stand_in_the_tables(
    tiny_stage, tmp_path
):
    tiny_stage("out")
    by_seed = read_rows(tmp_path / "out" / "dictionaries.csv")
    assert [row["agreement_activations"] == "" for row in by_seed] == [True, False]
    assert -1 < float(by_seed[1]["agreement_activations"]) <= 1
    chance = float(by_seed[1]["agreement_activations_chance"])
    assert chance < float(by_seed[1]["agreement_activations"])
    for row in by_seed:
        assert float(row["explained_variance"]) == pytest.approx(1 - float(row["fvu"]), abs=1e-5)
        assert -1 <= float(row["accuracy_change"]) <= 1 and row["log_probability_change"]
    rows = read_rows(tmp_path / "out" / "dictionary_sessions.csv")
    assert [(r["seed"], r["session"], r["held_out"]) for r in rows] == [
        (str(seed), name, str(name == "c").lower()) for seed in SEEDS for name in "abc"
    ]
    for row in rows:
        low, median, high = (float(row[f"density_{q}"]) for q in ("p10", "median", "p90"))
        assert 0 < low <= median <= high <= 1 and 0 < float(row["firing_fraction"]) <= 1
        assert int(row["n"]) > 0 and float(row["l0"]) <= 3


@pytest.fixture
def tiny_comparison(folder, sessions, tmp_path, monkeypatch):
    """Compares into a folder of this name and gives the bytes of what was written."""
    monkeypatch.setattr(comparison, "open_sessions", lambda *_, **__: sessions)
    wanted = ComparisonOptions(
        architectures=("topk",), widths=(24,), ks=(2, 3), seeds=(0, 1), baselines=CHEAP
    )

    def run(name, cache=None):
        out = tmp_path / name
        compare_dictionaries(folder, [], out, replace(FEW, compare=wanted), cache)
        return {path.name: path.read_bytes() for path in out.iterdir()}

    return run


def test_a_comparison_that_is_taken_up_again_writes_the_same_bytes(
    tiny_comparison, tmp_path, monkeypatch
):
    first, taken = tiny_comparison("first", tmp_path / "cache"), []
    monkeypatch.setattr(Progress, "step", lambda self, n, note="": taken.append(note))
    assert tiny_comparison("again", tmp_path / "cache") == first
    assert set(taken) == {"taken up"}
    assert set(first) == {"comparison.csv", "insertion.csv", "operating_point.json"}


def test_what_splices_change_stands_by_dictionary_and_decoder_seed(tiny_comparison, tmp_path):
    tiny_comparison("out")
    compared = read_rows(tmp_path / "out" / "comparison.csv")
    assert {row["dictionary"] for row in compared} == {"topk", *CHEAP}
    inserted = read_rows(tmp_path / "out" / "insertion.csv")
    spliced = {"topk", *CHEAP} - {"untrained_decoder"}
    assert {row["dictionary"] for row in inserted} == spliced
    assert {row["seed"] for row in inserted} == {"0", "1", ""}
    assert {row["session"] for row in inserted} == {"a", "b", "pooled"}  # c is held out
    wanted = "spliced_minus_clean", "log_probability", "pooled"
    shown = [r for r in inserted if (r["condition"], r["metric"], r["session"]) == wanted]
    test = [row for row in compared if row["part"] == "test"]
    columns = ("dictionary", "width", "k", "seed")
    for name in {tuple(row[c] for c in columns) for row in shown if row["seed"]}:
        here, there = (
            [row for row in rows if tuple(row[c] for c in columns) == name]
            for rows in (shown, test)
        )
        by_task = [float(row["value"]) for row in here]
        by_seed = [float(row["log_probability_change"]) for row in there]
        assert np.mean(by_task) == pytest.approx(np.mean(by_seed), rel=1e-3, abs=1e-5)


def test_a_cuda_device_that_is_not_there_is_told_in_a_sentence(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"dictionaries.device: found cuda, but PyTorch sees no"):
        device_of(replace(FEW, device="cuda"))

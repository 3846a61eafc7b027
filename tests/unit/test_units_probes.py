"""Laws of the probes of layers, of the lens, and of their figure."""

import csv

import numpy as np
import pytest
import torch
from glassbox.decoders.data import CohortData
from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.options import DecoderOptions
from glassbox.decoders.train import CohortName, train_cohort
from glassbox.dictionaries.activations import DecodedSession, hook_trials
from glassbox.dictionaries.topk import TopKDictionary
from glassbox.errors import UserError
from glassbox.figures import readability
from glassbox.figures.columns import FIGURE_COLUMNS
from glassbox.figures.options import FiguresOptions
from glassbox.figures.output import read_numbers, write_figure
from glassbox.sessions.options import SimulateOptions
from glassbox.sessions.simulate import simulate_session
from glassbox.sessions.simulated_mice import simulated_mice
from glassbox.sessions.stimulus_schedule import DIRECTIONS_DEG, TEMPORAL_FREQUENCIES_HZ
from glassbox.tables import write_table
from glassbox.tensors.splits import TEST
from glassbox.units.probe_fits import (
    Split,
    class_separation,
    dense_logistic,
    leading_components,
    network,
    sparse_logistic,
)
from glassbox.units.probes import Readable, rows_of, translated
from glassbox.units.truth import session_of
from scipy.stats import f_oneway

SIMULATE = SimulateOptions(mice_per_line=1, cells_min=10, cells_max=12, trials=168)
TASKS = {
    "direction": np.array(DIRECTIONS_DEG),
    "temporal_frequency": np.array(TEMPORAL_FREQUENCIES_HZ),
}
SMALL = DecoderOptions(
    dim=16, value_dim=4, latents=4, heads=2, epochs=2, unit_epochs=2, min_cells=4, folds=(1,)
)


def split_of(features, label):
    places = np.split(np.arange(len(label)), [len(label) // 2, 3 * len(label) // 4])
    return Split(*(features[p] for p in places), tuple(label[p] for p in places))


def test_one_feature_is_enough_where_one_carries_the_class_and_it_is_found():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 2, 800)
    features = rng.standard_normal((800, 50))
    features[:, 17] += 6 * label
    ((_, right),) = sparse_logistic(split_of(features, label), [1])
    assert right.mean() > 0.98


def test_a_network_reads_what_no_linear_probe_can():
    rng = np.random.default_rng(1)
    features = rng.standard_normal((2000, 2))
    label = ((features > 0).sum(axis=1) == 1).astype(int)
    split = split_of(features, label)
    assert network(split, 0).mean() > 0.9 > 0.65 > dense_logistic(split).mean()


def test_a_probe_of_nothing_is_at_chance():
    rng = np.random.default_rng(2)
    split = split_of(rng.standard_normal((1200, 30)), rng.integers(0, 4, 1200))
    for right in (dense_logistic(split), network(split, 0)):
        assert right.mean() == pytest.approx(0.25, abs=0.07)


def test_features_are_put_in_order_by_the_f_statistic():
    rng = np.random.default_rng(3)
    label = rng.integers(0, 3, 90)
    features = rng.standard_normal((90, 6)) + np.outer(label, np.arange(6) / 5)
    f = f_oneway(*(features[label == c] for c in range(3))).statistic
    assert class_separation(features, label) * (90 - 3) / 2 == pytest.approx(f)


def test_components_of_few_trials_are_those_of_the_features():
    rng = np.random.default_rng(4)
    few = rng.standard_normal((8, 20))
    mean, directions = leading_components(few, 5)
    scores = (few - mean) @ directions
    size = np.linalg.svd(few - mean, compute_uv=False)
    assert np.sqrt((scores**2).sum(axis=0)) == pytest.approx(size[:5])
    assert directions.T @ directions == pytest.approx(np.eye(5), abs=1e-9)
    wide, _ = leading_components(np.repeat(few, 4, axis=0), 5)
    assert wide == pytest.approx(mean)


@pytest.fixture(scope="module")
def readable(tmp_path_factory):
    """A small decoder of two mice, and a dictionary of it."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("probes")
    like = FittedDecoder(
        "all", "all", 0, 1, "crossfit", SMALL, "drifting_gratings", TASKS, {}, None
    )
    data = tuple(
        session_of(simulate_session(SIMULATE, mouse.session), like)
        for mouse in simulated_mice(SIMULATE)
    )
    cohort = CohortData(data, (), TASKS, tuple(TASKS))
    train_cohort(CohortName("all", "all"), cohort, SMALL, out, None)
    decoder = FittedDecoder.load(out, 0, 1)
    dictionary = TopKDictionary(SMALL.dim, 24, k=3)
    latents = torch.cat([decoder.latents(d.session, d.windows) for d in data])
    dictionary.initialise(latents.flatten(0, 1), torch.Generator().manual_seed(0))
    dictionary.requires_grad_(False)
    return Readable(
        decoder,
        dictionary,
        tuple(DecodedSession(d, np.zeros(len(d.trial), int), False) for d in data),
        {task: np.concatenate([d.labels[task] for d in data]) for task in TASKS},
        np.concatenate([d.parts[1] for d in data]),
        np.repeat([0, 1], [len(d.trial) for d in data]),
        0,
    )


@pytest.fixture(scope="module")
def rows(readable):
    return list(rows_of(readable, "latents"))


def test_every_hook_from_the_encoder_to_the_queries_is_probed(readable, rows):
    dense = [row["hook"] for row in rows if row["probe"] == "dense" and row["features"] == "layer"]
    assert list(dict.fromkeys(dense)) == list(readable.decoder.model.hooks)
    assert {row["features"] for row in rows} == {"layer", "units", "latents", "pca", "cells"}
    few = {row["features"]: row["k"] for row in rows if row["probe"] == "sparse"}
    assert set(few) == {"units", "latents", "pca", "cells"}
    assert min(row["k"] for row in rows) == 1
    test = readable.part == TEST
    for row in rows:
        assert row["n"] == test.sum() and row["ci_low"] <= row["value"] <= row["ci_high"]


def test_the_lens_of_the_latents_is_the_decoder_itself(readable, rows):
    rows = [row for row in rows if row["hook"] == "latents" and "lens" in row["probe"]]
    assert len(rows) == 2 * len(TASKS)
    final = hook_trials(readable.decoder, readable.sessions)
    logits = final.readout(readable.decoder)(final.latents)
    test = readable.part == TEST
    for row in rows:
        label = readable.labels[row["task"]]
        right = logits[row["task"]].argmax(1).numpy()[test] == label[test]
        assert row["value"] == pytest.approx(right.mean(), abs=1.5 / test.sum())


def test_the_lens_undoes_an_affine_map_and_never_sees_test_trials(readable):
    final = hook_trials(readable.decoder, readable.sessions).latents.numpy()
    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((16, 16)))
    mapped = (final @ turn + 3).astype(np.float32)
    found = translated(readable, mapped, final)
    assert ((found - final) ** 2).mean() < 1e-3 * final.var()
    poisoned = final.copy()
    poisoned[readable.part == TEST] = 1e3
    assert np.array_equal(translated(readable, mapped, poisoned), found)


def test_some_trials_of_a_session_keep_their_windows_labels_and_parts(readable):
    session = readable.sessions[0]
    places = np.array([1, 5, 8])
    some = session.take(places)
    assert np.array_equal(some.data.windows, session.data.windows[places])
    assert np.array_equal(some.data.labels["direction"], session.data.labels["direction"][places])
    assert np.array_equal(some.data.parts[1], session.data.parts[1][places])


def test_the_figure_draws_every_reader_and_every_kind_of_feature(readable, rows, tmp_path):
    who = {"cohort": "all", "level": "all", "seed": 0, "fold": 1}
    table = tmp_path / "probes.csv"
    write_table("probes", table, [who | row for row in rows])
    options = FiguresOptions(dpi=60)
    numbers = readability.numbers(readability.read([table]), options)
    paths = [tmp_path / f"readability.{form}" for form in ("pdf", "png", "csv")]
    write_figure("readability", numbers, readability.draw, *paths, options, [table])
    assert all(path.stat().st_size for path in paths)
    drawn = read_numbers("readability", paths[2])
    points = drawn[drawn.kind == "point"]
    assert set(points.reader) == {*readability.READERS, *readability.FEATURES}
    assert set(points.task) == set(TASKS)
    dense = points[(points.panel == "layers") & (points.reader == "dense")]
    hooks = len(readable.decoder.model.hooks)
    assert dense.groupby("task").size().tolist() == [hooks + 1] * 2  # and the cells


def test_without_probes_the_figure_says_so_and_another_table_is_refused(tmp_path):
    empty = tmp_path / "readability.csv"
    with open(empty, "w", newline="") as file:
        csv.writer(file).writerow(FIGURE_COLUMNS["readability"])
    texts = [
        t.get_text() for t in readability.draw(read_numbers("readability", empty)).axes[0].texts
    ]
    assert texts == ["No probe to show."]
    with pytest.raises(UserError, match="the column cohort is missing"):
        readability.read([empty])

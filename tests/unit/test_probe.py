"""Laws of the probe over mice, on drawn features."""

from __future__ import annotations

import numpy as np
import pytest
from glassbox.interventions.probe import (
    PENALTIES,
    MouseMoments,
    MouseProbe,
    columns_of,
    reads,
    relabelings,
)


def drawn(n_mice, n_trials=30, dim=5, seed=0, effect=0.0, lines=None):
    rng = np.random.default_rng(seed)
    mouse = np.repeat(np.arange(n_mice), n_trials)
    features = rng.normal(size=(len(mouse), dim)) + rng.normal(size=(n_mice, dim))[mouse]
    if lines is not None:
        features[:, 0] += effect * np.where(np.asarray(lines)[mouse] == 1, 1, -1)
    return features, mouse


def test_the_probe_is_ridge_regression_with_mice_of_equal_weight():
    lines = np.array([0, 1, 0, 1])
    features, mouse = drawn(4)
    keep = np.ones(len(mouse), bool)
    keep[(mouse == 2) & (np.arange(len(mouse)) % 3 > 0)] = False  # a mouse of fewer trials
    features, mouse = features[keep], mouse[keep]
    read = np.random.default_rng(5).normal(size=(3, 5))
    probe = MouseProbe.train(MouseMoments.of(features, mouse, 4), read)
    labels = columns_of(lines, 2)
    chosen = int(probe.penalty(labels[None])[0])

    weight = 1 / np.bincount(mouse)[mouse] / 4
    y = labels[mouse, 1]
    centre = weight @ features
    x = features - centre
    scatter = (x * weight[:, None]).T @ x
    penalty = PENALTIES[chosen] * np.trace(scatter) / 5
    beta = np.linalg.solve(scatter + penalty * np.eye(5), x.T @ (weight * y))
    expected = (read - centre) @ beta + weight @ y
    np.testing.assert_allclose(probe.scores(labels[None])[0, :, 1], expected, rtol=1e-8)
    weights, offset = probe.weights(labels)
    np.testing.assert_allclose(read @ weights + offset, probe.scores(labels[None])[0], rtol=1e-8)


def test_a_left_out_mouse_has_no_part_in_its_own_read():
    features, mouse = drawn(6)
    moments = MouseMoments.of(features, mouse, 6)
    probe = MouseProbe.train(moments, moments.mean)
    assert np.abs(np.einsum("pmm->pm", probe.left_out)).max() == 0
    without = MouseProbe.train(MouseMoments(moments.mean[1:], moments.second[1:]), moments.mean[:1])
    np.testing.assert_allclose(probe.left_out[:, 0, 1:], without.read[:, 0])


def test_relabelings_keep_the_balance_of_every_fold_and_are_all_of_them():
    lines, folds = [0, 0, 1, 1, 0, 0, 1, 1], [0, 0, 0, 0, 1, 1, 1, 1]
    made = relabelings(lines, folds, 1000, np.random.default_rng(0))
    assert len(made) == 36 == len(np.unique(made, axis=0))
    assert made[0].tolist() == lines
    assert (made[:, :4].sum(1) == 2).all() and (made[:, 4:].sum(1) == 2).all()


def test_relabelings_of_three_lines_are_all_arrangements():
    made = relabelings([0, 1, 2, 2], [0, 0, 0, 0], 1000, np.random.default_rng(0))
    assert len(np.unique(made, axis=0)) == len(made) == 12


def test_too_many_relabelings_are_drawn_with_the_balance_kept():
    lines = np.tile([0, 1], 10)
    made = relabelings(lines, np.zeros(20, int), 50, np.random.default_rng(0))
    assert made.shape == (51, 20) and (made.sum(1) == 10).all()
    assert made[0].tolist() == lines.tolist()


def test_a_label_in_the_features_is_read_on_held_out_mice():
    lines = np.array([0, 1] * 6)
    features, mouse = drawn(12, effect=4.0, lines=lines)
    training = MouseMoments.of(features[mouse < 8], mouse[mouse < 8], 8)
    held_out = MouseMoments.of(features[mouse >= 8], mouse[mouse >= 8] - 8, 4)
    probe = MouseProbe.train(training, held_out.mean)
    scores = probe.scores(columns_of(lines[:8], 2)[None])
    told = reads(scores, lines[None, 8:], 2)
    assert told["accuracy"][0] == 1 and told["auroc"][0] == 1 and told["signed_score"][0] > 0.5


def test_the_exact_test_is_uniform_where_there_is_nothing():
    lines = np.array([0, 0, 1, 1] * 3)
    folds = np.repeat([0, 1, 2], 4)
    labelings = relabelings(lines, folds, 1000, np.random.default_rng(0))
    assert len(labelings) == 216
    p = []
    for seed in range(60):
        features, mouse = drawn(12, n_trials=8, seed=seed + 100)
        scores = np.empty((len(labelings), 12, 2))
        moments = MouseMoments.of(features, mouse, 12)
        for fold in range(3):
            inside = folds != fold
            training = MouseMoments(moments.mean[inside], moments.second[inside])
            probe = MouseProbe.train(training, moments.mean[~inside])
            labels = np.stack([columns_of(row[inside], 2) for row in labelings])
            scores[:, ~inside] = probe.scores(labels)
        told = reads(scores, labelings, 2)["signed_score"]
        p.append((told >= told[0] - 1e-12).mean())
    p = np.array(p)
    assert p.min() >= 1 / 216
    assert (p <= 0.05).sum() <= 8  # 3 expected; more than 8 of 60 has probability 0.003
    assert 0.35 < p.mean() < 0.65


@pytest.mark.parametrize("n_lines", [2, 3])
def test_auroc_is_half_where_all_scores_are_equal(n_lines):
    lines = np.arange(6)[None] % n_lines
    assert reads(np.zeros((1, 6, n_lines)), lines, n_lines)["auroc"][0] == 0.5


def test_the_two_columns_of_two_lines_are_negatives():
    features, mouse = drawn(6)
    moments = MouseMoments.of(features, mouse, 6)
    probe = MouseProbe.train(moments, moments.mean)
    scores = probe.scores(columns_of([0, 1, 0, 1, 0, 1], 2)[None])
    np.testing.assert_allclose(scores[..., 0], -scores[..., 1], atol=1e-12)

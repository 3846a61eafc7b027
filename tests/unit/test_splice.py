"""Laws of splicing a dictionary into a decoder, and of the rows that say what it costs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from glassbox.dictionaries.measure import activity_of
from glassbox.dictionaries.rows import (
    DIFFERENCE,
    dictionary_row,
    insertion_rows,
    together,
    with_difference,
)
from glassbox.dictionaries.splice import equal_norm_noise, insertion_scores, spliced
from glassbox.dictionaries.topk import TopKDictionary
from glassbox.tables import COLUMNS


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(40, 3, 8, generator=generator)
    dictionary = TopKDictionary(8, 16, k=3)
    dictionary.initialise(latents.flatten(0, 1), generator)
    weight = torch.randn(8, 4, generator=generator)

    def readout(x):
        return {"direction": x.mean(1) @ weight}

    labels = {"direction": np.arange(40) % 4}
    return dictionary.requires_grad_(False), latents, labels, readout


def test_noise_is_as_long_as_the_reconstruction_error_of_each_latent(case):
    dictionary, latents, _, _ = case
    replaced = spliced(dictionary, latents)
    noisy = equal_norm_noise(latents, replaced, torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        (noisy - latents).norm(dim=-1), (replaced - latents).norm(dim=-1), rtol=1e-4, atol=1e-5
    )
    assert float((noisy - replaced).norm()) > 0.1


def test_a_perfect_dictionary_costs_nothing(case):
    _, latents, labels, readout = case
    perfect = TopKDictionary(8, 16, k=16)
    with torch.no_grad():
        perfect.W_enc.copy_(torch.cat([torch.eye(8), -torch.eye(8)]))
        perfect.W_dec.copy_(perfect.W_enc)
    perfect.requires_grad_(False)
    scores = insertion_scores(perfect, latents, labels, readout, 2, torch.Generator())
    for metric in ("accuracy", "log_probability"):
        clean = scores["clean", "direction", metric]
        np.testing.assert_allclose(scores["spliced", "direction", metric], clean, atol=1e-5)
        np.testing.assert_allclose(scores["noise", "direction", metric], clean, atol=1e-5)
    assert not np.allclose(
        scores["zeroed", "direction", "log_probability"],
        scores["clean", "direction", "log_probability"],
    )


def test_the_difference_is_paired_trial_by_trial(case):
    dictionary, latents, labels, readout = case
    scores = insertion_scores(dictionary, latents, labels, readout, 1, torch.Generator())
    rows = list(insertion_rows({}, with_difference(scores), np.zeros(40, int), ["a"], 500, seed=0))
    by = {(r["condition"], r["metric"]): r for r in rows}
    for metric in ("accuracy", "log_probability"):
        gap = by["spliced", metric]["value"] - by["clean", metric]["value"]
        row = by[DIFFERENCE, metric]
        assert row["value"] == pytest.approx(gap, abs=1e-6)
        assert row["ci_low"] <= row["value"] <= row["ci_high"]
        paired = scores["spliced", "direction", metric] - scores["clean", "direction", metric]
        assert row["ci_high"] - row["ci_low"] == pytest.approx(
            2 * 1.96 * paired.std() / np.sqrt(40), rel=0.25, abs=1e-3
        )


def test_sessions_are_told_alone_and_together(case):
    dictionary, latents, labels, readout = case
    scores = insertion_scores(dictionary, latents, labels, readout, 1, torch.Generator())
    session = np.repeat([0, 1], 20)
    rows = list(insertion_rows({}, with_difference(scores), session, ["a", "b"], 100, seed=0))
    assert {r["session"] for r in rows} == {"a", "b", "pooled"}
    assert {r["n"] for r in rows if r["session"] == "pooled"} == {40}
    assert set(rows[0]) <= set(COLUMNS["insertion"])


def test_folds_are_pooled_by_trial(case):
    dictionary, latents, labels, readout = case
    scores = insertion_scores(dictionary, latents, labels, readout, 1, torch.Generator())
    both = together([scores, scores])
    assert len(both["clean", "direction", "accuracy"]) == 80


def test_energy_density_and_activation_are_of_their_trials(case):
    from glassbox.dictionaries.activations import HookTrials
    from glassbox.dictionaries.metrics import reconstruct

    dictionary, latents, labels, _ = case
    part = np.repeat([0, 1, 2, 0], 10).astype(np.int8)
    held_out = np.arange(40) >= 30
    trials = HookTrials(latents, part, np.zeros(40), np.arange(40), np.zeros(40), held_out, labels)
    activity = activity_of(dictionary, trials, block=7)
    z = dictionary.encode(latents)
    np.testing.assert_allclose(activity.mean, z.mean(1).numpy(), atol=1e-6)
    np.testing.assert_allclose(
        activity.density, (z[:10] > 1e-3).double().mean((0, 1)).numpy(), atol=1e-7
    )
    norm = dictionary.W_dec.square().sum(1)
    expected = z[10:20].square().mean((0, 1)) * norm
    np.testing.assert_allclose(activity.energy, expected.numpy(), rtol=1e-4, atol=1e-7)
    scores = {
        (c, "direction", "log_probability"): np.full(4, v)
        for c, v in (("clean", -1.0), ("spliced", -1.2), ("zeroed", -2.0))
    }
    row = dictionary_row(
        {}, 0, reconstruct(dictionary, latents.flatten(0, 1)), 0.25, scores, epochs=3.0
    )
    assert row["loss_recovered"] == pytest.approx(0.8)
    assert row["loss_recovered_mean"] is None
    np.testing.assert_allclose(activity.session_density[0], activity.density, atol=1e-6)
    assert row["dead_fraction"] == 0.25


def test_latents_at_their_mean_are_the_other_denominator_of_loss_recovered(case):
    dictionary, latents, labels, readout = case
    mean = latents[:20].mean(0)
    scores = insertion_scores(dictionary, latents, labels, readout, 1, torch.Generator(), mean)
    log_probability = scores["averaged", "direction", "log_probability"]
    expected = readout(mean[None])["direction"].log_softmax(-1)[0]
    np.testing.assert_allclose(log_probability, expected[labels["direction"]], rtol=1e-5)
    assert not any(key[0] == "averaged" for key in with_difference(scores))

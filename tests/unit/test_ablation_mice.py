"""Laws of reading genotype on held-out mice before and after an ablation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from glassbox.dictionaries.activations import HookTrials
from glassbox.dictionaries.topk import TopKDictionary
from glassbox.interventions.ablation import CleanPass, ablated, as_mask
from glassbox.interventions.folds_of_mice import Folds
from glassbox.interventions.genotype import rank_with_genotype
from glassbox.interventions.mice import HeldOutFold, standardised_difference
from glassbox.interventions.probe import columns_of
from glassbox.interventions.ranking import Ranked
from glassbox.interventions.runs import Run
from scipy.stats import ttest_ind

SESSIONS = tuple(
    {"session": f"s{i}", "mouse": f"m{i}", "cre_line": "AB"[i % 2], "held_out": i >= 6}
    for i in range(8)
)


@pytest.fixture(scope="module")
def fold():
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(160, 3, 8, generator=generator)
    dictionary = TopKDictionary(8, 20, k=3)
    dictionary.initialise(latents.flatten(0, 1), generator)
    dictionary = dictionary.fold(torch.zeros(8), 1.3).requires_grad_(False)
    session = np.repeat(np.arange(8), 20)
    trials = HookTrials(
        latents,
        np.tile(np.repeat([0, 1, 2, -1], 5), 8).astype(np.int8),
        session,
        np.arange(160),
        np.zeros(160, dtype=np.int32),
        session >= 6,
        {"direction": np.zeros(160, dtype=np.int64)},
    )
    z = dictionary.encode(latents)
    selection = (trials.part == 1) & ~trials.held_out
    run = Run(
        0,
        0,
        trials,
        dictionary,
        None,
        z.square().mean((0, 1)).numpy().astype(float),
        (z > 1e-3).double().mean((0, 1)).numpy(),
        z[selection].mean(0),
        z.mean(1).numpy(),
    )
    return HeldOutFold.of(run, SESSIONS)


def test_training_mice_are_read_on_selection_trials_and_held_out_ones_on_test_trials(fold):
    assert fold.training_mice == tuple(f"m{i}" for i in range(6))
    assert fold.held_out_mice == ("m6", "m7")
    latents, part = fold.run.trials.latents.mean(1).numpy(), fold.run.trials.part
    np.testing.assert_allclose(fold.training.latent, latents[:120][part[:120] == 1], atol=1e-6)
    np.testing.assert_allclose(fold.held_out.latent, latents[120:][part[120:] == 2], atol=1e-6)
    assert set(fold.test.session_index) == {6, 7} and set(fold.test.part) == {2}


@pytest.mark.parametrize("ablation", ["zero", "mean"])
@pytest.mark.parametrize("intervention", ["spliced", "error_preserving"])
def test_the_mean_over_latents_of_an_ablation_is_the_ablation_of_the_mean(
    fold, intervention, ablation
):
    units = np.array([1, 4, 7])
    test = fold.test
    clean = CleanPass.of(fold.run.dictionary, test.latents, fold.run.mean)
    base = clean.latents if intervention == "error_preserving" else clean.reconstruction()
    after = ablated(clean, base, as_mask(units[None], 20), ablation)[:, :, 0].mean(1)
    found = fold.ablated(fold.held_out, units, intervention, ablation)
    np.testing.assert_allclose(found, after.numpy(), atol=1e-5)


@pytest.mark.parametrize("ablation", ["zero", "mean"])
@pytest.mark.parametrize("intervention", ["spliced", "error_preserving"])
def test_a_frozen_probe_reads_the_mean_ablated_latent_of_each_mouse(fold, intervention, ablation):
    labels = columns_of([i % 2 for i in range(6)], 2)
    weights, offset = fold.probe().weights(labels)
    sets = np.array([[1, 4, 7], [2, 3, 19]])
    scores = fold.frozen_scores(weights, offset, sets, intervention, ablation)
    means = [
        np.mean([m.latent[m.mouse == i].mean(0) for i in range(m.n_mice)], axis=0)
        for m in (fold.training, fold.held_out)
    ]
    for place, units in enumerate(sets):
        changed = fold.ablated(fold.held_out, units, intervention, ablation)
        for mouse in range(2):
            mean = changed[fold.held_out.mouse == mouse].mean(0)
            moved = mean - means[1] + means[0]
            np.testing.assert_allclose(scores[place, mouse], moved @ weights + offset, atol=1e-8)


def test_what_all_held_out_mice_share_tells_no_line(fold):
    """Their vectors were fitted to a body that never saw them, whatever their lines."""
    shifted = replace(fold, held_out=replace(fold.held_out, latent=fold.held_out.latent + 3.0))
    labels = columns_of([i % 2 for i in range(6)], 2)
    np.testing.assert_allclose(
        shifted.probe().scores(labels[None]), fold.probe().scores(labels[None]), atol=1e-9
    )
    sets = np.array([[1, 4, 7]])
    weights, offset = fold.probe().weights(labels)
    reads = [
        (
            f.frozen_scores(weights, offset, sets, "error_preserving", "zero"),
            f.retrained_scores(sets[0], labels, "error_preserving", "zero"),
        )
        for f in (fold, shifted)
    ]
    for here, there in zip(*reads, strict=True):
        np.testing.assert_allclose(here, there, atol=1e-9)


def test_without_ablation_frozen_and_retrained_probe_read_the_same(fold):
    labels = columns_of([i % 2 for i in range(6)], 2)
    weights, offset = fold.probe().weights(labels)
    none = np.zeros((1, 0), dtype=np.int64)
    frozen = fold.frozen_scores(weights, offset, none, "error_preserving", "zero")[0]
    retrained = fold.retrained_scores(none[0], labels, "error_preserving", "zero")
    np.testing.assert_allclose(retrained, frozen, atol=1e-9)


def test_the_standardised_difference_of_two_lines_is_the_t_statistic():
    rng = np.random.default_rng(0)
    values, lines = rng.normal(size=(9, 5)), np.array([0, 1, 0, 1, 0, 1, 0, 1, 1])
    t = ttest_ind(values[lines == 0], values[lines == 1]).statistic
    np.testing.assert_allclose(standardised_difference(values, lines), np.abs(t))
    assert standardised_difference(np.ones((9, 1)), lines)[0] == 0


def test_genotype_units_are_ranked_by_training_mice_alone(fold):
    folds = Folds([fold], [0], list(SESSIONS))
    ranked = Ranked({}, {}, np.arange(20))
    rng = np.random.default_rng(0)
    order = rank_with_genotype(fold.run, fold, folds, ranked, rng).target["genotype"]
    means = np.stack([fold.training.activation[fold.training.mouse == m].mean(0) for m in range(6)])
    apart = standardised_difference(means, np.arange(6) % 2)
    assert order[0] == np.argmax(np.where(fold.run.alive, apart, -1))
    assert (np.diff(apart[order]) <= 0).all()


def test_every_mouse_is_read_where_it_is_held_out(fold):
    folds = Folds([fold, fold], [0, 0], list(SESSIONS))
    assert folds.mice == ["m6", "m7"] and folds.lines.tolist() == [0, 1]
    first, second = np.ones((2, 2)), 3 * np.ones((2, 2))
    np.testing.assert_array_equal(folds.gathered([first, second]), 2 * np.ones((2, 2)))

"""What dictionaries learn of activations whose atoms are known, and how directions are matched."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from glassbox.dictionaries.agreement import (
    SAME,
    activation_agreement,
    agreement,
    coherence,
    random_agreement,
)
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.dictionaries.train import train_dictionary
from planted import KINDS, plant


def learned(architecture, data, samples, **options):
    wanted = DictionaryOptions(
        architecture=architecture, width=128, k=6, samples=samples, learning_rate=5e-3, **options
    )
    return train_dictionary(data.x, data.x[:2000], wanted, 0).dictionary


@pytest.mark.parametrize("kind", KINDS)
def test_about_as_many_atoms_are_present_as_wanted(kind):
    data = plant(kind, 4000)
    atoms = plant(kind, 4000, noise=0).atoms
    assert data.x.shape == (4000, 64) and atoms.shape == (128, 64)
    # Sizes have mean 1 and mean square 13/12; atoms are almost orthogonal.
    if kind != "offset":
        energy = float(data.x.square().sum(1).mean()) / (13 / 12)
        assert energy == pytest.approx(6, rel=0.2)
    assert torch.equal(data.x, plant(kind, 4000).x)
    assert not torch.equal(data.x, plant(kind, 4000, seed=1).x)


def test_children_come_with_their_parent_alone():
    data = plant("hierarchical", 3000, dim=256, noise=0)
    size = data.x @ torch.linalg.pinv(data.atoms)  # more dimensions than atoms: sizes are read off
    present = size.view(-1, 32, 4) > 0.25
    assert bool(present[:, :, 0][present[:, :, 1:].any(2)].all())
    assert present[:, :, 1:].any()


def test_the_best_architecture_finds_the_atoms_of_many_samples():
    data = plant("superposition", 100_000)
    dictionary = learned("matching_pursuit", data, 500_000)
    assert agreement(data.atoms, dictionary.W_dec).matched_cosine >= 0.9


def test_the_default_architecture_finds_the_atoms_of_few_samples():
    data = plant("superposition", 2000)
    dictionary = learned("topk", data, 150_000, batch=256)
    assert agreement(data.atoms, dictionary.W_dec).matched_cosine >= 0.75


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "better", "worse"),
    [
        ("hierarchical", "matching_pursuit", "topk"),
        ("correlated", "matching_pursuit", "topk"),
        ("unequal", "topk", "matching_pursuit"),
    ],
)
def test_architectures_are_told_apart_by_the_atoms_that_they_find(kind, better, worse):
    data = plant(kind, 100_000)
    found = {
        name: agreement(data.atoms, learned(name, data, 600_000).W_dec).matched_cosine
        for name in (better, worse)
    }
    assert found[better] > found[worse] + 0.03


def test_an_offset_ends_in_the_bias_and_not_in_the_units():
    data = plant("offset", 20_000)
    dictionary = learned("topk", data, 150_000)
    offset = data.x.mean(0)
    bias = dictionary.b_dec
    assert float(torch.cosine_similarity(bias, offset, dim=0)) > 0.98


def test_matching_finds_a_permutation_again_and_a_flipped_direction_is_another():
    rows = torch.randn(20, 8, generator=torch.Generator().manual_seed(0))
    shuffled = 3 * rows[torch.randperm(20, generator=torch.Generator().manual_seed(1))]
    assert agreement(rows, shuffled) == pytest.approx((1.0, 1.0))
    assert agreement(rows, -shuffled).matched_cosine < SAME


def test_each_direction_is_matched_once():
    one = torch.eye(4)
    same = torch.eye(4)[[0, 0, 0, 0]]
    assert agreement(one, same).matched_cosine == pytest.approx(0.25)
    assert agreement(one, same).recall == pytest.approx(0.25)


def test_random_directions_agree_little_in_many_dimensions_and_more_in_few():
    assert 0 < random_agreement(64, 64, 64, 0).matched_cosine < 0.35
    assert random_agreement(64, 64, 3, 0).matched_cosine > 0.8


def test_coherence_is_one_for_a_unit_that_stands_twice_and_none_for_an_orthogonal_set():
    assert coherence(torch.eye(5)) == (0.0, 0.0)
    assert coherence(torch.eye(5)[[0, 0, 1]])[1] == pytest.approx(1.0)


def test_units_that_do_the_same_match_whatever_their_order_size_and_sign_of_trials():
    activations = np.random.default_rng(0).exponential(size=(200, 12))
    order = np.random.default_rng(1).permutation(12)
    other = 3 * activations[:, order] + 1
    assert activation_agreement(activations, other) == pytest.approx((1.0, 1.0))
    by_chance = activation_agreement(activations, other, shuffled=0)
    assert 0 < by_chance.matched_cosine < 0.3 and by_chance.recall == 0


def test_units_that_never_change_match_nothing():
    activations = np.random.default_rng(0).exponential(size=(50, 4))
    silent = np.concatenate([activations, np.zeros((50, 3))], axis=1)
    assert activation_agreement(silent, silent).recall == 1
    assert np.isnan(activation_agreement(np.zeros((50, 3)), activations).matched_cosine)

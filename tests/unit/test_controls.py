"""Laws of matched random sets."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from glassbox.interventions.controls import TOLERANCE, _wandering_chains, is_matched, matched_sets


def population(n=300, seed=0):
    rng = np.random.default_rng(seed)
    energy = np.exp(1.5 * rng.normal(size=n))
    density = np.clip(0.05 * np.exp(0.7 * rng.normal(size=n)), 0.001, 1)
    alive = rng.random(n) < 0.9
    return energy, density, alive


@pytest.mark.parametrize("size", [3, 4, 16, 64, 90])
def test_sets_are_matched_distinct_alive_and_without_the_selected(size):
    energy, density, alive = population()
    rng = np.random.default_rng(1)
    selected = rng.permutation(np.flatnonzero(alive))[:size]
    sets = matched_sets(energy, density, selected, alive, 200, rng)
    assert sets.shape == (200, size)
    ratio = energy[sets].sum(1) / energy[selected].sum()
    assert np.abs(ratio - 1).max() <= TOLERANCE
    assert np.abs(density[sets].mean(1) / density[selected].mean() - 1).max() <= TOLERANCE
    assert len(np.unique(sets, axis=0)) == 200
    assert all(len(set(units)) == size for units in sets)
    assert not np.isin(sets, selected).any()
    assert alive[sets].all()


def test_the_tolerance_is_five_percent():
    assert TOLERANCE == 0.05
    assert is_matched(np.array([1.049, 1.051]), np.ones(2), 1.0, 1.0).tolist() == [True, False]
    assert is_matched(np.ones(2), np.array([0.951, 0.949]), 1.0, 1.0).tolist() == [True, False]


def test_where_no_match_exists_there_is_none():
    energy, density, alive = population()
    top = np.argsort(-energy * alive)[:20]
    energy[top] *= 100
    assert len(matched_sets(energy, density, top, alive, 200, np.random.default_rng(0))) == 0


def test_where_few_exist_all_of_them_are_found_and_no_more():
    energy, density, alive = population(n=40)
    selected = np.flatnonzero(alive)[:2]
    sets = matched_sets(energy, density, selected, alive, 10_000, np.random.default_rng(0))
    pool = np.setdiff1d(np.flatnonzero(alive), selected)
    pairs = [(a, b) for i, a in enumerate(pool) for b in pool[i + 1 :]]
    goal = energy[selected].sum(), density[selected].mean()
    expected = [
        pair
        for pair in pairs
        if is_matched(energy[list(pair)].sum(), density[list(pair)].mean(), *goal)
    ]
    assert sets.tolist() == [list(pair) for pair in expected]


def test_chains_reach_the_matched_sets_evenly():
    rng = np.random.default_rng(0)
    energy, density = np.ones(60), np.full(60, 0.1)
    sets = matched_sets(energy, density, np.arange(10), np.ones(60, bool), 2000, rng)
    counts = np.bincount(sets.ravel(), minlength=60)[10:]
    expected = 2000 * 10 / 50
    assert len(sets) == 2000
    assert np.abs(counts - expected).max() < 6 * np.sqrt(expected)


def test_chains_take_every_matched_set_about_equally_often():
    rng = np.random.default_rng(0)
    energy = np.array([1.0, 1.02, 0.98, 1.01, 0.99, 1.0, 3.0, 0.2, 5.0, 0.5])
    density = np.full(10, 0.1)
    drawn = np.sort(_wandering_chains(energy, density, 3, (3.0, 0.1), 4000, rng), axis=1)
    found, counts = np.unique(drawn, axis=0, return_counts=True)
    expected = [
        units
        for units in combinations(range(10), 3)
        if abs(energy[list(units)].sum() / 3.0 - 1) <= TOLERANCE
    ]
    assert len(drawn) > 3900
    assert found.tolist() == [list(units) for units in expected]
    even = len(drawn) / len(expected)
    assert np.abs(counts - even).max() < 5 * np.sqrt(even)


def test_the_same_seed_gives_the_same_sets():
    energy, density, alive = population()
    selected = np.flatnonzero(alive)[:16]
    first, again, other = (
        matched_sets(energy, density, selected, alive, 200, np.random.default_rng(seed))
        for seed in (3, 3, 4)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_pool_smaller_than_the_set_has_no_match():
    energy, density, alive = np.ones(10), np.ones(10), np.ones(10, bool)
    sets = matched_sets(energy, density, np.arange(6), alive, 200, np.random.default_rng(0))
    assert sets.shape == (0, 6)

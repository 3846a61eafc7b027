"""Laws of the permutation test and of the variance explained."""

from itertools import permutations

import numpy as np
import pytest
from glassbox.statistics import benjamini_hochberg
from glassbox.units.groups import group_codes
from glassbox.units.options import UnitOptions
from glassbox.units.permutation import permutation_test
from glassbox.units.trials import claim_trials
from glassbox.units.variance import explained_variance


def test_p_is_uniform_where_the_label_says_nothing():
    rng = np.random.default_rng(0)
    strata = np.repeat([0, 1, 2], 24)
    label = rng.integers(8, size=72)
    activation = np.maximum(rng.normal(size=(72, 4000)), 0) ** 2  # sparse and skewed
    p = permutation_test(activation, label, strata, 499, seed=1)
    for level in (0.01, 0.05, 0.2, 0.5, 0.8):
        spread = 4 * np.sqrt(level * (1 - level) / 4000)
        assert abs((p <= level).mean() - level) < spread


def test_p_equals_that_of_all_permutations_written_out():
    rng = np.random.default_rng(3)
    activation = rng.gamma(1.0, 1.0, size=(7, 5))
    label = np.array([0, 0, 1, 1, 0, 1, 2])
    strata = np.array([0, 0, 0, 0, 1, 1, 1])
    centred = activation - np.stack([activation[strata == s].mean(axis=0) for s in strata])

    def statistic(labels):
        return sum(
            centred[labels == c].sum(axis=0) ** 2 / (labels == c).sum() for c in np.unique(labels)
        )

    observed = statistic(label)
    null = np.array(
        [
            statistic(np.concatenate([first, second]))
            for first in permutations(label[:4])
            for second in permutations(label[4:])
        ]
    )
    exact = (null >= observed * (1 - 1e-9)).mean(axis=0)
    p = permutation_test(activation, label, strata, 20_000, seed=0)
    assert np.allclose(p, exact, atol=4 * 0.5 / np.sqrt(20_000))


def test_an_offset_of_a_session_or_block_changes_no_p():
    rng = np.random.default_rng(1)
    session, block = np.repeat([0, 1], 60), np.tile(np.repeat([0, 1], 30), 2)
    label = rng.integers(5, size=120)
    activation = rng.normal(size=(120, 30)) + 0.5 * (label == 2)[:, None]
    strata = group_codes(session, block)
    offset = rng.normal(scale=20.0, size=(4, 30))[strata]
    plain = permutation_test(activation, label, strata, 999, seed=2)
    shifted = permutation_test(activation + offset, label, strata, 999, seed=2)
    assert np.array_equal(plain, shifted)
    before = explained_variance(activation, label, strata)
    after = explained_variance(activation + offset, label, strata)
    assert np.allclose(before.eta2, after.eta2) and np.allclose(before.omega2, after.omega2)


def test_labels_are_exchanged_within_a_stratum_only():
    # The label is constant in each stratum: no permutation changes anything, so p is 1.
    rng = np.random.default_rng(2)
    strata = np.repeat([0, 1], 20)
    activation = rng.normal(size=(40, 3)) + 10.0 * strata[:, None]
    assert permutation_test(activation, strata.copy(), strata, 200, seed=0).tolist() == [1, 1, 1]


def test_a_unit_that_never_varies_has_p_one_and_explains_nothing():
    label = np.tile([0, 1], 20)
    activation = np.stack([np.zeros(40), np.full(40, 0.1)], axis=1).astype(np.float32)
    strata = np.zeros(40, dtype=int)
    assert permutation_test(activation, label, strata, 99, seed=0).tolist() == [1.0, 1.0]
    explained = explained_variance(activation, label, strata)
    assert explained.eta2.tolist() == [0.0, 0.0] and explained.omega2.tolist() == [0.0, 0.0]
    assert explained.p_minimum.tolist() == [1.0, 1.0]


def test_the_scale_of_a_unit_changes_no_p():
    rng = np.random.default_rng(5)
    label, strata = rng.integers(3, size=60), np.repeat([0, 1], 30)
    activation = rng.normal(size=(60, 10)) + label[:, None]
    tiny = permutation_test(activation * 1e-4, label, strata, 300, seed=0)
    assert np.array_equal(tiny, permutation_test(activation, label, strata, 300, seed=0))


def test_same_seed_same_p():
    rng = np.random.default_rng(6)
    label, activation = rng.integers(3, size=60), rng.normal(size=(60, 10))
    strata = np.zeros(60, dtype=int)
    first = permutation_test(activation, label, strata, 300, seed=4)
    assert np.array_equal(first, permutation_test(activation, label, strata, 300, seed=4))


def test_explained_variance_equals_a_one_way_table_worked_out_by_hand():
    # classes (0, 2) and (4, 6): total 20, between 16, within 4 with 2 degrees of freedom
    activation = np.array([[0.0], [2.0], [4.0], [6.0]])
    explained = explained_variance(activation, np.array([0, 0, 1, 1]), np.zeros(4, dtype=int))
    assert explained.eta2[0] == pytest.approx(16 / 20)
    assert explained.omega2[0] == pytest.approx((16 - 2) / (20 + 2))


def test_omega_squared_has_no_bias_where_eta_squared_has():
    rng = np.random.default_rng(7)
    label = rng.integers(8, size=100)
    explained = explained_variance(rng.normal(size=(100, 5000)), label, np.zeros(100, dtype=int))
    assert explained.eta2.mean() == pytest.approx(7 / 99, abs=0.003)
    assert explained.omega2.mean() == pytest.approx(0.0, abs=0.003)


def test_the_effect_of_another_variable_is_not_taken_for_that_of_the_label():
    rng = np.random.default_rng(8)
    other = rng.integers(4, size=200)
    label = np.where(rng.random(200) < 0.7, other, rng.integers(4, size=200))  # associated
    activation = 3.0 * (other == 1)[:, None] + rng.normal(size=(200, 200))
    none = np.zeros(200, dtype=int)
    naive = explained_variance(activation, label, none).omega2
    adjusted = explained_variance(activation, label, none, (other,)).omega2
    assert naive.mean() > 0.1
    assert adjusted.mean() == pytest.approx(0.0, abs=0.01)
    p = permutation_test(activation, label, group_codes(none, other), 199, seed=0)
    assert (p <= 0.05).mean() < 0.12


def test_the_minimum_effect_test_has_its_level_at_the_minimum():
    rng = np.random.default_rng(9)
    label = np.tile(np.arange(5), 40)
    noise = rng.normal(size=(200, 20_000))
    shape = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])[label][:, None]
    size = np.sqrt(0.05 / 0.95 / (shape**2).mean())
    p = explained_variance(noise + size * shape, label, np.zeros(200, dtype=int)).p_minimum
    assert (p <= 0.05).mean() == pytest.approx(0.05, abs=0.01)


def test_false_discoveries_of_any_effect_stay_below_q():
    rng = np.random.default_rng(10)
    options = UnitOptions(permutations=1999, min_effect=1e-6)
    session, block = np.zeros(120, dtype=int), np.repeat([0, 1], 60)
    shares = []
    for _ in range(12):
        label, other = rng.integers(8, size=120), rng.integers(5, size=120)
        activation = rng.gamma(1.0, 1.0, size=(120, 100))
        activation[:, :30] += 2.0 * (label == 3)[:, None]
        found = claim_trials(activation, label, session, block, (other,), options).selective
        assert found[:30].mean() > 0.8
        shares.append(found[30:].sum() / max(found.sum(), 1))
    assert np.mean(shares) < 0.08


def test_a_unit_below_the_minimum_effect_is_not_selective_however_small_its_p():
    rng = np.random.default_rng(11)
    label, zero = np.tile(np.arange(4), 2000), np.zeros(8000, dtype=int)
    activation = rng.normal(size=(8000, 1)) + 0.2 * (label == 1)[:, None]
    for claim in ("estimate", "lower_bound"):
        options = UnitOptions(permutations=999, claim=claim)
        test = claim_trials(activation, label, zero, zero, (), options)
        assert test.q[0] < 0.01 and not test.selective[0]


def test_benjamini_hochberg_equals_the_procedure_worked_out_by_hand():
    q = benjamini_hochberg(np.array([0.04, 0.01, np.nan, 0.03, 0.5]))
    assert q[[0, 1, 3, 4]] == pytest.approx([0.16 / 3, 0.04, 0.16 / 3, 0.5])
    assert np.isnan(q[2])


def test_p_is_never_below_one_in_the_permutations_and_the_truth():
    label = np.tile(np.arange(4), 50)
    strata = np.zeros(200, dtype=int)
    assert permutation_test(1.0 * label[:, None], label, strata, 199, seed=0)[0] == 1 / 200


def test_eta_squared_is_what_the_label_adds_to_the_regression_on_all_else():
    rng = np.random.default_rng(12)
    strata, other = np.repeat([0, 1], 60), rng.integers(3, size=120)
    label = np.where(rng.random(120) < 0.5, other, rng.integers(3, size=120))
    activation = rng.normal(size=(120, 4)) + label[:, None] + 2.0 * (other == 1)[:, None]

    def residual(*factors):
        design = np.concatenate([np.eye(3)[f] for f in factors], axis=1)
        fit = np.linalg.lstsq(design, activation, rcond=None)[0]
        return ((activation - design @ fit) ** 2).sum(axis=0)

    without, full = residual(strata, other), residual(strata, other, label)
    expected = (without - full) / residual(strata)
    explained = explained_variance(activation, label, strata, (other,))
    assert np.allclose(explained.eta2, expected)
    within = full / (120 - 2 - 2 - 2)
    omega2 = (without - full - 2 * within) / (residual(strata) + within)
    assert np.allclose(explained.omega2, omega2)


def test_a_unit_tuned_to_one_variable_is_not_detected_for_another_associated_with_it():
    rng = np.random.default_rng(13)
    other, zero = rng.integers(4, size=240), np.zeros(240, dtype=int)
    label = np.where(rng.random(240) < 0.6, other, rng.integers(4, size=240))
    activation = 3.0 * (other == 1)[:, None] + rng.normal(size=(240, 100))
    test = claim_trials(activation, label, zero, zero, (other,), UnitOptions(permutations=999))
    assert (test.p <= 0.05).mean() < 0.15

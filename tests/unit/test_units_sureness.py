"""Laws of errors and intervals of shares, of claims by probability, and of partners in seeds."""

import numpy as np
import pytest
from glassbox.units.intervals import share_interval
from glassbox.units.partners import partner_correlations
from glassbox.units.posterior import claimed, probability_below
from glassbox.units.variance import explained_variance, variance_of_share

N = 600


def drawn(rng, shares, n=N, classes=8):
    """Units of which a label explains these shares, (n, units), and the label."""
    label = rng.integers(0, classes, n)
    pattern = rng.standard_normal((classes, len(shares)))
    pattern -= pattern.mean(axis=0)
    pattern /= pattern.std(axis=0)
    noise = rng.standard_normal((n, len(shares)))
    return np.sqrt(shares) * pattern[label] + np.sqrt(1 - shares) * noise, label


def test_the_error_of_a_share_is_its_spread_over_repetitions():
    shares = np.array([0.02, 0.1, 0.4])
    found = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        values, label = drawn(rng, shares)
        found.append(explained_variance(values, label, np.zeros(N, int)))
    spread = np.std([f.omega2 for f in found], axis=0)
    error = np.mean([f.error for f in found], axis=0)
    usual = np.sqrt(variance_of_share(shares, 7, N))
    # classes are drawn anew each time, which spreads the shares a little more
    assert error == pytest.approx(spread, rel=0.35)
    assert usual == pytest.approx(spread, rel=0.35)


def test_an_interval_covers_the_share_about_as_often_as_it_says():
    shares = np.full(200, 0.1)
    rng = np.random.default_rng(0)
    values, label = drawn(rng, shares)
    found = explained_variance(values, label, np.zeros(N, int)).omega2
    low, high = share_interval(values, label, np.zeros(N, int), found, 199, seed=0)
    assert 0.88 <= ((low <= 0.1) & (high >= 0.1)).mean() <= 1.0
    assert ((high - low) < 0.15).all()


def test_claims_by_probability_keep_the_share_of_false_ones_and_find_more_than_a_lower_bound():
    minimum, false, found, bounded, true = 0.05, 0, 0, 0, 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        shares = rng.beta(0.5, 4.0, 400)
        values, label = drawn(rng, shares)
        explained = explained_variance(values, label, np.zeros(N, int), minimum=minimum)
        chosen = claimed(probability_below(explained, minimum), 0.05)
        large = shares > minimum
        false += (chosen & ~large).sum()
        found += (chosen & large).sum()
        bounded += ((explained.p_minimum < 0.05) & large).sum()
        true += large.sum()
    assert false / (false + found) <= 0.06
    assert found > 1.1 * bounded
    assert found / true > 0.8


def measured(rng, shares, n=N):
    values, label = drawn(rng, shares, n)
    return explained_variance(values, label, np.zeros(n, int))


def test_training_trials_that_overstate_find_more_and_claim_no_more_falsely():
    minimum = 0.05
    counts = {"without": np.zeros(2), "with": np.zeros(2)}
    true = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        shares = rng.beta(0.5, 4.0, 400)
        found = measured(rng, shares)
        overstated = np.clip(1.3 * shares + 0.02 + 0.01 * rng.random(400), 0, 0.99)
        trained = measured(rng, overstated, 3 * N)
        true += (shares > minimum).sum()
        for name, given in (("without", ()), ("with", (trained,))):
            chosen = claimed(probability_below(found, minimum, *given), 0.05)
            counts[name] += (
                (chosen & (shares > minimum)).sum(),
                (chosen & (shares <= minimum)).sum(),
            )
    for right, wrong in counts.values():
        assert wrong / (right + wrong) <= 0.06
    assert counts["with"][0] > counts["without"][0] + 0.02 * true


def test_what_training_trials_alone_show_is_not_believed():
    rng = np.random.default_rng(0)
    found = measured(rng, np.full(300, 0.01))
    trained = measured(rng, rng.uniform(0.01, 0.5, 300), 3 * N)
    assert not claimed(probability_below(found, 0.05, trained), 0.05).any()


def test_of_few_units_training_trials_say_nothing():
    rng = np.random.default_rng(0)
    shares = np.full(20, 0.06)
    found, trained = measured(rng, shares), measured(rng, shares, 3 * N)
    np.testing.assert_array_equal(
        probability_below(found, 0.05, trained), probability_below(found, 0.05)
    )


def test_the_claimed_are_the_largest_set_with_so_few_expected_false_ones():
    probability = np.array([0.9, 0.0, 0.1, 0.06, 0.02])
    assert np.flatnonzero(claimed(probability, 0.05)).tolist() == [1, 2, 3, 4]
    assert np.flatnonzero(claimed(probability, 0.03)).tolist() == [1, 3, 4]


def test_a_unit_that_never_changes_is_not_claimed():
    rng = np.random.default_rng(0)
    values, label = drawn(rng, np.full(20, 0.5))
    values[:, 0] = 3.0
    found = explained_variance(values, label, np.zeros(N, int))
    probability = probability_below(found, 0.05)
    assert probability[0] == 1.0 and (probability[1:] < 0.01).all()


def test_units_of_another_seed_in_another_order_are_their_own_partners():
    rng = np.random.default_rng(0)
    one = rng.random((N, 10))
    other = np.concatenate([one[:, ::-1][:, :6], rng.random((N, 4))], axis=1)
    found = partner_correlations({0: one, 1: other}, np.zeros(N, int), seed=0)
    correlation, chance = found[0]
    assert correlation[4:] == pytest.approx(1.0)
    assert chance < 0.2 and (correlation[:4] < 0.2).all()


def test_a_unit_without_a_partner_has_no_correlation_and_one_seed_has_no_partners():
    rng = np.random.default_rng(0)
    one = rng.random((N, 5))
    found = partner_correlations({0: one, 1: one[:, :3]}, np.zeros(N, int), seed=0)
    assert found[0][0] == pytest.approx([1, 1, 1, 0, 0])
    assert partner_correlations({0: one}, np.zeros(N, int), seed=0) == {}

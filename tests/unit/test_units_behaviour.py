"""Laws of the test of units against what the animal does."""

import numpy as np
from glassbox.units.behaviour import behaviour_test
from scipy.signal import lfilter
from scipy.stats import spearmanr

N = 300


def slow(rng, *shape):
    """Series with a memory of some 20 trials, (N, ...)."""
    return lfilter([1.0], [1.0, -0.95], rng.standard_normal((N, *shape)), axis=0)


def test_slow_series_that_have_nothing_to_do_with_each_other_are_rarely_called_related():
    rng = np.random.default_rng(0)
    units, value, session = slow(rng, 200), slow(rng), np.zeros(N, dtype=int)
    p = behaviour_test(units, value, session, 999, 99, seed=0).p
    naive = np.array([spearmanr(value, unit).pvalue for unit in units.T])
    assert (p < 0.05).mean() < 0.1 < 0.4 < (naive < 0.05).mean()


def test_a_unit_that_follows_the_series_is_found_in_several_sessions():
    rng = np.random.default_rng(1)
    value = np.concatenate([slow(rng), slow(rng)])
    units = rng.standard_normal((2 * N, 3))
    units[:, 0] += value
    test = behaviour_test(units, value, np.repeat([0, 1], N), 999, 99, seed=0)
    assert test.q[0] < 0.01 and test.effect_size[0] > 0.3
    assert test.low[0] <= test.effect_size[0] <= test.high[0]
    assert (np.abs(test.effect_size[1:]) < 0.05).all()


def test_trials_on_which_the_series_is_unknown_do_not_count():
    rng = np.random.default_rng(2)
    value, units, session = slow(rng), rng.standard_normal((N, 2)), np.zeros(N, dtype=int)
    value[::3] = np.nan
    before = behaviour_test(units, value, session, 199, 99, seed=0)
    units[::3] = 100.0
    after = behaviour_test(units, value, session, 199, 99, seed=0)
    assert np.array_equal(before.p, after.p) and np.array_equal(before.share, after.share)


def test_an_animal_that_never_moves_tells_nothing():
    assert behaviour_test(np.ones((N, 2)), np.zeros(N), np.zeros(N, int), 99, 99, 0) is None

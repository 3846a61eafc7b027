"""Laws of ranks, areas under the ROC curve, information, and means of angles."""

import numpy as np
import pytest
from glassbox.units.information import mutual_information
from glassbox.units.ranks import average_ranks, preferred_auroc, rank_correlation
from glassbox.units.selectivity import circular_mean
from glassbox.units.variables import axial
from scipy.stats import rankdata, spearmanr

RNG = np.random.default_rng(0)
ONE = np.zeros(400, dtype=int)


def test_equal_values_share_the_mean_of_their_ranks():
    values = RNG.integers(0, 5, size=(30, 4))
    assert np.array_equal(average_ranks(values), rankdata(values, axis=0))


def test_the_rank_correlation_of_one_session_is_spearmans():
    value, activation = RNG.integers(0, 5, 400), RNG.gamma(1.0, size=(400, 3))
    activation[:, 1] += value
    expected = [spearmanr(value, column).statistic for column in activation.T]
    assert rank_correlation(activation, value, ONE) == pytest.approx(expected)


def test_what_differs_between_sessions_alone_is_no_correlation():
    session = np.repeat([0, 1], 200)
    value = session * 10 + RNG.random(400)
    activation = (session * 5 + RNG.random(400))[:, None]
    assert abs(rank_correlation(activation, value, session)[0]) < 0.2


def test_the_auroc_is_one_for_a_unit_that_its_class_alone_drives_and_half_for_none():
    label = RNG.integers(0, 8, 400)
    activation = RNG.random((400, 60))
    activation[:, 0] += 5.0 * (label == 3)
    found = preferred_auroc(activation, label, ONE)
    assert found[0] == 1.0
    # A class chosen on the trials that test it would have 0.57 here.
    assert found[1:].mean() == pytest.approx(0.5, abs=0.015)


def test_information_of_chance_is_nothing_on_average_and_of_a_code_all_its_bits():
    label = RNG.integers(0, 4, 400)
    activation = RNG.random((400, 200))
    activation[:, 0] = label
    found = mutual_information(activation, label)
    assert found[0] == pytest.approx(2.0, abs=0.02)
    plain = found[1:] + 9 / (2 * 400 * np.log(2))  # what the correction takes away
    assert abs(found[1:].mean()) < 0.003 < plain.mean()


def test_a_response_at_one_angle_alone_has_no_circular_variance_and_that_mean_angle():
    angles = np.arange(0, 360, 45.0)
    response = np.stack([np.eye(8)[3], np.ones(8), np.zeros(8)])
    variance, angle = circular_mean(response, angles, 360.0)
    assert variance[:2] == pytest.approx([0.0, 1.0])
    assert angle[0] == pytest.approx(135.0)
    assert np.isnan(variance[2]) and np.isnan(angle[2])


def test_the_mean_of_two_angles_on_both_sides_of_zero_lies_at_zero():
    variance, angle = circular_mean(np.array([[1.0, 1.0]]), np.array([30.0, 150.0]), 180.0)
    assert variance[0] == pytest.approx(0.5)
    assert min(angle[0], 180 - angle[0]) == pytest.approx(0.0, abs=1e-9)


def test_opposite_directions_are_one_orientation():
    orientations, label = axial((0.0, 90.0, 180.0, 270.0), np.arange(4))
    assert orientations == (0.0, 90.0)
    assert label.tolist() == [0, 1, 0, 1]

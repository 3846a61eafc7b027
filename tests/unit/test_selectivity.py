"""Laws of the selectivity indices and tuning curves."""

import numpy as np
import pytest
from glassbox.units.selectivity import direction_selectivity, orientation_selectivity, preferred
from glassbox.units.tuning import tuning_curves

DIRECTIONS = np.arange(0, 360, 45.0)


def test_orientation_selectivity_equals_the_value_worked_out_by_hand():
    # 4 at 0°, 2 at 180°, 2 at 90°, none elsewhere: |4 + 2 − 2| / 8 = 0.5
    response = np.array([[4.0, 0, 2, 0, 2, 0, 0, 0]])
    assert orientation_selectivity(response, DIRECTIONS)[0] == pytest.approx(0.5)
    # 1 at 0° and 1 at 45°: |1 + i| / 2
    response = np.array([[1.0, 1, 0, 0, 0, 0, 0, 0]])
    assert orientation_selectivity(response, DIRECTIONS)[0] == pytest.approx(np.sqrt(2) / 2)


def test_direction_selectivity_equals_the_value_worked_out_by_hand():
    response = np.array([[1.0, 0, 6, 0, 0, 0, 2, 0]])  # 6 at 90°, 2 at 270°: 4 / 8
    assert direction_selectivity(response, DIRECTIONS)[0] == pytest.approx(0.5)


def test_a_response_at_one_axis_alone_has_orientation_selectivity_one_and_no_direction():
    response = np.array([[0, 3.0, 0, 0, 0, 3.0, 0, 0]])
    assert orientation_selectivity(response, DIRECTIONS)[0] == pytest.approx(1.0)
    assert direction_selectivity(response, DIRECTIONS)[0] == pytest.approx(0.0)


def test_a_flat_response_has_no_selectivity():
    response = np.full((1, 8), 2.5)
    assert orientation_selectivity(response, DIRECTIONS)[0] == pytest.approx(0.0, abs=1e-12)
    assert direction_selectivity(response, DIRECTIONS)[0] == pytest.approx(0.0, abs=1e-12)


def test_turning_the_stimulus_turns_the_preference_and_leaves_the_indices_unchanged():
    rng = np.random.default_rng(0)
    response = rng.gamma(1.0, 1.0, size=(20, 8))
    turned = np.roll(response, 3, axis=1)
    assert np.allclose(
        orientation_selectivity(response, DIRECTIONS), orientation_selectivity(turned, DIRECTIONS)
    )
    assert np.allclose(
        direction_selectivity(response, DIRECTIONS), direction_selectivity(turned, DIRECTIONS)
    )
    assert np.array_equal((preferred(response) + 3) % 8, preferred(turned))


def test_a_silent_unit_has_no_index_and_no_preference():
    response = np.zeros((1, 8))
    assert np.isnan(orientation_selectivity(response, DIRECTIONS)[0])
    assert np.isnan(direction_selectivity(response, DIRECTIONS)[0])
    assert preferred(response)[0] == -1


def test_direction_selectivity_needs_the_opposite_direction():
    assert np.isnan(direction_selectivity(np.array([[1.0, 2.0]]), np.array([0.0, 45.0]))[0])


def test_a_tuning_curve_is_the_mean_and_its_standard_error_by_condition():
    label = np.array([0, 0, 2, 2, 2])
    activation = np.array([[1.0], [3.0], [2.0], [2.0], [5.0]])
    tuning = tuning_curves(activation, label, 3)
    assert tuning.response[0].tolist() == [2.0, pytest.approx(np.nan, nan_ok=True), 3.0]
    assert tuning.sem[0, 0] == pytest.approx(np.std([1, 3], ddof=1) / np.sqrt(2))
    assert tuning.sem[0, 2] == pytest.approx(np.std([2, 2, 5], ddof=1) / np.sqrt(3))
    assert tuning.n.tolist() == [2, 0, 3]

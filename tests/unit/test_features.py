"""Laws of what the baselines see of a trial."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from glassbox.decoders.features import bins_of, read_features, scaled

CELLS = 3


def recording(rate_hz, duration_s, onsets, frames, after_jump=()):
    """A session whose cell c has the dF/F of 1,000 c plus the number of the frame."""
    start = np.asarray(onsets)
    trials = SimpleNamespace(start=start, stop=start + round(duration_s * rate_hz))
    dff = np.arange(frames)[:, None] + 1000.0 * np.arange(CELLS)
    return SimpleNamespace(
        frame_rate_hz=rate_hz,
        n_frames=frames,
        n_cells=CELLS,
        after_jump=np.asarray(after_jump, dtype=np.int64),
        trials=lambda stimulus: trials,
        dff=lambda first, last: dff[first:last].astype(np.float32),
    )


def test_a_flashed_trial_is_its_frames_0_to_3_and_5_to_10_and_10_to_15():
    tensor = recording(30.0, 0.25, [40, 48, 55], 100)
    features = read_features(tensor, "static_gratings", np.array([1, 2]))
    assert set(features) == {"three_bins"}
    bins = [np.arange(0, 3).mean(), np.arange(5, 10).mean(), np.arange(10, 15).mean()]
    for row, onset in zip(features["three_bins"], (48, 55), strict=True):
        expected = [onset + b + 1000 * c for b in bins for c in range(CELLS)]
        assert np.allclose(row, expected)


def test_a_long_trial_is_its_mean_or_its_thirds_from_first_to_last_frame():
    tensor = recording(30.1, 60 / 30.1, [10, 100], 200)
    features = read_features(tensor, "drifting_gratings", np.array([0, 1]))
    assert np.allclose(features["mean"][:, 0], [10 + 29.5, 100 + 29.5])
    thirds = features["thirds"][1].reshape(3, CELLS)[:, 0]
    assert np.allclose(thirds, [100 + 9.5, 100 + 29.5, 100 + 49.5])


@pytest.mark.parametrize("rate_hz", [12.0, 30.1, 60.0])
def test_bins_mean_the_same_time_at_every_frame_rate(rate_hz):
    onset = 20
    tensor = recording(rate_hz, 0.25, [onset], 200)
    row = read_features(tensor, "natural_scenes", np.array([0]))["three_bins"][0]
    middles = (row.reshape(3, CELLS)[:, 0] + 0.5 - onset) / rate_hz
    assert np.allclose(
        middles, [np.mean(b) for b in bins_of(0.25)["three_bins"]], atol=0.5 / rate_hz
    )


def test_a_trial_that_leaves_the_recording_or_meets_a_jump_is_the_mean_of_training_trials():
    tensor = recording(30.0, 0.25, [10, 40, 60, 90], 100, after_jump=[65])
    features = read_features(tensor, "static_gratings", np.arange(4))
    assert np.isnan(features["three_bins"]).all(axis=1).tolist() == [False, False, True, True]
    z = scaled(features, np.array([True, True, False, False]))["three_bins"]
    assert np.isfinite(z).all() and (z[2:] == 0).all()


def test_features_are_scaled_on_training_trials_alone():
    rng = np.random.default_rng(0)
    values, train = rng.normal(3, 2, size=(50, 4)), np.arange(50) < 30
    z = scaled({"mean": values}, train)["mean"][train]
    assert np.allclose(z.mean(axis=0), 0) and np.allclose(z.std(axis=0), 1)
    values[~train] = 1e6
    assert np.array_equal(scaled({"mean": values}, train)["mean"][train], z)


def test_a_cell_that_never_changes_is_not_divided_by_zero():
    values = np.zeros((10, 2))
    assert np.array_equal(scaled({"mean": values}, np.arange(10) < 5)["mean"], values)

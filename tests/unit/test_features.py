"""Laws of what the baselines see of a trial."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from glassbox.decoders.features import TrialFrames, inputs_of, read_frames

CELLS = 3
WIDE = (-1e9, 1e9)


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


def frames_in(weights):
    """By input, the first and last frame that it adds, then those that it takes away."""
    found = []
    for row in weights:
        parts = [np.flatnonzero(row > 0), np.flatnonzero(row < 0)]
        found.append(tuple(int(end) for part in parts if len(part) for end in part[[0, -1]]))
    return found


def test_a_flashed_trial_is_its_frames_0_to_3_and_5_to_10_and_10_to_15():
    read = read_frames(recording(30.0, 0.25, [40, 48, 55], 100), "static_gratings", np.array([1]))
    assert {name: frames_in(weights) for name, weights in read.weights.items()} == {
        "three_bins": [(3, 5), (8, 12), (13, 17)],
        "rise": [(9, 17, 0, 5)],
    }
    assert np.array_equal(read.frames[0, 0], 45 + np.arange(18))  # from 3 frames before the onset
    assert np.array_equal(read.frames[0, 2], 2045 + np.arange(18))


def test_a_long_trial_is_its_mean_or_its_thirds_from_first_to_last_frame():
    tensor = recording(30.1, 60 / 30.1, [10, 100], 200)
    read = read_frames(tensor, "drifting_gratings", np.array([0, 1]))
    assert {name: frames_in(weights) for name, weights in read.weights.items()} == {
        "mean": [(0, 59)],
        "thirds": [(0, 19), (20, 39), (40, 59)],
    }
    assert np.array_equal(read.frames[:, 0, 0], [10, 100])


@pytest.mark.parametrize("rate_hz", [12.0, 30.1, 60.0])
def test_bins_mean_the_same_time_at_every_frame_rate(rate_hz):
    read = read_frames(recording(rate_hz, 0.25, [20], 200), "natural_scenes", np.array([0]))
    frames = frames_in(read.weights["three_bins"])
    onset = 20 - read.frames[0, 0, 0]
    middles = [((first + last + 1) / 2 - onset) / rate_hz for first, last in frames]
    expected = [np.mean(edges) for edges in inputs_of(0.25)["three_bins"]]
    assert np.allclose(middles, expected, atol=0.5 / rate_hz)


def test_features_are_bins_of_frames_scaled_by_the_frames_of_training_trials():
    read = read_frames(recording(30.0, 0.25, [10, 40, 60], 100), "x", np.arange(3))
    train = np.array([True, True, False])
    row = read.features(train, WIDE)["three_bins"].reshape(3, 3, CELLS)[2]
    seen = read.frames[:2]
    for cell in range(CELLS):
        mean, deviation = seen[:, cell].mean(), seen[:, cell].std()
        expected = [60 + 1000 * cell + middle for middle in (1, 7, 12)]
        assert np.allclose(row[:, cell], (np.array(expected) - mean) / deviation, atol=1e-4)


def test_the_rise_is_the_answer_less_what_was_there_at_the_onset():
    read = read_frames(recording(30.0, 0.25, [10, 40, 60], 100), "x", np.arange(3))
    inputs = read.features(np.array([True, True, False]), WIDE)["rise"]
    deviation = read.frames[:2].std(axis=(0, 2))
    assert np.allclose(inputs, (10 - -0.5) / deviation, atol=1e-4)


def test_a_trial_that_leaves_the_recording_or_meets_a_jump_is_the_mean():
    tensor = recording(30.0, 0.25, [10, 40, 60, 90], 100, after_jump=[65])
    read = read_frames(tensor, "static_gratings", np.arange(4))
    assert read.whole.tolist() == [True, True, False, False]
    inputs = read.features(np.array([True, True, True, False]), WIDE)["three_bins"]
    assert np.isfinite(inputs).all()
    assert inputs[:2].any() and not inputs[2:].any()


def made_frames(rng, n=50):
    weights = {"mean": np.full((1, 6), 1 / 6)}
    frames = rng.normal(3, 2, size=(n, CELLS, 6)).astype(np.float32)
    return TrialFrames(frames, np.ones(n, dtype=bool), weights)


def test_features_are_scaled_on_training_trials_alone():
    read, train = made_frames(np.random.default_rng(0)), np.arange(50) < 30
    before = read.features(train, WIDE)["mean"][train]
    assert np.allclose(before.mean(axis=0), 0, atol=1e-5)
    read.frames[~train] = 1e6
    assert np.array_equal(read.features(train, WIDE)["mean"][train], before)


def test_frames_far_from_a_cells_mean_are_clipped_before_they_are_averaged():
    read, train = made_frames(np.random.default_rng(0)), np.arange(50) < 30
    read.frames[40, 0, 0] = 1e6
    inputs = read.features(train, (-3.0, 5.0))["mean"]
    assert inputs[40, 0] <= 5.0
    others = read.features(train, WIDE)["mean"]
    assert others[40, 0] > 1e4


def test_a_cell_that_never_changes_is_not_divided_by_zero():
    frames = np.ones((10, CELLS, 6), dtype=np.float32)
    read = TrialFrames(frames, np.ones(10, dtype=bool), {"mean": np.full((1, 6), 1 / 6)})
    assert not read.features(np.arange(10) < 5, WIDE)["mean"].any()

"""Windows of trials: which frames they hold, and which trials have none."""

import numpy as np
import pytest
from glassbox.errors import UserError
from glassbox.tensors import windows
from glassbox.tensors.convert import convert_session
from glassbox.tensors.options import TensorOptions
from glassbox.tensors.store import open_session
from glassbox.tensors.windows import TrialWindows, WindowOptions, frames_of_samples
from tiny_nwb import tiny_nwb


def tensor_of(folder, **options):
    nwb = tiny_nwb(folder / "a.nwb", **options)
    convert_session(nwb, folder / "s.zarr", folder / "s.json", TensorOptions())
    return open_session(folder / "s.zarr")


@pytest.fixture(scope="module")
def tensor(tmp_path_factory):
    return tensor_of(tmp_path_factory.mktemp("tensor"))


def gratings(tensor, **options):
    return TrialWindows(tensor, "drifting_gratings", WindowOptions(**options))


def test_a_window_is_the_frames_from_the_onset_on(tensor):
    trials = gratings(tensor)
    start = tensor.trials("drifting_gratings").start
    found = trials.read([3, 0])
    assert found.shape == (2, 5, 60)
    assert found.dtype == np.float32 and found.flags.c_contiguous
    for window, trial in zip(found, (3, 0), strict=True):
        wanted = tensor.dff(start[trial], start[trial] + 60).T
        np.testing.assert_array_equal(window, wanted)


def test_the_order_in_which_trials_are_asked_for_is_kept(tensor):
    trials = gratings(tensor)
    indices = np.random.default_rng(0).permutation(np.flatnonzero(trials.whole))
    together = trials.read(indices)
    for place in (0, 7, len(indices) - 1):
        np.testing.assert_array_equal(together[place], trials.read(indices[place])[0])


def test_how_much_is_read_at_once_changes_no_bit(tensor, monkeypatch):
    trials = gratings(tensor)
    indices = np.flatnonzero(trials.whole)
    wanted = trials.read(indices)
    for size in (1, 5_000, 10**9):
        monkeypatch.setattr(windows, "SLAB_BYTES", size)
        np.testing.assert_array_equal(gratings(tensor).read(indices), wanted)


def test_no_more_than_the_slab_is_read_at_once(tensor, monkeypatch):
    monkeypatch.setattr(windows, "SLAB_BYTES", 200 * 4 * 5)
    reads = []
    read = tensor.dff
    monkeypatch.setattr(
        tensor, "dff", lambda first, last: reads.append(last - first) or read(first, last)
    )
    trials = gratings(tensor)
    trials.read(np.flatnonzero(trials.whole))
    assert max(reads) == 150  # two windows of 60 frames and the pause between them


def test_batches_hold_every_trial_once_and_the_generator_decides_the_order(tensor):
    trials = gratings(tensor)
    indices = np.flatnonzero(trials.whole)

    def order(rng):
        batches = list(trials.batches(indices, 7, rng))
        assert all(len(x) == len(i) <= 7 for i, x in batches)
        return np.concatenate([i for i, _ in batches])

    np.testing.assert_array_equal(order(None), indices)
    shuffled = order(np.random.default_rng(1))
    np.testing.assert_array_equal(np.sort(shuffled), indices)
    np.testing.assert_array_equal(shuffled, order(np.random.default_rng(1)))
    assert (shuffled != order(np.random.default_rng(2))).any()


def test_a_trial_that_crosses_a_jump_in_time_is_in_no_window(tensor):
    jump = int(tensor.after_jump[0])
    start = tensor.trials("drifting_gratings").start
    for options in ({"length_s": 5.0}, {"start_s": -1.0}, {"length_s": 2.9, "start_s": 0.1}, {}):
        trials = gratings(tensor, **options)
        relative, count = frames_of_samples(WindowOptions(**options), 30.0)
        first, last = start + relative[0], start + relative[-1] + count[-1]
        crosses = (first < jump) & (last > jump)
        inside = (first >= 0) & (last <= tensor.n_frames)
        np.testing.assert_array_equal(trials.whole, inside & ~crosses)
    assert not gratings(tensor, length_s=5.0).whole[19]
    assert gratings(tensor).whole.all()


def test_a_window_may_begin_with_the_first_frame_after_a_jump_or_end_before_it(tensor):
    jump = int(tensor.after_jump[0])
    start = tensor.trials("drifting_gratings").start
    after = (jump - start[20]) / 30
    assert gratings(tensor, start_s=after).whole[20]
    assert not gratings(tensor, start_s=after - 1 / 30).whole[20]
    before = (jump - start[19]) / 30
    assert gratings(tensor, length_s=before).whole[19]
    assert not gratings(tensor, length_s=before + 1 / 30).whole[19]


def test_a_window_that_leaves_the_recording_is_not_whole_and_is_refused(tensor):
    trials = gratings(tensor, start_s=-1.0)
    assert not trials.whole[0]
    assert not gratings(tensor, length_s=4.0).whole[-1]
    with pytest.raises(IndexError, match="trial 0 has no whole window"):
        trials.read([1, 0])


@pytest.mark.parametrize("rate", [3.0, 10.0, 15.5, 29.97, 30.0, 30.1, 31.0, 60.0])
def test_sessions_of_any_rate_share_the_grid(rate):
    options = WindowOptions()
    first, count = frames_of_samples(options, rate)
    assert first.shape == count.shape == (60,)
    assert count.min() >= 1
    assert (np.diff(first) >= 0).all()
    middle = (np.arange(60) + 0.5) / 30
    frame_middle = (first + (count - 1) / 2 + 0.5) / rate
    assert np.abs(frame_middle - middle).max() <= 0.5 / rate + 0.5 / 30
    assert first[0] == 0
    assert first[-1] + count[-1] <= np.ceil(2 * rate)


@pytest.mark.parametrize("rate", [29.97, 30.0, 30.1])
def test_near_the_rate_of_the_grid_each_sample_is_one_frame(rate):
    first, count = frames_of_samples(WindowOptions(), rate)
    np.testing.assert_array_equal(first, np.arange(60))
    np.testing.assert_array_equal(count, np.ones(60))


def test_at_sixty_hertz_a_sample_is_the_mean_of_two_frames(tmp_path):
    tensor = tensor_of(tmp_path, rate_hz=60.0, trials=4)
    start = tensor.trials("drifting_gratings").start[2]
    wanted = tensor.dff(start, start + 120).reshape(60, 2, 5).mean(axis=1).T
    np.testing.assert_allclose(gratings(tensor).read([2])[0], wanted, rtol=1e-6)


def test_at_ten_hertz_a_frame_fills_three_samples(tmp_path):
    tensor = tensor_of(tmp_path, rate_hz=10.0, trials=4)
    start = tensor.trials("drifting_gratings").start[2]
    wanted = np.repeat(tensor.dff(start, start + 20).T, 3, axis=1)
    np.testing.assert_array_equal(gratings(tensor).read([2])[0], wanted)


def test_a_signal_constant_in_time_is_resampled_to_itself_at_any_rate():
    for rate in (3.0, 17.3, 30.1, 59.9):
        first, count = frames_of_samples(WindowOptions(start_s=-0.5, length_s=3.1), rate)
        assert (first[1:] - (first + count)[:-1] <= 0).all()  # no frame is passed over


def test_reading_no_trial_gives_no_window(tensor):
    assert gratings(tensor).read([]).shape == (0, 5, 60)


def test_a_window_shorter_than_a_sample_is_refused():
    with pytest.raises(UserError, match=r"decoders\.window\.length_s: expected at least one"):
        WindowOptions(length_s=0.001).check("decoders.window")


def test_a_split_or_fold_that_does_not_exist_is_refused(tensor):
    trials = tensor.trials("drifting_gratings")
    assert len(trials.part("crossfit", 4)) == len(trials) == 40
    np.testing.assert_array_equal(trials.part("poyo"), trials.poyo)
    with pytest.raises(UserError, match="expected crossfit or poyo"):
        trials.part("kfold", 0)
    with pytest.raises(UserError, match="has 5 folds; found 5"):
        trials.part("crossfit", 5)


@pytest.mark.real
def test_windows_of_a_real_session_are_its_frames(tmp_path, real_nwb_dir):
    import h5py
    from glassbox.sessions import layout

    nwb = real_nwb_dir / "527745328.nwb"
    convert_session(nwb, tmp_path / "s.zarr", tmp_path / "s.json", TensorOptions())
    tensor = open_session(tmp_path / "s.zarr")
    trials = gratings(tensor)
    assert trials.whole.all()
    with h5py.File(nwb) as file:
        whole = file[layout.DFF][:]
    start = tensor.trials("drifting_gratings").start
    wanted = np.stack([whole[:, at : at + 60] for at in start])
    np.testing.assert_array_equal(trials.read(np.arange(628)), wanted)

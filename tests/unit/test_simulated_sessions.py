"""Laws of a simulated recording, of its file and of fresh trials of the same cells."""

from __future__ import annotations

import time

import numpy as np
import pytest
from glassbox.files import sha256_of_file
from glassbox.sessions.nwb import NwbSession
from glassbox.sessions.options import SimulateOptions
from glassbox.sessions.program import JUMP_S, draw_program, program_frames
from glassbox.sessions.simulate import fresh_session, simulate_session
from glassbox.sessions.simulated_mice import fresh_mice, simulated_mice
from glassbox.sessions.stimulus_schedule import CONDITIONS, FRAME_RATE_HZ, SWEEP_FRAMES
from glassbox.sessions.truth import read_truth, write_truth
from glassbox.sessions.write_nwb import RUNNING_LACKS, RUNNING_STARTS, write_nwb
from glassbox.tensors.convert import convert_session
from glassbox.tensors.options import TensorOptions
from glassbox.tensors.store import manifest_path, open_session
from glassbox.tensors.windows import TrialWindows, WindowOptions, frames_of_samples

SESSION = "sim-Cux2-01"
SMALL = SimulateOptions(trials=84, cells_min=6, cells_max=8)


def program(trials: int):
    """The course of a session A of drifting gratings alone."""
    options = SimulateOptions(trials=trials)
    return draw_program("three_session_A", options, lambda stimulus: np.random.default_rng(0))


@pytest.fixture(scope="module")
def recording():
    return simulate_session(SMALL, SESSION)


@pytest.fixture(scope="module")
def nwb(recording, tmp_path_factory):
    path = tmp_path_factory.mktemp("nwb") / f"{SESSION}.nwb"
    write_nwb(recording, path)
    return path


def test_the_same_seed_gives_the_same_bytes_at_another_time(nwb, recording, tmp_path):
    write_truth(recording, tmp_path / "first.npz")
    time.sleep(1.1)  # HDF5 and zip keep times to the second or two
    again = simulate_session(SMALL, SESSION)
    write_nwb(again, tmp_path / "again.nwb")
    write_truth(again, tmp_path / "again.npz")
    assert sha256_of_file(tmp_path / "again.nwb") == sha256_of_file(nwb)
    assert sha256_of_file(tmp_path / "again.npz") == sha256_of_file(tmp_path / "first.npz")


def test_another_seed_or_mouse_gives_another_recording(recording):
    other_seed = simulate_session(SimulateOptions(trials=84, seed=2), SESSION)
    other_mouse = simulate_session(SMALL, "sim-Cux2-02")
    for other in (other_seed, other_mouse):
        assert not np.array_equal(other.dff[:6], recording.dff[:6])


@pytest.mark.parametrize(("trials", "blanks"), [(42, 2), (84, 4), (100, 4), (628, 28)])
def test_conditions_are_shown_equally_often_to_within_one(trials, blanks):
    course = program(trials)
    schedule = course.shown["drifting_gratings"]
    assert schedule.blank.sum() == blanks
    shown = ~schedule.blank
    code = schedule.index["direction"][shown] * 5 + schedule.index["temporal_frequency"][shown]
    counts = np.bincount(code, minlength=CONDITIONS)
    assert len(counts) == CONDITIONS and np.ptp(counts) <= 1
    assert np.isnan(schedule.conditions["direction"][schedule.blank]).all()
    assert len(course.times) == program_frames("three_session_A", SimulateOptions(trials=trials))


def test_the_full_schedule_is_that_of_session_a():
    schedule = program(628).shown["drifting_gratings"]
    assert set(schedule.stop - schedule.start) == {SWEEP_FRAMES}
    pauses = schedule.start[1:] - schedule.stop[:-1]
    within = np.diff(schedule.block) == 0
    assert set(pauses[within]) == {30, 31}
    assert (pauses[~within] > 100).all() and len(np.unique(schedule.block)) == 3


def test_the_clock_jumps_between_blocks_and_in_no_sweep():
    course = program(84)
    schedule = course.shown["drifting_gratings"]
    intervals = np.diff(course.times)
    jumps = np.flatnonzero(intervals > 1.5 / FRAME_RATE_HZ)
    np.testing.assert_allclose(intervals[jumps], [JUMP_S, JUMP_S])
    for jump in jumps:
        assert not ((schedule.start <= jump) & (jump < schedule.stop)).any()


def test_the_reader_reads_what_was_simulated(nwb, recording):
    schedule, times = recording.schedule, recording.times
    with NwbSession(nwb) as session:
        np.testing.assert_array_equal(session.dff_rows(0, session.n_cells), recording.dff)
        np.testing.assert_array_equal(session.frame_times(), times)
        table = session.stimulus_tables()["drifting_gratings"]
        speed = session.running_speed().at(times)
    np.testing.assert_array_equal(table.start, schedule.start)
    np.testing.assert_array_equal(table.stop, schedule.stop)
    for name, values in schedule.conditions.items():
        np.testing.assert_array_equal(table.conditions[name], values)
    kept = slice(RUNNING_STARTS, len(times) - RUNNING_LACKS)
    np.testing.assert_allclose(speed[kept], recording.behaviour.running_speed[kept], atol=0.01)


def test_the_truth_comes_back_as_it_was_written(recording, tmp_path):
    write_truth(recording, tmp_path / "truth.npz")
    back = read_truth(tmp_path / "truth.npz")
    np.testing.assert_array_equal(back.kind, recording.cells.kind)
    np.testing.assert_array_equal(back.drive, recording.cells.drive)


def test_windows_in_memory_are_those_of_the_tensors_of_the_file(nwb, recording, tmp_path):
    store = tmp_path / f"{SESSION}.zarr"
    convert_session(nwb, store, manifest_path(store), TensorOptions())
    for options in (WindowOptions(), WindowOptions(-0.5, 3.0, 10.0), WindowOptions(0.0, 2.0, 60.0)):
        stored = TrialWindows(open_session(store), "drifting_gratings", options)
        grid = frames_of_samples(options, FRAME_RATE_HZ)
        chosen = np.array([5, 0, 80])
        np.testing.assert_allclose(
            recording.windows(*grid, indices=chosen), stored.read(chosen), rtol=0, atol=1e-6
        )


def test_fresh_trials_are_of_the_same_cells_and_never_seen(recording):
    fresh = fresh_session(SMALL, SESSION, seed=0, trials=126)
    np.testing.assert_array_equal(fresh.cells.drive, recording.cells.drive)
    assert len(fresh.schedule.start) == 126
    other = fresh_session(SMALL, SESSION, seed=1)
    grid = frames_of_samples(WindowOptions(), FRAME_RATE_HZ)
    windows = [one.windows(*grid) for one in (recording, fresh, other)]
    assert all(w.dtype == np.float32 and w.flags.c_contiguous for w in windows)
    first = {w[:, 0].tobytes() for w in windows}
    assert len(first) == 3


def test_fresh_trials_follow_the_drive_that_was_planted():
    fresh = fresh_session(SimulateOptions(), SESSION, seed=3, trials=628)
    grid = frames_of_samples(WindowOptions(), FRAME_RATE_HZ)
    means = fresh.windows(*grid).mean(axis=2)
    direction, tf = fresh.schedule.index["direction"], fresh.schedule.index["temporal_frequency"]
    measured = np.stack(
        [[means[(direction == d) & (tf == f)].mean(axis=0) for f in range(5)] for d in range(8)]
    )
    expected = fresh.cells.drive * fresh.cells.amplitude[:, None, None]
    tuned = np.flatnonzero(fresh.cells.tuned_to_direction)
    strong = tuned[np.argsort(expected[tuned].max(axis=(1, 2)))[-10:]]
    for cell in strong:
        assert np.corrcoef(measured[:, :, cell].ravel(), expected[cell].ravel())[0, 1] > 0.7


def test_a_fresh_mouse_of_a_line_can_be_recorded():
    (mouse,) = fresh_mice("Rorb-IRES2-Cre", 1)
    fresh = fresh_session(SMALL, mouse.session, seed=0)
    assert fresh.mouse == mouse and fresh.dff.shape == (fresh.cells.n, len(fresh.times))


def test_a_linear_decoder_does_as_well_as_on_real_sessions():
    """Not to chance and not to the ceiling, as 40 to 60 cells of a real session allow."""
    from sklearn.linear_model import LogisticRegression

    options = SimulateOptions()
    scores = []
    for mouse in simulated_mice(options)[::4]:
        recording = simulate_session(options, mouse.session)
        shown = np.flatnonzero(~recording.schedule.blank)
        grid = frames_of_samples(WindowOptions(), FRAME_RATE_HZ)
        means = recording.windows(*grid, indices=shown).mean(axis=2)
        train, test = np.arange(len(shown)) < 400, np.arange(len(shown)) >= 400
        z = np.clip((means - means[train].mean(0)) / means[train].std(0), -5, 10)
        labels = [index[shown] for index in recording.schedule.index.values()]
        fits = [LogisticRegression(C=0.03, max_iter=300).fit(z[train], y[train]) for y in labels]
        scores.append([f.score(z[test], y[test]) for f, y in zip(fits, labels, strict=True)])
    direction, tf = np.transpose(scores)
    assert (direction > 0.6).all() and (direction < 0.95).all()
    assert (tf > 0.4).all() and (tf < 0.75).all()

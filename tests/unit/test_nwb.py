"""Reading a session in blocks: the values, and the sentence for each fault in them."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from glassbox.errors import UserError
from glassbox.sessions import layout
from glassbox.sessions.nwb import NwbSession
from tiny_nwb import GRATINGS, MOVIE, SCENES, add_movie, add_scenes, replace, tiny_nwb


def edit(path: str, where: object, value: object):
    """A change that writes `value` at an index of a dataset."""

    def change(file: h5py.File) -> None:
        data = file[path][:]
        data[where] = value
        replace(file, path, data)

    return change


def trials_refusal(path: Path) -> str:
    with NwbSession(path) as session, pytest.raises(UserError) as caught:
        session.stimulus_tables()
    return str(caught.value)


def test_blocks_of_frames_are_the_recording_turned_over(tmp_path):
    path = tiny_nwb(tmp_path / "a.nwb")
    with h5py.File(path) as file:
        whole = file[layout.DFF][:]
    with NwbSession(path) as session:
        block = session.dff_frames(10, 30)
        rows = session.dff_rows(1, 3)
    assert block.dtype == np.float32 and block.flags.c_contiguous
    np.testing.assert_array_equal(block, whole[:, 10:30].T)
    np.testing.assert_array_equal(rows, whole[1:3])


def test_trials_carry_conditions_and_blanks_carry_none(tmp_path):
    with NwbSession(tiny_nwb(tmp_path / "a.nwb")) as session:
        table = session.stimulus_tables()["drifting_gratings"]
    assert len(table.start) == 40 and table.blank.sum() == 4
    assert set(table.conditions) == {"direction", "temporal_frequency"}
    for values in table.conditions.values():
        np.testing.assert_array_equal(np.isnan(values), table.blank)
    np.testing.assert_array_equal(table.conditions["direction"][:4], [0, 90, 180, 270])


def test_static_gratings_without_a_blank_column_are_blank_where_nothing_is_stated(tmp_path):
    path = tiny_nwb(tmp_path / "a.nwb", stimulus="static_gratings")
    with NwbSession(path) as session:
        table = session.stimulus_tables()["static_gratings"]
    assert table.blank.sum() == 4
    assert set(table.conditions) == {"orientation", "spatial_frequency", "phase"}


def test_a_scene_is_the_index_of_its_image_and_minus_one_is_a_blank(tmp_path):
    with NwbSession(tiny_nwb(tmp_path / "a.nwb", change=add_scenes)) as session:
        table = session.stimulus_tables()["natural_scenes"]
    assert len(table.start) == 60 and table.blank.sum() == 6
    scene = table.conditions["scene"]
    np.testing.assert_array_equal(np.isnan(scene), table.blank)
    np.testing.assert_array_equal(scene[10:14], [2, 3, 0, 1])
    np.testing.assert_array_equal(table.stop - table.start, 7)


def test_frames_of_a_movie_may_share_a_frame_of_the_recording(tmp_path):
    with NwbSession(tiny_nwb(tmp_path / "a.nwb", change=add_movie)) as session:
        table = session.stimulus_tables()["natural_movie_one"]
    np.testing.assert_array_equal(table.conditions["frame"], np.tile(np.arange(60), 5))
    assert set(np.diff(table.start)) == {0, 1} and set(table.stop - table.start) == {0, 1}
    assert not table.blank.any()


def test_nan_in_dff_is_counted_and_the_first_is_located(tmp_path):
    def spoil(file: h5py.File) -> None:
        file[layout.DFF][3, 100:102] = np.nan
        file[layout.DFF][1, 700] = np.inf

    with NwbSession(tiny_nwb(tmp_path / "a.nwb", change=spoil)) as session:
        with pytest.raises(UserError) as caught:
            session.dff_frames(0, 200)
        assert np.isfinite(session.dff_frames(200, 300)).all()
    said = str(caught.value)
    assert "3 values of 2 cells are NaN or infinite" in said
    assert "the first at cell 3 (cell specimen 1003), frame 100" in said


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_times_that_do_not_increase_are_located_also_at_the_border_of_blocks(tmp_path, value):
    path = tiny_nwb(tmp_path / "a.nwb", change=edit(layout.DFF_TIMES, 50, value))
    with NwbSession(path) as session:
        for first, last in ((0, 100), (50, 60), (40, 51)):
            with pytest.raises(UserError, match=r"timestamps: frame 50 is at .* expected times"):
                session.frame_times(first, last)
        assert len(session.frame_times(0, 50)) == 50


def test_a_cell_that_stands_twice_is_refused(tmp_path):
    path = tiny_nwb(tmp_path / "a.nwb", change=edit(layout.CELL_SPECIMEN_IDS, 2, 1000))
    with NwbSession(path) as session, pytest.raises(UserError, match="the id 1000 stands there 2"):
        session.cell_specimen_ids()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (edit(f"{GRATINGS}/frame_duration", (12, 1), 60_010), "trial 12 ends at frame 60,010, the"),
        (edit(f"{GRATINGS}/frame_duration", (12, 1), 3), "expected an end after the start"),
        (edit(f"{GRATINGS}/frame_duration", (0, 0), -1), "trial 0 starts at frame -1"),
        (edit(f"{GRATINGS}/frame_duration", (7, 0), 540), "expected trials in order of time"),
        (edit(f"{GRATINGS}/data", (5, 1), np.nan), "trial 5 has no orientation and is no blank"),
        (edit(f"{GRATINGS}/data", (5, 0), np.inf), "trial 5 has no temporal_frequency"),
    ],
)
def test_a_broken_trial_is_named(tmp_path, change, said):
    path = tiny_nwb(tmp_path / "a.nwb", change=change)
    assert said in trials_refusal(path)
    assert trials_refusal(path).startswith(f"a.nwb: {GRATINGS}/")


@pytest.mark.parametrize(
    ("add", "change", "said"),
    [
        (add_scenes, edit(f"{SCENES}/data", 3, -2), "row 3 has the image -2, expected a whole"),
        (add_scenes, edit(f"{SCENES}/data", 3, -2), "from 0 on, or -1 for a blank."),
        (add_scenes, edit(f"{SCENES}/frame_duration", (7, 0), 0), "trials in order of time"),
        (add_scenes, edit(f"{SCENES}/frame_duration", (7, 0), 67), "an end after the start"),
        (add_scenes, edit(f"{SCENES}/frame_duration", (7, 1), 10**6), "trial 7 ends at frame 1,00"),
        (add_movie, edit(f"{MOVIE}/data", 61, -1), "row 61 has the image -1, expected a whole"),
        (add_movie, edit(f"{MOVIE}/data", 61, 3), "row 61 shows frame 3 of the clip after frame 0"),
        (add_movie, edit(f"{MOVIE}/data", 0, 3), "row 0 shows frame 3 of the clip first, expected"),
        (add_movie, edit(f"{MOVIE}/frame_duration", (7, 0), 0), "before the trial before it"),
        (add_movie, edit(f"{MOVIE}/frame_duration", (7, 1), 3), "an end not before the start"),
    ],
)
def test_a_broken_row_of_scenes_or_a_movie_is_named(tmp_path, add, change, said):
    def broken(file: h5py.File) -> None:
        add(file)
        change(file)

    refused = trials_refusal(tiny_nwb(tmp_path / "a.nwb", change=broken))
    assert said in refused and "\n" not in refused and "cohorts.exclude" in refused
    assert refused.startswith(f"a.nwb: {SCENES if add is add_scenes else MOVIE}/")


def test_an_image_that_is_no_whole_number_is_refused(tmp_path):
    def halve(file: h5py.File) -> None:
        add_scenes(file)
        replace(file, f"{SCENES}/data", file[f"{SCENES}/data"][:] / 2)

    assert "row 1 has the image 0.5" in trials_refusal(tiny_nwb(tmp_path / "a.nwb", change=halve))


def test_a_trial_may_end_with_the_recording_and_no_frame_later(tmp_path):
    def end(later: int):
        def change(file: h5py.File) -> None:
            last = file[layout.DFF].shape[1] + later
            edit(f"{GRATINGS}/frame_duration", (39, 1), last)(file)

        return tiny_nwb(tmp_path / "a.nwb", change=change)

    with NwbSession(end(0)) as session:
        assert session.stimulus_tables()["drifting_gratings"].stop[-1] == session.n_frames
    assert "trial 39 ends at frame" in trials_refusal(end(1))


def test_a_damaged_chunk_becomes_a_sentence(tmp_path):
    path = tiny_nwb(tmp_path / "a.nwb", chunks=(5, 512))
    with h5py.File(path) as file:
        place = file[layout.DFF].id.get_chunk_info(1).byte_offset
    content = bytearray(path.read_bytes())
    content[place : place + 64] = bytes(64)
    path.write_bytes(bytes(content))
    with NwbSession(path) as session, pytest.raises(UserError, match="the data cannot be read"):
        session.dff_frames(0, session.n_frames)


def behaviour(values: np.ndarray, times: np.ndarray):
    def change(file: h5py.File) -> None:
        file[layout.RUNNING_SPEED] = values
        file[layout.RUNNING_SPEED_TIMES] = times

    return change


def test_absent_behaviour_is_none(tmp_path):
    with NwbSession(tiny_nwb(tmp_path / "a.nwb")) as session:
        assert session.running_speed() is None
        assert session.pupil_size() is None and session.pupil_location(0) is None


def test_running_on_the_imaging_clock_passes_unchanged_and_is_padded_with_nan(tmp_path):
    plain = tiny_nwb(tmp_path / "a.nwb")
    with NwbSession(plain) as session:
        times = session.frame_times()
    speed = np.random.default_rng(0).standard_normal(len(times) - 8).astype(np.float32)
    speed[20] = np.nan
    path = tiny_nwb(tmp_path / "b.nwb", change=behaviour(speed, times[3:-5]))
    with NwbSession(path) as session:
        read = session.running_speed()
        pieces = [read.at(times[at : at + 100]) for at in range(0, len(times), 100)]
    found = np.concatenate(pieces)
    assert np.isnan(found[:3]).all() and np.isnan(found[-5:]).all()
    np.testing.assert_array_equal(found[3:-5], speed)


def test_behaviour_on_a_clock_of_its_own_is_interpolated(tmp_path):
    clock = np.arange(5.0, 400.0, 0.7)
    path = tiny_nwb(tmp_path / "a.nwb", change=behaviour(2 * clock, clock))
    with NwbSession(path) as session:
        times = session.frame_times()
        pieces = [
            session.running_speed().at(times[at : at + 77]) for at in range(0, len(times), 77)
        ]
    np.testing.assert_allclose(np.concatenate(pieces), 2 * times, rtol=1e-6)


def test_behaviour_outside_the_recording_is_nan(tmp_path):
    path = tiny_nwb(tmp_path / "a.nwb", change=behaviour(np.ones(3), np.array([1.0, 2.0, 3.0])))
    with NwbSession(path) as session:
        assert np.isnan(session.running_speed().at(session.frame_times())).all()


def test_behaviour_of_another_length_than_its_clock_is_refused(tmp_path):
    path = tiny_nwb(tmp_path / "a.nwb", change=behaviour(np.ones(4), np.arange(5.0)))
    with NwbSession(path) as session, pytest.raises(UserError, match=r"found shape \(4,\)"):
        session.running_speed()


def test_behaviour_whose_clock_does_not_increase_is_refused(tmp_path):
    clock = np.array([1.0, 3.0, 2.0])
    path = tiny_nwb(tmp_path / "a.nwb", change=behaviour(np.ones(3), clock))
    with NwbSession(path) as session, pytest.raises(UserError, match=r"sample 2 is at 2\.0"):
        session.running_speed()


def test_pupil_location_has_two_axes(tmp_path):
    def add(file: h5py.File) -> None:
        file[layout.PUPIL_LOCATION] = np.array([[1.0, -1.0], [1.0, -1.0]])
        file[layout.PUPIL_LOCATION_TIMES] = np.array([0.0, 1e6])

    with NwbSession(tiny_nwb(tmp_path / "a.nwb", change=add)) as session:
        times = session.frame_times(0, 4)
        np.testing.assert_array_equal(session.pupil_location(0).at(times), np.ones(4))
        np.testing.assert_array_equal(session.pupil_location(1).at(times), -np.ones(4))

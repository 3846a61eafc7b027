"""The header of a session: what is read, what is refused, and in which words."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from glassbox.errors import UserError
from glassbox.sessions import layout
from glassbox.sessions.header import read_header
from tiny_nwb import GRATINGS, replace, tiny_nwb


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        read_header(path)
    return str(caught.value)


def test_a_whole_header_is_read(tmp_path):
    header = read_header(tiny_nwb(tmp_path / "a.nwb"))
    assert (header.session, header.mouse, header.cre_line) == ("900001", "244896", "Cux2-CreERT2")
    assert (header.area, header.depth_um, header.cells) == ("VISp", 275.0, 5)
    assert header.stimuli == ("drifting_gratings",)
    assert header.frame_rate_hz == 30.0
    assert header.missing == ()


def test_a_jump_of_the_clock_does_not_move_the_frame_rate(tmp_path):
    path = tiny_nwb(tmp_path / "a.nwb", trials=4, jump_after_trial=0)
    assert read_header(path).frame_rate_hz == 30.0


def test_a_file_without_session_id_is_named_after_itself(tmp_path):
    path = tiny_nwb(tmp_path / "monday.nwb", metadata={layout.SESSION_ID: ""})
    assert read_header(path).session == "monday"


def test_the_mouse_is_the_number_at_the_end_of_the_specimen_where_no_subject_is_named(tmp_path):
    path = tiny_nwb(
        tmp_path / "a.nwb",
        metadata={layout.SUBJECT_ID: "", layout.SPECIMEN_NAME: "Cux2-CreERT2;Ai93-222181"},
    )
    assert read_header(path).mouse == "222181"


def test_a_session_of_a_nameless_mouse_is_a_mouse_of_its_own_and_says_so(tmp_path):
    path = tiny_nwb(tmp_path / "a.nwb", metadata={layout.SUBJECT_ID: "", layout.SPECIMEN_NAME: ""})
    header = read_header(path)
    assert header.mouse == "900001"
    assert layout.SUBJECT_ID in header.missing


def test_missing_metadata_is_no_fault(tmp_path):
    gone = (layout.GENOTYPE, layout.AREA, layout.DEPTH, layout.SESSION_TYPE)
    header = read_header(tiny_nwb(tmp_path / "a.nwb", metadata=dict.fromkeys(gone, "")))
    assert header.cre_line == "unknown"
    assert header.depth_um is None
    assert set(header.missing) == set(gone)


def test_a_truncated_file_is_refused_in_a_sentence(tmp_path):
    path = tiny_nwb(tmp_path / "cut.nwb")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "cut.nwb: the file is truncated" in refusal(path)


def test_a_file_that_is_no_hdf5_is_refused_in_a_sentence(tmp_path):
    path = tmp_path / "notes.nwb"
    path.write_text("not a session")
    assert "notes.nwb: this is not an HDF5 file" in refusal(path)


def test_an_empty_file_is_refused_in_a_sentence(tmp_path):
    path = tmp_path / "empty.nwb"
    path.touch()
    assert "empty.nwb: this is not an HDF5 file" in refusal(path)


def test_a_missing_file_is_refused_in_a_sentence(tmp_path):
    assert "gone.nwb: no such file" in refusal(tmp_path / "gone.nwb")


@pytest.mark.parametrize(
    "path",
    [
        layout.DFF,
        layout.DFF_TIMES,
        layout.CELL_SPECIMEN_IDS,
        f"{GRATINGS}/data",
        f"{GRATINGS}/features",
        f"{GRATINGS}/frame_duration",
    ],
)
def test_a_missing_dataset_is_named(tmp_path, path):
    broken = tiny_nwb(tmp_path / "a.nwb", change=lambda file: file.__delitem__(path))
    assert f"a.nwb: {path}: this dataset is missing" in refusal(broken)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda f: replace(f, layout.CELL_SPECIMEN_IDS, np.arange(4)),
            "found 5 cells, but cell_specimen_ids has shape (4,)",
        ),
        (lambda f: replace(f, layout.DFF_TIMES, np.arange(9.0)), "timestamps has shape (9,)"),
        (lambda f: replace(f, layout.DFF, np.zeros(9, "f4")), "found 1 dimensions (9,)"),
        (lambda f: replace(f, layout.DFF, np.zeros((5, 9), "i4")), "found type int32"),
        (
            lambda f: replace(f, f"{GRATINGS}/data", np.zeros((40, 2))),
            "found shape (40, 2), expected (trials, 3 features)",
        ),
        (
            lambda f: replace(f, f"{GRATINGS}/frame_duration", np.zeros((39, 2), int)),
            "found shape (39, 2), expected (40, 2)",
        ),
        (
            lambda f: replace(f, f"{GRATINGS}/features", np.array(["hue", "b", "c"], "S")),
            "found hue, b, c; expected orientation, temporal_frequency",
        ),
        (
            lambda f: replace(f, f"{GRATINGS}/data", np.full((40, 3), b"north")),
            "found type |S5, expected numbers",
        ),
    ],
)
def test_a_wrong_shape_or_type_is_told_with_what_was_expected(tmp_path, change, said):
    assert said in refusal(tiny_nwb(tmp_path / "a.nwb", change=change))


def test_transposed_dff_is_refused(tmp_path):
    def transpose(file: h5py.File) -> None:
        replace(file, layout.DFF, file[layout.DFF][:].T)

    assert "expected one id for each cell" in refusal(
        tiny_nwb(tmp_path / "a.nwb", change=transpose)
    )


def test_a_file_that_holds_less_than_its_own_num_samples_is_refused(tmp_path):
    def promise(file: h5py.File) -> None:
        file[layout.DFF.replace("/data", "/num_samples")] = 113_854

    said = refusal(tiny_nwb(tmp_path / "a.nwb", change=promise))
    assert "promises 113,854" in said


def test_an_unknown_stimulus_is_refused_unless_the_user_lets_it_pass(tmp_path):
    def add(file: h5py.File) -> None:
        file[f"{layout.PRESENTATION}/flashes_stimulus/data"] = np.zeros(3)

    path = tiny_nwb(tmp_path / "a.nwb", change=add)
    said = refusal(path)
    assert "the stimulus 'flashes' is unknown" in said
    assert "sessions.ignore_stimuli" in said
    assert read_header(path, ["flashes"]).stimuli == ("drifting_gratings", "flashes")


def test_the_stimuli_of_allen_sessions_are_known_by_name(tmp_path):
    names = ["locally_sparse_noise", "locally_sparse_noise_4deg", "spontaneous"]

    def add(file: h5py.File) -> None:
        for name in names:
            file[f"{layout.PRESENTATION}/{name}_stimulus/data"] = np.zeros(3)

    header = read_header(tiny_nwb(tmp_path / "a.nwb", change=add))
    assert header.stimuli == tuple(sorted([*names, "drifting_gratings"]))


@pytest.mark.parametrize("name", ["natural_scenes", *layout.NATURAL_MOVIES])
def test_a_table_of_images_names_one_image_a_row(tmp_path, name):
    group = layout.stimulus_group(name)

    def add(rows, frames):
        def change(file: h5py.File) -> None:
            file[f"{group}/data"] = rows
            file[f"{group}/frame_duration"] = frames

        return tiny_nwb(tmp_path / "a.nwb", change=change)

    row, frames = np.zeros(3, int), np.zeros((3, 2), int)
    assert read_header(add(row, frames)).stimuli == ("drifting_gratings", name)
    said = refusal(add(np.zeros((3, 2)), frames))
    assert f"a.nwb: {group}/data: found shape (3, 2), expected (rows,)" in said
    assert "found shape (2, 2), expected (3, 2)" in refusal(add(row, frames[:2]))
    assert "found type |S1, expected the index" in refusal(add(np.full(3, b"a"), frames))


def test_a_session_without_any_stimulus_has_a_header(tmp_path):
    path = tiny_nwb(tmp_path / "a.nwb", change=lambda f: f.__delitem__(layout.PRESENTATION))
    assert read_header(path).stimuli == ()


def test_every_refusal_is_one_line_that_names_the_file_and_what_to_do(tmp_path):
    broken = [
        tiny_nwb(tmp_path / "a.nwb", change=lambda f: f.__delitem__(layout.DFF)),
        tiny_nwb(tmp_path / "b.nwb", change=lambda f: replace(f, layout.DFF_TIMES, np.zeros(9))),
    ]
    for path in broken:
        said = refusal(path)
        assert said.startswith(path.name)
        assert "\n" not in said
        assert "cohorts.exclude" in said


@pytest.mark.real
def test_the_layout_only_file_is_refused_and_the_real_sessions_are_read(real_nwb_dir):
    said = refusal(real_nwb_dir / "496908818_layout_only.nwb")
    assert said.startswith("496908818_layout_only.nwb: ") and "113,854" in said
    header = read_header(real_nwb_dir / "527745328.nwb")
    assert (header.cells, header.frames) == (254, 56_848)
    assert (header.mouse, header.cre_line) == ("244896", "Cux2-CreERT2")

"""The catalogue of a folder or a table: each session once, each fault in its own row."""

import os

import h5py
import numpy as np
import pytest
from glassbox.errors import UserError
from glassbox.sessions import header as header_module
from glassbox.sessions import layout
from glassbox.sessions.catalogue import (
    COLUMNS,
    Row,
    catalogue_folder,
    catalogue_from_table,
    previous_rows,
    read_catalogue,
    write_catalogue,
)
from tiny_nwb import tiny_nwb


def session(folder, name, session_id, **options):
    return tiny_nwb(folder / name, trials=4, metadata={layout.SESSION_ID: session_id}, **options)


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "nwb"
    made.mkdir()
    session(made, "b.nwb", "2")
    session(made, "a.nwb", "1")
    return made


@pytest.fixture
def opened(monkeypatch):
    """Names of the files whose header is read."""
    names = []
    read = header_module.read_header

    def spy(path, *args):
        names.append(path.name)
        return read(path, *args)

    monkeypatch.setattr(header_module, "read_header", spy)
    return names


def test_a_folder_has_a_row_for_each_session_in_order_of_file_names(folder):
    (folder / "notes.txt").write_text("not a session")
    (folder / ".hidden.nwb").write_text("not a session")
    rows = catalogue_folder(folder)
    assert [(row.session, row.file) for row in rows] == [("1", "a.nwb"), ("2", "b.nwb")]
    assert all(row.problem == "" and row.cells == 5 for row in rows)


def test_a_refused_file_is_a_row_with_its_problem_and_harms_no_other(folder):
    (folder / "c.nwb").write_text("no HDF5")
    rows = catalogue_folder(folder)
    assert [bool(row.problem) for row in rows] == [False, False, True]
    assert rows[2].session == "c"
    assert "c.nwb: this is not an HDF5 file" in rows[2].problem


def test_two_files_of_one_session_are_both_refused(folder):
    session(folder, "copy of a.nwb", "1")
    rows = catalogue_folder(folder)
    refused = [row.file for row in rows if row.problem]
    assert refused == ["a.nwb", "copy of a.nwb"]
    assert "a.nwb and copy of a.nwb both are session 1" in rows[0].problem


def test_an_unchanged_file_is_not_opened_again(folder, opened):
    rows = catalogue_folder(folder)
    opened.clear()
    assert catalogue_folder(folder, rows) == rows
    assert opened == []


def test_a_changed_file_and_a_new_one_are_opened_and_no_other(folder, opened):
    rows = catalogue_folder(folder)
    opened.clear()
    session(folder, "c.nwb", "3")
    at = (folder / "a.nwb").stat()
    os.utime(folder / "a.nwb", ns=(at.st_atime_ns, at.st_mtime_ns + 1))
    assert len(catalogue_folder(folder, rows)) == 3
    assert opened == ["a.nwb", "c.nwb"]


def test_a_refused_file_is_opened_again(folder, opened):
    (folder / "c.nwb").write_text("no HDF5")
    rows = catalogue_folder(folder)
    opened.clear()
    catalogue_folder(folder, rows)
    assert opened == ["c.nwb"]


def test_no_longer_ignoring_a_stimulus_refuses_a_file_that_did_not_change(tmp_path):
    def add(file: h5py.File) -> None:
        file[f"{layout.PRESENTATION}/flashes_stimulus/data"] = np.zeros(3)

    session(tmp_path, "a.nwb", "1", change=add)
    passed = catalogue_folder(tmp_path, ignore_stimuli=["flashes"])
    assert passed[0].problem == ""
    assert "'flashes' is unknown" in catalogue_folder(tmp_path, passed)[0].problem


@pytest.mark.parametrize("name", ["gone", "empty", "file"])
def test_a_folder_without_sessions_is_told(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="nwb_dir") as caught:
        catalogue_folder(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)


def test_what_is_written_is_what_is_read(folder, tmp_path):
    (folder / "c.nwb").write_text("no HDF5")
    rows = catalogue_folder(folder)
    assert write_catalogue(tmp_path / "catalogue.tsv", rows)
    assert read_catalogue(tmp_path / "catalogue.tsv") == rows
    assert (tmp_path / "catalogue.tsv").read_text().startswith("session\tfile\tmouse")


def test_a_catalogue_that_would_not_change_is_left_alone(folder, tmp_path):
    path = tmp_path / "catalogue.tsv"
    write_catalogue(path, catalogue_folder(folder))
    os.utime(path, ns=(1, 1))
    assert not write_catalogue(path, catalogue_folder(folder))
    assert path.stat().st_mtime_ns == 1


def test_white_space_in_metadata_breaks_no_row(tmp_path):
    session(tmp_path, "a.nwb", "one\ttwo\nthree")
    rows = catalogue_folder(tmp_path)
    write_catalogue(tmp_path / "catalogue.tsv", rows)
    assert read_catalogue(tmp_path / "catalogue.tsv")[0].session == "one two three"


def test_the_name_of_a_file_keeps_its_spaces(tmp_path):
    write_catalogue(tmp_path / "catalogue.tsv", [Row("1", "two  spaces .nwb")])
    assert read_catalogue(tmp_path / "catalogue.tsv")[0].file == "two  spaces .nwb"


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (Row("1", "b.nwb"), "lines 2 and 3 name the session '1'"),
        (Row("2", "a.nwb"), "lines 2 and 3 name the file 'a.nwb'"),
    ],
)
def test_a_written_catalogue_that_names_something_twice_is_refused(tmp_path, second, said):
    path = tmp_path / "catalogue.tsv"
    write_catalogue(path, [Row("1", "a.nwb"), second])
    with pytest.raises(UserError, match=said):
        read_catalogue(path)
    assert previous_rows(path) == []


def table(folder, text):
    path = folder / "mine.tsv"
    path.write_text(text)
    return path


def test_a_table_of_ones_own_is_completed_from_the_files_and_wins_over_them(folder):
    path = table(
        folder,
        "session\tfile\tmouse\tgenotype\tdepth_um\n"
        "z\ta.nwb\tM7\tRorb-IRES2-Cre/wt;Ai93/wt\t350\n\ny\tb.nwb\t\t\t\n",
    )
    y, z = catalogue_from_table(path)
    assert (y.session, y.mouse, y.depth_um) == ("y", "244896", 275.0)
    assert (z.session, z.mouse, z.cre_line, z.depth_um) == ("z", "M7", "Rorb-IRES2-Cre", 350.0)
    assert z.cells == 5 and z.stimuli == ("drifting_gratings",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("session\tfile\n1\ta.nwb\n2\ta.nwb\n", "lines 2 and 3 name the file 'a.nwb'"),
        ("session\tfile\n1\ta.nwb\n1\tb.nwb\n", "lines 2 and 3 name the session '1'"),
        ("session\n1\n", "the column 'file' is missing"),
        ("session,file\n1,a.nwb\n", "Columns are separated by tabs"),
        ("session\tfile\tcolour\n1\ta.nwb\tred\n", "the column 'colour' is unknown"),
        ("session\tfile\n1\n", "line 2: found 1 columns, expected 2"),
        ("session\tfile\n\ta.nwb\n", "line 2: the column 'session' is empty"),
        ("session\tfile\tdepth_um\n1\ta.nwb\tdeep\n", "line 2: depth_um: expected a number"),
        ("session\tfile\n", "names no session"),
        ("", "the column 'session' is missing"),
    ],
)
def test_a_broken_table_is_refused_with_its_line(folder, text, said):
    with pytest.raises(UserError, match=said):
        catalogue_from_table(table(folder, text))


def test_a_table_that_does_not_exist_is_told(tmp_path):
    with pytest.raises(UserError, match="no such catalogue"):
        catalogue_from_table(tmp_path / "gone.tsv")


def test_a_file_that_a_table_names_and_that_is_missing_is_a_problem_of_its_row(folder):
    rows = catalogue_from_table(table(folder, "session\tfile\n1\ta.nwb\n9\tgone.nwb\n"))
    assert [bool(row.problem) for row in rows] == [False, True]
    assert "gone.nwb: no such file" in rows[1].problem


def test_the_columns_of_the_catalogue_stay_as_they_are(tmp_path):
    assert (
        *("session", "file", "mouse", "cre_line", "genotype", "session_type", "stimuli", "area"),
        *("depth_um", "sex", "age", "cells", "frames", "frame_rate_hz", "size_bytes", "mtime_ns"),
        "problem",
    ) == COLUMNS

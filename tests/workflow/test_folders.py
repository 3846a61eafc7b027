"""Folders of sessions: one more, one broken, two of a name, on the results of the tiny run."""

from __future__ import annotations

import csv
import shutil

import h5py
import pytest
from glassbox.sessions import layout
from workflow_files import Checkout, bytes_of, rules_of

CONFIG = ("--configfile", "folder.yaml", "--config", "nwb_dir=mine")
SESSIONS = ("sim-Cux2-01", "sim-Cux2-02", "sim-Rorb-01", "sim-Rorb-02")
EVERY = "convert_session fit_reference".split()


@pytest.fixture
def folder(tiny_copy) -> Checkout:
    """The sessions of the tiny run as a user's folder, everything made of them up to date."""
    mine = tiny_copy.root / "mine"
    mine.mkdir()
    for session in SESSIONS:
        shutil.copy2(tiny_copy.results / "sessions" / f"{session}.nwb", mine)
    text = (tiny_copy.root / "tiny.yaml").read_text()
    (tiny_copy.root / "folder.yaml").write_text(text.replace("simulated", "folder", 1))
    return tiny_copy


def up_to_date(folder: Checkout) -> None:
    """Tell Snakemake that all results are those of the present configuration and sessions."""
    folder.made(*CONFIG, "--touch")
    assert not folder.jobs(*CONFIG)


def excluded(folder: Checkout) -> list[dict[str, str]]:
    with (folder.results / "sessions" / "excluded.csv").open() as file:
        return list(csv.DictReader(file))


def break_header(path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_adding_a_session_adds_exactly_its_jobs(folder):
    added = folder.root / "mine" / "sim-Rorb-02.nwb"
    kept = added.rename(folder.root / "kept.nwb")
    up_to_date(folder)
    for path in ("tensors/sim-Rorb-02.zarr", "decoders/mouse-M08", "units/mouse-M08"):
        shutil.rmtree(folder.results / path)
    for path in ("dictionaries/mouse-M08", "interventions/mouse-M08"):
        shutil.rmtree(folder.results / path)
    (folder.results / "tensors" / "sim-Rorb-02.json").unlink()
    (folder.results / "decoders" / "references" / "sim-Rorb-02.csv").unlink()
    kept.rename(added)
    jobs = folder.jobs(*CONFIG)
    by_cohort = "train_decoder train_dictionary measure_units".split()
    cohorts = {"mouse-M08", "genotype-Rorb-IRES2-Cre", "all"}
    held_out = {"all-without-0", "all-without-1"}
    assert {job for job in jobs if job.split(":")[0] in EVERY} == {
        f"{rule}:sim-Rorb-02" for rule in EVERY
    }
    for rule in by_cohort:
        named = {job.split(":")[1].split(",")[0] for job in jobs if job.startswith(f"{rule}:")}
        assert named == cohorts | held_out, rule
    named = {job.split(":")[1].split(",")[0] for job in jobs if job.startswith("ablate_units:")}
    assert named == cohorts


def test_jobs_run_in_the_environment_of_snakemake_where_it_is_not_activated(folder):
    up_to_date(folder)
    (folder.results / "tensors" / "sim-Rorb-02.json").unlink()
    folder.made("tensors", *CONFIG, PATH="/usr/bin:/bin")
    assert (folder.results / "tensors" / "sim-Rorb-02.json").exists()


def test_a_truncated_file_is_refused_and_the_other_sessions_are_unharmed(folder):
    broken = folder.root / "mine" / "sim-Rorb-02.nwb"
    break_header(broken)
    folder.made(*CONFIG, "--touch", "tables", "figures")
    before = bytes_of(folder.results / "decoders" / "mouse-M07")
    assert set(folder.jobs(*CONFIG)) == {"report_refused"}
    run = folder.snakemake(*CONFIG)
    said = run.stdout + run.stderr
    assert run.returncode != 0
    (row,) = excluded(folder)
    assert row["file"] == "sim-Rorb-02.nwb" and row["stage"] == "sessions"
    assert "truncated" in row["reason"]
    assert f"excluded: {row['reason']}" in said and f"error: {row['reason']}" in said
    assert "Traceback" not in said
    assert bytes_of(folder.results / "decoders" / "mouse-M07") == before


def test_a_refused_session_that_the_user_excludes_no_longer_fails_the_run(folder):
    break_header(folder.root / "mine" / "sim-Rorb-02.nwb")
    text = (folder.root / "folder.yaml").read_text()
    exclude = 'exclude: [{session: sim-Rorb-02.nwb, reason: "cut short"}]\n  mouse_folds'
    (folder.root / "folder.yaml").write_text(text.replace("mouse_folds", exclude, 1))
    up_to_date(folder)
    assert folder.snakemake(*CONFIG).returncode == 0
    assert [row["reason"] for row in excluded(folder)] == ["cut short"]


def test_two_files_of_one_session_are_both_refused_by_name(folder):
    mine = folder.root / "mine"
    with h5py.File(mine / "sim-Rorb-02.nwb", "a") as file:
        file[layout.SESSION_ID] = b"one id"
    shutil.copy2(mine / "sim-Rorb-02.nwb", mine / "again.nwb")
    jobs = folder.jobs(*CONFIG)
    assert "report_refused" in jobs
    rows = excluded(folder)
    assert {row["file"] for row in rows} == {"again.nwb", "sim-Rorb-02.nwb"}
    assert all("again.nwb and sim-Rorb-02.nwb" in row["reason"] for row in rows)


def test_a_session_without_a_decoded_task_becomes_a_tensor_and_is_listed(folder):
    path = folder.root / "mine" / "sim-Rorb-02.nwb"
    with h5py.File(path, "a") as file:
        group = file[layout.PRESENTATION]
        group.move("drifting_gratings_stimulus", "spontaneous_stimulus")
    jobs = folder.jobs(*CONFIG)
    assert "convert_session:sim-Rorb-02" in jobs
    assert "fit_reference:sim-Rorb-02" not in jobs
    assert "report_refused" not in rules_of(jobs)
    (row,) = excluded(folder)
    assert row["stage"] == "decoders" and "no task that this configuration decodes" in row["reason"]


def test_a_fault_found_in_conversion_stops_the_cohorts_of_that_session_only(folder):
    """A NaN in dF/F is not seen in the header."""
    up_to_date(folder)
    with h5py.File(folder.root / "mine" / "sim-Rorb-02.nwb", "a") as file:
        file[layout.DFF][0, 100] = float("nan")
    shutil.rmtree(folder.results / "decoders" / "mouse-M01")
    run = folder.snakemake(*CONFIG)
    said = run.stdout + run.stderr
    assert run.returncode != 0
    assert "error: sim-Rorb-02.nwb: " in said and "cohorts.exclude" in said
    assert "Traceback" not in said
    assert (folder.results / "decoders" / "mouse-M01" / "decoder.json").exists()
    assert not (folder.results / "tensors" / "sim-Rorb-02.zarr").exists()
    assert not (folder.results / "tensors" / "sim-Rorb-02.json").exists()

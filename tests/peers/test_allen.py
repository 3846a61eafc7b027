"""The scripts that fetch, with the real allensdk, from a stand-in of the Allen API."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from allen_stand_in import (
    EVENTS,
    FAILED,
    FIRST,
    QUERY,
    ROOT,
    SECOND,
    THIRD,
    AllenStandIn,
    files_below,
    four_sessions,
    link_of,
    made_by_allensdk,
    record,
)
from faulty_server import Fault
from glassbox.sessions import allensdk_python

pytestmark = pytest.mark.peer
HOUSE = ROOT / "workflow"


@pytest.fixture(scope="module")
def sessions(allensdk, tmp_path_factory) -> AllenStandIn:
    return four_sessions(tmp_path_factory.mktemp("sessions"))


@pytest.fixture
def server(sessions):
    house = AllenStandIn(files=dict(sessions.files), records=list(sessions.records))
    with house.running():
        yield house


def test_events_are_fetched_and_another_kind_of_file_is_refused(server, tmp_path):
    out = tmp_path / f"{THIRD}_events.npz"
    path = link_of(server, THIRD, EVENTS)
    server.fail(path, Fault(stops_after=900), Fault(damages=700, no_range=True))
    done = run("fetch_events", "--link", server.address + path, "--out", out)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == server.files[path]
    wrong = server.address + link_of(server, THIRD)
    said = refusal(run("fetch_events", "--link", wrong, "--out", tmp_path / "b.npz"))
    assert "b.npz: the file came twice" in said and "not a zip file" in said


def run(script: str, *arguments: object, python: str | Path = sys.executable):
    """Run a script as its rule does: in the environment of all others, unless said otherwise."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return subprocess.run(
        [python, HOUSE / "scripts" / f"{script}.py", *map(str, arguments)],
        env=clean | {"PYTHONPATH": str(HOUSE), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def refusal(done: subprocess.CompletedProcess) -> str:
    """The one sentence with which a script ended."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    return sentence


def rows_of(table: Path) -> dict[str, dict[str, str]]:
    with table.open() as file:
        return {row["session"]: row for row in csv.DictReader(file, delimiter="\t")}


def test_the_catalogue_says_what_the_api_says_through_its_faults(server, tmp_path):
    server.fail(QUERY, Fault(status=503), Fault(stops_after=100))
    out = tmp_path / "allen.tsv"
    done = run("fetch_catalogue", "--asked", server.address, "--out", out)
    assert done.returncode == 0, done.stderr
    rows = rows_of(out)
    assert list(rows) == [str(s) for s in (FIRST, SECOND, THIRD, FAILED)]
    assert rows[str(THIRD)] == {
        "session": str(THIRD),
        "container": "11",
        "mouse": "100002",
        "cre_line": "Rorb-IRES2-Cre",
        "genotype": "Rorb-IRES2-Cre/wt;Camk2a-tTA/wt;Ai93(TITL-GCaMP6f)/wt",
        "area": "VISl",
        "depth_um": "275",
        "session_type": "three_session_A",
        "stimuli": "drifting_gratings;natural_movie_one;natural_movie_three;spontaneous",
        "failed": "false",
        "link": server.address + link_of(server, THIRD),
        "events_link": server.address + link_of(server, THIRD, EVENTS),
        "nwb_file": "",
        "events_file": "",
        "asked": server.address,
    }
    assert rows[str(FAILED)]["failed"] == "true" and rows[str(FAILED)]["events_link"] == ""
    assert len(server.asked) == 4, "sessions thrice, for two faults, and events once"


@pytest.mark.parametrize(
    ("records", "fault", "said"),
    [
        ([], Fault(), "the server knows no session of Visual Coding"),
        (
            [record(1)],
            Fault(body=b'{"msg": "no such model"}'),
            "the server answers 'no such model'",
        ),
        ([record(1)], Fault(status=404), "the server answers 404"),
        ([{"id": 7}], Fault(), "session 7: KeyError"),
    ],
)
def test_an_answer_that_is_none_is_one_sentence_and_no_file(server, tmp_path, records, fault, said):
    server.records[:] = records
    server.always[QUERY] = fault
    done = run("fetch_catalogue", "--asked", server.address, "--out", tmp_path / "allen.tsv")
    assert said in refusal(done)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_allensdk_made_is_catalogued_without_a_server(server, tmp_path):
    folder = tmp_path / "boc"
    made_by_allensdk(folder, server, FIRST)
    before = files_below(folder)
    server.asked.clear()
    out = tmp_path / "allen.tsv"
    manifest = folder / "manifest.json"
    done = run("fetch_catalogue", "--asked", "boc", "--manifest", manifest, "--out", out)
    assert done.returncode == 0, done.stderr
    row = rows_of(out)[str(FIRST)]
    assert row["nwb_file"] == f"ophys_experiment_data/{FIRST}.nwb"
    assert row["events_file"] == f"ophys_experiment_events/{FIRST}_events.npz"
    assert (row["link"], row["asked"], row["mouse"]) == ("", "boc", "100001")
    assert files_below(folder) == before and not server.asked
    manifest.write_text(manifest.read_text().replace('"1.3"', '"1.1"'))
    done = run("fetch_catalogue", "--manifest", manifest, "--out", tmp_path / "other.tsv")
    assert "the manifest is of version 1.1, allensdk reads 1.3" in refusal(done)
    assert not (tmp_path / "other.tsv").exists()


def test_a_session_is_fetched_through_faults_and_a_second_run_needs_no_server(server, tmp_path):
    path, out = link_of(server, FIRST), tmp_path / f"{FIRST}.nwb"
    damaged = Fault(damages=len(server.files[path]) // 2)
    server.fail(path, Fault(breaks_after=9_000), Fault(status=500), Fault(no_range=True), damaged)
    server.faults[path].rotate(1)  # the damaged one first
    given = ("--session", FIRST, "--link", server.address + path, "--out", out)
    done = run("fetch_session", *given)
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == server.files[path]
    assert "trying again" in done.stderr and "whole" in done.stdout
    before = (out.stat().st_ino, out.stat().st_mtime_ns)
    server.always[path] = Fault(status=503)
    done = run("fetch_session", *given)
    assert done.returncode == 0, done.stderr
    assert (out.stat().st_ino, out.stat().st_mtime_ns) == before


def test_the_file_of_another_session_is_refused(server, tmp_path):
    given = ("--link", server.address + link_of(server, THIRD), "--out", tmp_path / "a.nwb")
    said = refusal(run("fetch_session", "--session", FIRST, *given))
    assert f"the file is of session {THIRD}, asked for was {FIRST}" in said
    assert not [path for path in tmp_path.iterdir() if not path.name.endswith(".lock")]


def test_where_allensdk_is_nowhere_a_sentence_says_how_to_get_it(tmp_path):
    """The house alone, without the environment beside it."""
    shutil.copytree(HOUSE, tmp_path / "workflow", ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [
            sys.executable,
            tmp_path / "workflow" / "scripts" / "fetch_catalogue.py",
            *("--out", tmp_path / "allen.tsv"),
        ],
        env=os.environ | {"PYTHONPATH": str(tmp_path / "workflow")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = refusal(done)
    assert "make env-allensdk" in said and "--sdm conda" in said
    assert allensdk_python.ENVIRONMENT == ROOT / ".venv-allensdk"


@pytest.mark.real
def test_allensdk_takes_a_real_session_for_the_one_that_was_asked_for(
    allensdk, real_nwb_dir, tmp_path
):
    house = AllenStandIn(files={"/a": (real_nwb_dir / "496908818_layout_only.nwb").read_bytes()})
    out = tmp_path / "a.nwb"
    with house.running():
        given = ("--link", house.address + "/a", "--out", out)
        assert run("fetch_session", "--session", 496908818, *given).returncode == 0
        out.unlink()
        assert "asked for was 5" in refusal(run("fetch_session", "--session", 5, *given))

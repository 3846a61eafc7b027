"""The Allen catalogue and its sessions, fetched by the real allensdk from a stand-in of the API."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml
from glassbox.sessions import layout
from glassbox.tensors.store import open_session
from workflow_files import ROOT, Checkout, rules_of

sys.path.append(str(ROOT / "tests" / "peers"))
from allen_stand_in import (
    ENVIRONMENT,
    EVENTS,
    FAILED,
    FIRST,
    NWB,
    SECOND,
    THIRD,
    AllenStandIn,
    files_below,
    four_sessions,
    link_of,
    made_by_allensdk,
    records_of_table,
)
from faulty_server import Fault

pytestmark = [pytest.mark.peer, pytest.mark.slow]  # tests/peers/test_allen.py is the quick one
CATALOGUE = "results/sessions/allen.tsv"


@pytest.fixture
def server(allensdk, tmp_path):
    with four_sessions(tmp_path).running() as house:
        yield house


@pytest.fixture
def allen(allensdk, checkout) -> Checkout:
    """A copy of the workflow that finds allensdk's environment."""
    (checkout.root / ".venv-allensdk").symlink_to(ENVIRONMENT)
    return checkout


def configured(checkout: Checkout, **allen: object) -> tuple[str, ...]:
    """Arguments of a run with these options of the Allen sessions."""
    config = yaml.safe_load((checkout.root / "config" / "allen.yaml").read_text())
    config["sessions"]["allen"] = allen
    (checkout.root / "mine.yaml").write_text(yaml.safe_dump(config))
    return ("--configfile", "mine.yaml")


def rows_of(checkout: Checkout) -> dict[str, dict[str, str]]:
    with (checkout.root / CATALOGUE).open() as file:
        return {row["session"]: row for row in csv.DictReader(file, delimiter="\t")}


def fetched(checkout: Checkout, session: int) -> Path:
    return checkout.results / "sessions" / "allen" / f"{session}.nwb"


def said(run) -> str:
    return run.stdout + run.stderr


def test_the_catalogue_is_asked_once_and_sessions_are_then_fetched_and_kept(allen, server):
    given = configured(allen, server=server.address, session_types=["three_session_A"])
    allen.made("catalogue", *given)
    assert len(server.asked) == 2, "sessions, and files of events"
    path = link_of(server, FIRST)
    server.fail(path, Fault(breaks_after=5_000), Fault(stops_after=9_000))
    allen.made("tensors", *given)
    for session in (FIRST, THIRD):
        content = server.files[link_of(server, session)]
        assert fetched(allen, session).read_bytes() == content
        assert (allen.results / "tensors" / f"{session}.json").exists()
    assert not fetched(allen, SECOND).exists() and not fetched(allen, FAILED).exists()
    names = {p.name for p in (allen.results / "sessions" / "allen").iterdir()}
    assert not [name for name in names if "partial" in name]
    server.asked.clear()
    assert not allen.jobs("tensors", *given), "nothing is made again because the files came"
    assert not server.asked, "and no server is asked again"


def test_events_take_the_place_of_dff_in_the_tensors(allen, server):
    given = configured(allen, server=server.address, ids=[FIRST])
    with (allen.root / "mine.yaml").open("a") as file:
        file.write("tensors: {signal: events}\n")
    allen.made("catalogue", *given)
    allen.made("tensors", *given)
    npz = io.BytesIO(server.files[link_of(server, FIRST, EVENTS)])
    tensor = open_session(allen.results / "tensors" / f"{FIRST}.zarr")
    with np.load(npz) as file:
        events = file["ev"].astype(np.float32)
    np.testing.assert_array_equal(tensor.dff(0, tensor.n_frames), events.T)
    assert not allen.jobs("tensors", *given)


def test_whole_files_outlive_a_rule_that_runs_again_and_a_server_that_is_gone(allen, server):
    given = configured(allen, server=server.address, ids=[FIRST])
    allen.made("catalogue", *given)
    allen.made("sessions", *given)
    before = fetched(allen, FIRST).stat().st_ino
    server.always[link_of(server, FIRST)] = Fault(status=503)
    run = allen.made("sessions", *given, "--forcerun", "fetch_session")
    assert "is here and whole" in said(run)
    assert fetched(allen, FIRST).stat().st_ino == before
    # The bytes are the server's: an edit of the code that fetches brings no other ones.
    allen.edit("workflow/glassbox/sessions/download.py", "1 << 16", "1 << 17")
    assert not allen.jobs("sessions", *given)
    stored = allen.root / CATALOGUE
    stored.write_text(stored.read_text().replace(link_of(server, FIRST), "/corrected"))
    assert allen.jobs("sessions", *given)[f"fetch_session:{FIRST}"] == 1


def test_a_session_that_cannot_be_fetched_stops_its_own_cohorts_only(allen, server):
    given = configured(allen, server=server.address, session_types=["three_session_A"])
    allen.made("catalogue", *given)
    wrong, right = link_of(server, FIRST), link_of(server, THIRD)
    server.files[wrong] = server.files[right]  # whole, but another session's
    run = allen.snakemake("tensors", *given)
    assert run.returncode != 0 and "Traceback" not in said(run)
    assert f"error: {FIRST}.nwb: the file came twice" in said(run)
    assert f"the file is of session {THIRD}, asked for was {FIRST}" in said(run)
    assert not fetched(allen, FIRST).exists() and fetched(allen, THIRD).exists()
    assert (allen.results / "tensors" / f"{THIRD}.json").exists()


def test_a_folder_of_allensdk_is_used_as_it_is_and_no_server_is_asked(allen, server):
    folder = allen.root / "boc"
    made_by_allensdk(folder, server, FIRST, THIRD)
    before = files_below(folder)
    server.asked.clear()
    given = configured(allen, manifest="boc")
    allen.made("catalogue", *given)
    allen.made("tensors", *given)
    for session in (FIRST, THIRD):
        assert (allen.results / "tensors" / f"{session}.json").exists()
    assert files_below(folder) == before
    assert not server.asked
    assert not (allen.results / "sessions" / "allen").exists()
    # allensdk leaves half a file where it is killed in a download.
    half = folder / "ophys_experiment_data" / f"{FIRST}.nwb"
    half.write_bytes(half.read_bytes()[:10_000])
    run = allen.made("--dry-run", *given)
    assert f"excluded: {FIRST}.nwb: the file is truncated" in said(run)
    assert "report_refused" in rules_of(allen.jobs(*given))


@pytest.mark.real
def test_the_real_sessions_are_chosen_from_the_real_table_and_fetched(allen, real_nwb_dir):
    """Of 648 sessions the two that are at hand, through broken connections."""
    ids = (527745328, 527676626)
    house = AllenStandIn(records=records_of_table(real_nwb_dir / "ophys_experiments_2017.csv"))
    for session in ids:
        house.add_file(session, NWB, (real_nwb_dir / f"{session}.nwb").read_bytes())
    with house.running():
        given = configured(allen, server=house.address, ids=list(ids), cre_lines=["Cux2-CreERT2"])
        allen.made("catalogue", *given)
        assert len(rows_of(allen)) == len(house.records) == 648
        big = link_of(house, ids[0])
        house.fail(big, Fault(breaks_after=7_000_000), Fault(stops_after=11_000_000))
        allen.made("sessions", *given)
        assert house.sent(big) < 1.2 * len(house.files[big])
    for session in ids:
        same = (real_nwb_dir / f"{session}.nwb").read_bytes()
        assert fetched(allen, session).read_bytes() == same
        with h5py.File(fetched(allen, session)) as file:
            assert file[layout.SESSION_ID][()] == str(session).encode()
    jobs = allen.jobs(*given)
    assert "train_decoder:mouse-244896" in jobs
    assert not [job for job in jobs if job.startswith("fetch")]

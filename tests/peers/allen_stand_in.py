"""A server on loopback that speaks the part of the Allen API that is asked for.

Queries (`/api/v2/data/query.json?q=...`) of all sessions with their files and of the files of one
kind of one session, and the files themselves. Records have the fields that allensdk 2.16.2
reads (`api/queries/brain_observatory_api.py`).
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import h5py
import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "unit"))
from faulty_server import FaultyServer
from glassbox.sessions import layout
from tiny_nwb import tiny_nwb

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".venv-allensdk"

QUERY = "/api/v2/data/query.json"
NWB, EVENTS = "NWBOphys", "ObservatoryEventsFile"
SESSIONS = (
    "model::OphysExperiment,rma::include,experiment_container,"
    "well_known_files(well_known_file_type),targeted_structure,"
    "specimen(donor(age,transgenic_lines)),rma::options[num_rows$eq'all'][count$eqfalse]"
)
# allensdk's cache asks this of eye tracking beside all sessions, each time; we ask it of events.
OF_A_KIND = (
    "model::WellKnownFile,rma::criteria,well_known_file_type[name$eq{kind}],"
    "rma::options[num_rows$eq'all'][count$eqfalse]"
)
FILE = re.compile(
    r"model::WellKnownFile,rma::criteria,\[attachable_id\$eq(\d+)\],"
    r"well_known_file_type\[name\$eq(\w+)\],rma::options\[num_rows\$eq'all'\]\[count\$eqfalse\]"
)


@dataclass
class AllenStandIn(FaultyServer):
    """The API over records of sessions; files that are not given do not exist."""

    records: list[dict[str, Any]] = field(default_factory=list)

    def add_file(self, session: int, kind: str, content: bytes) -> str:
        """Give a session a file; returns its path on the server."""
        record = next(record for record in self.records if record["id"] == session)
        known = [f for f in record["well_known_files"] if f["well_known_file_type"]["name"] == kind]
        if not known:
            number = 900_000_000 + sum(len(r["well_known_files"]) for r in self.records)
            known = [file_record(session, kind, f"/api/v2/well_known_file_download/{number}")]
            record["well_known_files"] += known
        self.files[known[0]["download_link"]] = content
        return known[0]["download_link"]

    def content(self, path: str) -> bytes | None:
        if not path.startswith(QUERY):
            return super().content(path)
        query = unquote(path).partition("?q=")[2]
        one = FILE.fullmatch(query)
        if query == SESSIONS:
            found = self.records
        elif query == OF_A_KIND.format(kind="EyeDlcScreenMapping"):
            found = []
        elif query == OF_A_KIND.format(kind=EVENTS):
            found = [
                file
                for record in self.records
                for file in record.get("well_known_files", [])
                if file["well_known_file_type"]["name"] == EVENTS
            ]
        elif one:
            found = [
                file
                for record in self.records
                for file in record["well_known_files"]
                if (str(record["id"]), file["well_known_file_type"]["name"]) == one.groups()
            ]
        else:
            return json.dumps({"success": False, "msg": f"cannot parse {query}"}).encode()
        answer = {"success": True, "id": 0, "start_row": 0, "num_rows": len(found), "msg": found}
        return json.dumps(answer).encode()


def file_record(session: int, kind: str, link: str) -> dict[str, Any]:
    return {
        "attachable_id": session,
        "attachable_type": "OphysExperiment",
        "download_link": link,
        "id": int(link.rpartition("/")[2]),
        "path": f"/external/{session}",
        "well_known_file_type": {"name": kind},
    }


def record(
    session: int,
    *,
    container: int = 1,
    mouse: str = "100001",
    cre_line: str = "Cux2-CreERT2",
    genotype: str = "",
    area: str = "VISp",
    depth_um: int = 275,
    session_type: str = "three_session_A",
    reporter: str = "Ai93(TITL-GCaMP6f)",
    drivers: Iterable[str] = (),
    links: dict[str, str] | None = None,
    failed: bool = False,
    born: str = "2016-01-01T00:00:00Z",
    recorded: str = "2016-04-20T00:00:00Z",
) -> dict[str, Any]:
    """A session as the API describes it."""
    lines = [{"name": reporter, "transgenic_line_type_name": "reporter"}]
    lines += [{"name": n, "transgenic_line_type_name": "driver"} for n in (*drivers, cre_line)]
    return {
        "id": session,
        "experiment_container_id": container,
        "experiment_container": {"id": container, "failed": failed},
        "imaging_depth": depth_um,
        "stimulus_name": session_type,
        "date_of_acquisition": recorded,
        "targeted_structure": {"acronym": area},
        "specimen": {
            "name": f"{cre_line};Camk2a-tTA;Ai93-{mouse}",
            "donor": {
                "external_donor_name": mouse,
                "full_genotype": genotype or f"{cre_line}/wt;Camk2a-tTA/wt;{reporter}/wt",
                "date_of_birth": born,
                "transgenic_lines": lines,
            },
        },
        "well_known_files": [file_record(session, kind, at) for kind, at in (links or {}).items()],
    }


FIRST, SECOND, THIRD, FAILED = 900_000_001, 900_000_002, 900_000_003, 900_000_004


def four_sessions(folder: Path) -> AllenStandIn:
    """A server with the small sessions of two mice, and one of a container that failed."""
    house = AllenStandIn(
        records=[
            record(FIRST, container=10, mouse="100001"),
            record(SECOND, container=10, mouse="100001", session_type="three_session_B"),
            record(THIRD, container=11, mouse="100002", cre_line="Rorb-IRES2-Cre", area="VISl"),
            record(FAILED, container=12, mouse="100003", failed=True),
        ]
    )
    for session in (FIRST, SECOND, THIRD, FAILED):
        ids = {layout.SESSION_ID: str(session), layout.OPHYS_EXPERIMENT_ID: str(session)}
        path = tiny_nwb(folder / f"{session}.nwb", metadata=ids, chunks=(1, 2_000))
        house.add_file(session, NWB, path.read_bytes())
        if session != FAILED:  # some sessions have no events
            house.add_file(session, EVENTS, events_of(path))
    return house


def events_of(nwb: Path) -> bytes:
    """The file of events of a session: `ev`, (cells, frames), mostly 0."""
    with h5py.File(nwb) as file:
        shape = file[layout.DFF].shape
    rng = np.random.default_rng(3)
    made = io.BytesIO()
    np.savez_compressed(made, ev=np.where(rng.random(shape) < 0.05, rng.random(shape), 0.0))
    return made.getvalue()


def link_of(server: AllenStandIn, session: int, kind: str = NWB) -> str:
    """The path of a session's file on the server."""
    files = next(r["well_known_files"] for r in server.records if r["id"] == session)
    return next(f["download_link"] for f in files if f["well_known_file_type"]["name"] == kind)


MAKE_FOLDER = """
import sys
from allensdk.core.brain_observatory_cache import BrainObservatoryCache
cache = BrainObservatoryCache(manifest_file=sys.argv[1], base_uri=sys.argv[2])
cache.get_ophys_experiments()
for session in sys.argv[3:]:
    cache.get_ophys_experiment_data(int(session))
"""


def made_by_allensdk(folder: Path, server: AllenStandIn, *sessions: int) -> None:
    """Make the folder that allensdk itself makes when it is asked for sessions."""
    names = [folder / "manifest.json", server.address, *map(str, sessions)]
    subprocess.run(
        [ENVIRONMENT / "bin" / "python", "-c", MAKE_FOLDER, *names],
        env={"PYTHONWARNINGS": "ignore", "PATH": os.defpath, "MPLBACKEND": "agg"},
        check=True,
        capture_output=True,
        timeout=120,
    )


def files_below(folder: Path) -> dict[str, tuple[int, int]]:
    """Time of change and size of everything in a folder."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in folder.rglob("*")
    }


def records_of_table(table: Path) -> list[dict[str, Any]]:
    """The sessions of a table of real ones."""
    with table.open() as file:
        return [
            record(
                int(row["id"]),
                container=int(row["experiment_container_id"]),
                mouse=row["donor_name"],
                cre_line=row["cre_line"],
                genotype=row["full_genotype"],
                area=row["targeted_structure"],
                depth_um=int(row["imaging_depth"]),
                session_type=row["session_type"],
                reporter=row["reporter_line"],
                drivers=set(row["driver_lines"].split(";")) - {row["cre_line"]},
                links={NWB: row["nwb_download_link"]},
                born=row["date_of_birth"],
                recorded=row["date_of_acquisition"],
            )
            for row in csv.DictReader(file)
        ]

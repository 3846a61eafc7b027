"""The stored catalogue of Allen Visual Coding: what the Allen API said of every session, once."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from glassbox.errors import UserError
from glassbox.files import replacing_file
from glassbox.sessions.catalogue import read_tsv

COMMAND = "snakemake --cores 1 catalogue --configfile config/allen.yaml"


@dataclass(frozen=True)
class AllenSession:
    """A session of the stored catalogue, every value a text and empty where it is not known.

    Attributes:
        session: its id, that of the ophys experiment.
        container: id of the container: the sessions of one field of view.
        mouse: name of the donor, the number at the end of its specimen's name.
        depth_um: imaging depth, µm.
        stimuli: what a session of its type shows, joined by ';'.
        failed: `true` where its container failed the Allen Institute's checks.
        link, events_link: addresses of its NWB file and of its events.
        nwb_file, events_file: where they are to lie, seen from the manifest of allensdk.
        asked: the server, or the manifest, that said all this.
    """

    session: str
    container: str = ""
    mouse: str = ""
    cre_line: str = ""
    genotype: str = ""
    area: str = ""
    depth_um: str = ""
    session_type: str = ""
    stimuli: str = ""
    failed: str = ""
    link: str = ""
    events_link: str = ""
    nwb_file: str = ""
    events_file: str = ""
    asked: str = ""


COLUMNS = tuple(field.name for field in fields(AllenSession))


def write_allen_catalogue(path: str | Path, sessions: Iterable[AllenSession]) -> None:
    """Write the catalogue, sorted by id."""
    ordered = sorted(sessions, key=lambda s: (len(s.session), s.session))
    with replacing_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(
            file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None
        )
        writer.writerow(COLUMNS)
        for session in ordered:
            # Whatever ends a cell or a line would break the table.
            writer.writerow([" ".join(getattr(session, name).split()) for name in COLUMNS])


def read_allen_catalogue(path: str | Path) -> list[AllenSession]:
    """The sessions of a stored catalogue.

    Raises:
        UserError: there is none, it is no such table, or it names a session twice.
    """
    if not Path(path).exists():
        raise uncatalogued(path)
    lines = read_tsv(Path(path), required=COLUMNS, allowed=COLUMNS)
    sessions = [AllenSession(**line) for _, line in lines]
    names = [session.session for session in sessions]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"{path}: the session {twice} stands there twice. {again(path)}")
    if not sessions:
        raise UserError(f"{path}: the catalogue has no session. {again(path)}")
    return sessions


def uncatalogued(path: str | Path) -> UserError:
    """What is said where nothing is known of the sessions yet."""
    return UserError(
        f"{path}: the catalogue of Allen Visual Coding is not here yet; give this command first, "
        f"with your own --configfile and --directory where you use them: {COMMAND}"
    )


def again(path: str | Path) -> str:
    """What to do with a stored catalogue that does not serve."""
    return f"To ask anew, delete {path} and give: {COMMAND}"

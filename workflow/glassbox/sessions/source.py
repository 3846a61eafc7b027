"""Where the sessions come from: the simulator, a folder, one's own catalogue, or the Allen one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from glassbox.errors import UserError
from glassbox.files import replacing_file
from glassbox.sessions.allen_options import AllenOptions
from glassbox.sessions.allen_source import allen_folder, allen_rows, from_here
from glassbox.sessions.catalogue import (
    Row,
    catalogue_folder,
    catalogue_from_table,
    path_of,
    previous_rows,
    write_catalogue,
)
from glassbox.sessions.cohorts import Excluded
from glassbox.sessions.options import SimulateOptions
from glassbox.sessions.simulated_mice import simulated_catalogue
from glassbox.tables import COLUMNS, write_table


@dataclass(frozen=True)
class SourceOptions:
    """Where the sessions come from."""

    source: Literal["simulated", "folder", "catalogue", "allen"] = "simulated"
    catalogue: str = ""  # table of session and file, tab-separated, for source: catalogue; relative
    # to where the command is typed
    ignore_stimuli: tuple[str, ...] = ()  # unknown stimuli whose trials are passed over
    simulate: SimulateOptions = field(default_factory=SimulateOptions)
    allen: AllenOptions = field(default_factory=AllenOptions)

    def check(self, section: str) -> None:
        if self.source == "catalogue" and not self.catalogue:
            raise UserError(
                f"{section}.catalogue: {section}.source is catalogue, and no table is named here; "
                "expected a file with the columns session and file."
            )


def sessions_folder(options: SourceOptions, nwb_dir: str | None, typed_in: str | Path) -> Path:
    """The folder that the files of the catalogue's rows are names in.

    Args:
        nwb_dir: the folder of NWB files, for `source: folder`.
        typed_in: where the command was typed. A relative folder is meant from there, and stays
            relative, now to the working directory, so that results and sessions can move together.

    Raises:
        UserError: no folder is given.
    """
    if options.source == "simulated":
        return Path("results/sessions")
    if options.source == "allen":
        return allen_folder(options.allen, typed_in)
    if options.source == "catalogue":
        return from_here(options.catalogue, typed_in).parent
    if not nwb_dir:
        raise UserError(
            "nwb_dir: sessions.source is folder, and no folder is given; add "
            "--config nwb_dir=FOLDER to the command."
        )
    return from_here(nwb_dir, typed_in)


def list_sessions(
    options: SourceOptions,
    folder: str | Path,
    typed_in: str | Path,
    catalogue: str | Path,
    allen_catalogue: str | Path,
    events: bool = False,
) -> None:
    """Read the headers and write the catalogue where it changed, with the path of each file.

    Rows of files that have not changed since the last catalogue are taken over unread. Where the
    last one held other sessions only, a sentence says what happens to their results.
    `allen_catalogue` is the stored one that `source: allen` chooses from; with `events`, sessions
    of it without a file of events are refused.
    """
    last = previous_rows(catalogue)
    previous = [replace(row, file=os.path.relpath(row.file, folder)) for row in last]
    if options.source == "simulated":
        rows = simulated_catalogue(options.simulate)
    elif options.source == "folder":
        rows = catalogue_folder(folder, previous, options.ignore_stimuli)
    elif options.source == "allen":
        ignored = options.ignore_stimuli
        rows = allen_rows(options.allen, allen_catalogue, typed_in, previous, ignored, events)
    else:
        table = from_here(options.catalogue, typed_in)
        rows = catalogue_from_table(table, previous, options.ignore_stimuli)
    if last and rows and not {row.session for row in rows} & {row.session for row in last}:
        print(
            f"note: {catalogue}: the results here are of other sessions ({last[0].session}, ...). "
            "Tables and figures will be made again, of the present sessions only; run with "
            "--directory FOLDER to keep both.",
            file=sys.stderr,
        )
    write_catalogue(catalogue, [replace(row, file=str(path_of(row, folder))) for row in rows])


def with_file_names(rows: Iterable[Row]) -> list[Row]:
    """The rows with the names of their files without folders, as the user knows them."""
    return [replace(row, file=Path(row.file).name) for row in rows]


def write_excluded(path: str | Path, excluded: Iterable[Excluded]) -> None:
    """Write the table of sessions that are in no cohort; leave the file alone where it is so."""
    path = Path(path)
    with replacing_file(path) as partial:
        columns = COLUMNS["excluded"]
        rows = ({column: getattr(session, column) for column in columns} for session in excluded)
        write_table("excluded", partial, rows)
        if path.exists() and path.read_bytes() == partial.read_bytes():
            stamp = path.stat().st_mtime_ns
            os.utime(partial, ns=(stamp, stamp))

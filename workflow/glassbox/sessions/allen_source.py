"""The sessions of Allen Visual Coding as rows of the catalogue: those to fetch, or at hand."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from glassbox.errors import UserError
from glassbox.names import file_name
from glassbox.sessions.allen_catalogue import AllenSession, again, read_allen_catalogue
from glassbox.sessions.allen_options import AllenOptions
from glassbox.sessions.allen_selection import SECTION, choose_sessions, read_ids
from glassbox.sessions.catalogue import NWB_SUFFIX, Row, rows_of_files

FETCHED = Path("results/sessions/allen")  # the folder of fetched files
MANIFEST_NAMES = ("brain_observatory_manifest.json", "manifest.json")


def from_here(path: str, typed_in: str | Path) -> Path:
    """A path as typed elsewhere, seen from the working directory."""
    return Path(path) if os.path.isabs(path) else Path(os.path.relpath(Path(typed_in, path)))


def manifest_file(options: AllenOptions, typed_in: str | Path) -> Path | None:
    """The manifest of allensdk that the options name, or None.

    Raises:
        UserError: there is none.
    """
    if not options.manifest:
        return None
    named = from_here(options.manifest, typed_in)
    candidates = [named / name for name in MANIFEST_NAMES] if named.is_dir() else [named]
    found = next((path for path in candidates if path.is_file()), None)
    if found is None:
        raise UserError(
            f"{SECTION}.manifest: {named}: no manifest of allensdk is here; expected the file that "
            f"BrainObservatoryCache was given as manifest_file, or a folder with "
            f"{' or '.join(MANIFEST_NAMES)}."
        )
    return found


def allen_folder(options: AllenOptions, typed_in: str | Path) -> Path:
    """The folder that the files of the rows are names in."""
    manifest = manifest_file(options, typed_in)
    return manifest.parent if manifest else FETCHED


def asked_of(options: AllenOptions) -> str:
    """Whom the catalogue of these options is asked of, as it is noted in it."""
    return options.manifest or options.server


def chosen_sessions(
    options: AllenOptions, stored: str | Path, typed_in: str | Path
) -> list[AllenSession]:
    """The sessions that the options choose from the stored catalogue, in order of their ids.

    With a manifest, of those whose files are in its folder.

    Raises:
        UserError: nothing is stored yet, it was asked of someone else, or nothing is chosen.
    """
    sessions = read_allen_catalogue(stored)
    if sessions[0].asked != asked_of(options):
        raise UserError(
            f"{stored}: this catalogue is of {sessions[0].asked or 'the Allen API'}, the "
            f"configuration names {asked_of(options) or 'the Allen API'} ({SECTION}.server or "
            f"manifest). {again(stored)}"
        )
    if options.manifest:
        folder = allen_folder(options, typed_in)
        sessions = [s for s in sessions if s.nwb_file and (folder / s.nwb_file).is_file()]
        if not sessions:
            raise UserError(
                f"{SECTION}.manifest: {folder}: none of the sessions that allensdk lists there has "
                "its file there; leave the manifest out to fetch them."
            )
    listed = read_ids(from_here(options.ids_file, typed_in)) if options.ids_file else ()
    return choose_sessions(sessions, options, listed)


def allen_rows(
    options: AllenOptions,
    stored: str | Path,
    typed_in: str | Path,
    previous: Iterable[Row] = (),
    ignore_stimuli: Iterable[str] = (),
    events: bool = False,
) -> list[Row]:
    """A row for each chosen session; with `events`, one without a file of them is refused.

    A session that is to be fetched is described by the stored catalogue alone, before and after
    it has come: nothing is made again because its file arrived. Of a session at hand the header
    is read; what the catalogue states wins over it.
    """
    chosen = chosen_sessions(options, stored, typed_in)
    rows = [_row(session, bool(options.manifest)) for session in chosen]
    if options.manifest:
        folder = allen_folder(options, typed_in)
        rows = rows_of_files(rows, folder, previous, ignore_stimuli)
        has = [(folder / session.events_file).is_file() for session in chosen]
    else:
        has = [bool(session.events_link) for session in chosen]
    if not events:
        return rows
    return [row if there else _without_events(row) for row, there in zip(rows, has, strict=True)]


def events_beside(nwb: str | Path, session: AllenSession | None, to_come: bool) -> str:
    """The file of the events of a session.

    Args:
        nwb: its NWB file. The events lie beside it, `{name}_events.npz`, but in allensdk's folder.
        session: what the stored catalogue says of it, if it is of one.
        to_come: it will be fetched.

    Raises:
        UserError: there is none, and none will come.
    """
    nwb = Path(nwb)
    path = nwb.with_name(f"{nwb.stem}_events.npz")
    if session is not None and session.events_file:
        above = len(Path(session.nwb_file).parts) - 1
        path = nwb.parents[above] / session.events_file
    if not to_come and not path.is_file():
        raise UserError(
            f"{path}: tensors.signal is events, and the file of this session's events is not here; "
            "put it there, exclude the session with cohorts.exclude, or take dF/F "
            "(tensors.signal: dff)."
        )
    return str(path)


def _without_events(row: Row) -> Row:
    sentence = (
        f"{row.session}: tensors.signal is events, and there is no file of events of this session; "
        "exclude it with cohorts.exclude, or take dF/F (tensors.signal: dff)."
    )
    return replace(row, problem=row.problem or sentence)


def _row(session: AllenSession, at_hand: bool) -> Row:
    row = Row(
        session=session.session,
        file=session.nwb_file if at_hand else f"{file_name(session.session)}{NWB_SUFFIX}",
        mouse=session.mouse,
        cre_line=session.cre_line,
        genotype=session.genotype,
        session_type=session.session_type,
        area=session.area,
        depth_um=float(session.depth_um) if session.depth_um else None,
    )
    if at_hand:
        return row
    if not session.link:
        problem = (
            f"{session.session}: the Allen catalogue names no NWB file for this session; exclude "
            "it with cohorts.exclude."
        )
        return replace(row, problem=problem)
    return replace(row, stimuli=tuple(sorted(filter(None, session.stimuli.split(";")))))

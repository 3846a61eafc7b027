"""What allensdk tells of the sessions of Visual Coding: asked of the Allen API, or of a folder.

Needs allensdk 2.16.2. Source of the queries and of the layout of a folder: its
`api/queries/brain_observatory_api.py` and `core/brain_observatory_cache.py`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from glassbox.errors import UserError
from glassbox.sessions.allen_catalogue import AllenSession
from glassbox.sessions.patience import Patience

Experiment = dict[str, Any]
MENDS_ITSELF = (408, 429)  # of the answers below 500 those that another attempt may change


def sessions_of_server(server: str, patience: Patience) -> list[AllenSession]:
    """All sessions that the API has, by one query, and the files of their events, by another.

    Args:
        server: address of the API; empty: the one that allensdk knows.

    Raises:
        UserError: the server does not answer, or not as the API does.
    """
    from allensdk.api.queries.brain_observatory_api import BrainObservatoryApi

    api = BrainObservatoryApi(base_uri=server or None)
    experiments = _answer(api.get_ophys_experiments, api.api_url, patience)
    if not experiments:
        raise UserError(f"{api.api_url}: the server knows no session of Visual Coding.")

    def ask_for_events() -> Any:
        kind = f"well_known_file_type[name$eq{api.OPHYS_EVENTS_FILE_TYPE}]"
        return api.model_query("WellKnownFile", criteria=kind, num_rows="all", count=False)

    events = {
        file["attachable_id"]: file for file in _answer(ask_for_events, api.api_url, patience)
    }

    def addresses(experiment: Experiment) -> dict[str, str]:
        files = {
            "link": next(
                (
                    file
                    for file in experiment["well_known_files"]
                    if file["well_known_file_type"]["name"] == api.NWB_FILE_TYPE
                ),
                None,
            ),
            "events_link": events.get(experiment["id"]),
        }
        return {name: api.api_url + file["download_link"] for name, file in files.items() if file}

    return _sessions(api, experiments, server, addresses)


def sessions_of_manifest(manifest: str | Path, asked: str) -> list[AllenSession]:
    """All sessions that a folder of allensdk's lists, read from its files; no server is asked.

    Args:
        manifest: its manifest file. Nothing is written there.
        asked: what the configuration calls it.

    Raises:
        UserError: the manifest is of another version, or the folder has no list of sessions.
    """
    from allensdk.api.warehouse_cache.cache import Cache
    from allensdk.config.manifest import ManifestVersionError
    from allensdk.core.brain_observatory_cache import BrainObservatoryCache

    manifest = Path(manifest).resolve()
    try:
        cache = BrainObservatoryCache(manifest_file=str(manifest))
        listed = Path(cache.get_cache_path(None, cache.EXPERIMENTS_KEY))
    except ManifestVersionError as error:
        raise UserError(
            f"{manifest}: the manifest is of version {error.found_version}, allensdk reads "
            f"{error.version}; let allensdk make a new one in the same folder."
        ) from None
    except (ValueError, KeyError, TypeError):
        raise UserError(
            f"{manifest}: this is no manifest of allensdk's BrainObservatoryCache."
        ) from None
    if not listed.is_file():
        raise UserError(
            f"{listed}: the list of sessions is not in the folder of the manifest; call "
            "get_ophys_experiments() of its BrainObservatoryCache once where there is internet."
        )
    try:
        # Not the method of the cache: that one asks a server for eye tracking, each time.
        experiments = cache.api.get_ophys_experiments(
            path=str(listed), strategy="file", **Cache.cache_json()
        )
    except ValueError:
        experiments = None
    if not isinstance(experiments, list) or not experiments:
        raise UserError(f"{listed}: expected the list of sessions that allensdk wrote.")

    def places(experiment: Experiment) -> dict[str, str]:
        keys = {"nwb_file": cache.EXPERIMENT_DATA_KEY, "events_file": cache.EVENTS_DATA_KEY}
        return {
            name: os.path.relpath(
                cache.get_cache_path(None, key, experiment["id"]), manifest.parent
            )
            for name, key in keys.items()
        }

    return _sessions(cache.api, experiments, asked, places)


def _answer(ask: Callable[[], Any], server: str, patience: Patience) -> list[Experiment]:
    """The list that a query of allensdk brings, asked again while the server is troubled."""
    pauses = patience.pauses(server)
    socket.setdefaulttimeout(patience.timeout_s)  # allensdk gives none, and would wait for ever
    while True:
        try:
            experiments = ask()
            break
        except HTTPError as error:
            trouble = f"the server answers {error.code} {error.reason}"
            final = error.code < 500 and error.code not in MENDS_ITSELF
        except (OSError, HTTPException, ValueError, KeyError) as error:
            said = str(getattr(error, "reason", error)) or type(error).__name__
            trouble, final = f"no whole answer ({said})", False
        pause = next(pauses, None)
        if final or pause is None:
            raise UserError(
                f"{server}: {trouble}, asked for the sessions of Visual Coding. Look whether this "
                "machine reaches it, or give another address as sessions.allen.server."
            )
        patience.wait(pause, f"{server}: {trouble}")
    if not isinstance(experiments, list):
        raise UserError(
            f"{server}: expected the sessions of Visual Coding; the server answers "
            f"{str(experiments)[:200]!r}."
        )
    return experiments


def _sessions(
    api: Any,
    experiments: list[Experiment],
    asked: str,
    files: Callable[[Experiment], dict[str, str]],
) -> list[AllenSession]:
    """The records of the API as sessions; `files` tells where the files of one are."""
    from allensdk.brain_observatory.stimulus_info import stimuli_in_session

    found = []
    for whole in experiments:
        try:
            (plain,) = api.simplify_ophys_experiments([whole])
            failed = (whole.get("experiment_container") or {}).get("failed")
            found.append(
                AllenSession(
                    session=str(int(plain["id"])),
                    container=str(plain["experiment_container_id"]),
                    mouse=str(plain["donor_name"]),
                    cre_line=plain["cre_line"] or "unknown",
                    genotype=whole["specimen"]["donor"].get("full_genotype") or "",
                    area=plain["targeted_structure"],
                    depth_um=f"{float(plain['imaging_depth']):g}",
                    session_type=plain["session_type"],
                    stimuli=";".join(stimuli_in_session(plain["session_type"])),
                    failed="true" if failed else "false",
                    asked=asked,
                    **files(whole),
                )
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(
                f"{asked or 'the Allen API'}: session {whole.get('id', 'without id')}: {error!r} "
                "in what is told of it; expected a record as allensdk 2.16.2 reads it."
            ) from None
    return found

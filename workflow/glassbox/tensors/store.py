"""Opening the tensor of a session, after a check that it is the one that was written.

    root                      dff (time, cell) f4 · time (time) f8 · cell_specimen_id (cell) i8
                              running_speed, pupil_x, pupil_y, pupil_size (time) f4
                              after_jump (jump) i8
    drifting_gratings, ...    start, stop (trial) i8 · onset (trial) f8 · the conditions (trial) f4
                              blank (trial) bool · block (trial) i4
                              crossfit (fold, trial) i1 · poyo (trial) i1

Any tool that reads Zarr version 3 opens it; `xarray.open_datatree(path, engine="zarr")` gives
the whole.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from glassbox.errors import UserError
from glassbox.files import sha256_of_folder
from glassbox.latency import await_file
from glassbox.tensors.trials import Trials

# Waits between looks at a store that does not match its manifest: on a network file system the
# one may become visible seconds before the other.
RETRY_WAITS_S = (0.2, 1.0, 4.0)
TRIAL_ARRAYS = ("start", "stop", "onset", "blank", "block", "crossfit", "poyo")


def manifest_path(zarr_path: str | Path) -> Path:
    """The manifest of a store: `X.json` beside `X.zarr`."""
    return Path(zarr_path).with_suffix(".json")


def open_session(zarr_path: str | Path, verify: bool = True) -> SessionTensor:
    """Open the tensor of a session.

    Args:
        zarr_path: `{session}.zarr`; its manifest is `{session}.json` beside it.
        verify: compare the content hash of the store with the manifest, a few times.

    Raises:
        UserError: store or manifest are missing, or do not belong together.
    """
    path = Path(zarr_path)
    if verify and path.is_dir():  # Snakemake waits for the store alone
        await_file(manifest_path(path), longest_s=sum(RETRY_WAITS_S))
    manifest = read_manifest(path)
    if verify:
        _verify(path, manifest)
    return SessionTensor(path, manifest)


def read_manifest(zarr_path: str | Path) -> dict[str, Any]:
    """The manifest of a store as a dictionary."""
    path = manifest_path(zarr_path)
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(
            f"{path}: the manifest of the tensor is missing; run the rule convert_session again."
        ) from None
    except ValueError:
        raise UserError(
            f"{path}: the manifest of the tensor is no JSON; delete it and run the rule "
            "convert_session again."
        ) from None


def _verify(path: Path, manifest: dict[str, Any]) -> None:
    for wait in (*RETRY_WAITS_S, None):
        if path.is_dir() and sha256_of_folder(path) == manifest["content_sha256"]:
            return
        if wait is not None:
            time.sleep(wait)
            manifest.update(read_manifest(path))
    raise UserError(
        f"{path}: the tensor is {'not the one' if path.is_dir() else 'missing, and not as'} that "
        f"{manifest_path(path).name} describes; delete both and run the rule convert_session again."
    )


class SessionTensor:
    """The tensor of one session, read on demand.

    Attributes:
        session, mouse, cre_line, genotype, area, session_type: texts.
        depth_um: imaging depth, µm, NaN where unknown.
        frame_rate_hz: frames a second between jumps.
        n_frames, n_cells: shape of dF/F.
        cell_specimen_id: identity of each cell, (cells,), i8.
        after_jump: first frame after each jump of the clock, (jumps,), i8.
        stimuli: stimuli that have trials, sorted.
        manifest: the manifest as it was read.
    """

    def __init__(self, path: Path, manifest: dict[str, Any]):
        self.path = path
        self.manifest = manifest
        self._root = zarr.open_group(path, mode="r", zarr_format=3)
        about = self._root.attrs
        self.session: str = about["session"]
        self.mouse: str = about["mouse"]
        self.cre_line: str = about["cre_line"]
        self.genotype: str = about["genotype"]
        self.area: str = about["area"]
        self.session_type: str = about["session_type"]
        self.depth_um = float("nan") if about["depth_um"] is None else float(about["depth_um"])
        self.frame_rate_hz = float(about["frame_rate_hz"])
        self.stimuli: tuple[str, ...] = tuple(about["stimuli"])
        self._dff = self._root["dff"]
        self.n_frames, self.n_cells = self._dff.shape
        self.cell_specimen_id: np.ndarray = self._root["cell_specimen_id"][:]
        self.after_jump: np.ndarray = self._root["after_jump"][:]

    def dff(self, first: int, last: int) -> np.ndarray:
        """dF/F in the frames first..last, (frames, cells), f4."""
        return self._dff[first:last]

    def series(self, name: str) -> np.ndarray:
        """A series of the whole recording, (frames,): time, running_speed, pupil_x, ..."""
        return self._root[name][:]

    def trials(self, stimulus: str) -> Trials:
        """The trials of a stimulus.

        Raises:
            UserError: the session has none.
        """
        if stimulus not in self.stimuli:
            raise UserError(
                f"{self.path.name}: the session {self.session} has no trials of {stimulus}; "
                f"it has {', '.join(self.stimuli) or 'none'}."
            )
        group = self._root[stimulus]
        arrays = {name: group[name][:] for name in TRIAL_ARRAYS}
        conditions = {name: group[name][:] for name in group.attrs["conditions"]}
        return Trials(stimulus=stimulus, conditions=conditions, **arrays)

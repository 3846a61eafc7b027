"""Analyse a session's drifting gratings with allensdk. Runs in allensdk's own environment.

.venv-allensdk/bin/python tests/peers/gratings_of_allensdk.py SESSION.nwb SEEN.npz EVERY

Every EVERY-th cell is analysed: allensdk handles each cell of each sweep by itself. It asks for the
fluorescence and relates each sweep to the second before it; what it is given here is 1 + dF/F,
which is fluorescence in units of its baseline, for a session may lack the fluorescence itself.
"""

import sys

import numpy as np
from allensdk.brain_observatory.drifting_gratings import DriftingGratings
from allensdk.core.brain_observatory_nwb_data_set import BrainObservatoryNwbDataSet

COLUMNS = ("ori_dg", "tf_dg", "osi_dg", "dsi_dg", "cv_os_dg", "cv_ds_dg")


class SomeCells:
    """A session that has every so-manyth cell alone, for what the analysis asks of it."""

    def __init__(self, session: BrainObservatoryNwbDataSet, every: int):
        self.session = session
        self.every = every

    def __getattr__(self, name: str):
        return getattr(self.session, name)

    def get_cell_specimen_ids(self) -> np.ndarray:
        return self.session.get_cell_specimen_ids()[:: self.every]

    def get_roi_ids(self) -> np.ndarray:
        return self.session.get_roi_ids()[:: self.every]

    def get_corrected_fluorescence_traces(self, *args, **kwargs):
        times, traces = self.get_dff_traces()
        return times, 1 + traces.astype(float)

    def get_dff_traces(self, *args, **kwargs):
        times, traces = self.session.get_dff_traces(*args, **kwargs)
        return times, traces[:: self.every]

    def get_running_speed(self, *args, **kwargs):
        """Nobody asks for the mouse's running here, and a session may lack it."""
        times, _ = self.get_dff_traces()
        return np.zeros(len(times)), times


def main(nwb: str, out: str, every: str) -> None:
    analysis = DriftingGratings(SomeCells(BrainObservatoryNwbDataSet(nwb), int(every)))
    peak = analysis.peak
    arrays = {name: np.asarray(peak[name], dtype=float) for name in COLUMNS}
    np.savez(
        out,
        response=np.asarray(analysis.response, dtype=float),
        directions=np.asarray(analysis.orivals, dtype=float),
        frequencies=np.asarray(analysis.tfvals, dtype=float),
        cell_specimen_id=np.asarray(peak["cell_specimen_id"], dtype=np.int64),
        **arrays,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Read a session with allensdk and write what it saw. Runs in allensdk's own environment.

.venv-allensdk/bin/python tests/peers/read_with_allensdk.py SESSION.nwb SEEN.npz
"""

import json
import logging
import sys

import numpy as np
from allensdk.brain_observatory.brain_observatory_exceptions import NoEyeTrackingException
from allensdk.core.brain_observatory_nwb_data_set import BrainObservatoryNwbDataSet


def seen(path: str) -> dict[str, np.ndarray]:
    """What allensdk reads, by name; tables as one array a column."""
    session = BrainObservatoryNwbDataSet(path)
    times, dff = session.get_dff_traces()
    metadata = session.get_metadata()
    metadata["session_start_time"] = metadata["session_start_time"].isoformat()
    metadata["session_type_of_epochs"] = session.get_session_type()
    arrays = {
        "dff": dff,
        "dff_times": times,
        "fluorescence_times": session.get_fluorescence_timestamps(),
        "cell_specimen_ids": session.get_cell_specimen_ids(),
        "roi_ids": session.get_roi_ids(),
        "stimuli": np.array(session.list_stimuli()),
        "metadata": np.array(json.dumps(metadata)),
    }
    for stimulus in session.list_stimuli():
        arrays.update(columns(stimulus, session.get_stimulus_table(stimulus)))
    arrays.update(columns("epochs", session.get_stimulus_epoch_table()))
    arrays.update(columns("master", session.get_stimulus_table("master")))
    arrays.update(behaviour(session))
    return arrays


def behaviour(session: BrainObservatoryNwbDataSet) -> dict[str, np.ndarray]:
    """Running, pupil and masks, where the session has them."""
    reads = {
        ("running_speed", "running_times"): session.get_running_speed,
        ("pupil_times", "pupil_location"): lambda: session.get_pupil_location(as_spherical=False),
        ("pupil_times", "pupil_spherical"): session.get_pupil_location,
        ("pupil_times", "pupil_size"): session.get_pupil_size,
        ("masks",): lambda: [session.get_roi_mask_array()],
    }
    arrays = {}
    for names, read in reads.items():
        try:
            arrays.update(zip(names, read(), strict=True))
        except (KeyError, IndexError, NoEyeTrackingException) as error:
            logging.warning("no %s: %r", names[-1], error)
    return arrays


def columns(name: str, table) -> dict[str, np.ndarray]:
    """A data frame as arrays; texts as fixed-length ones, so that no pickle is needed."""
    arrays = {}
    for column in table.columns:
        values = table[column].to_numpy()
        arrays[f"{name}/{column}"] = values.astype(str) if values.dtype == object else values
    return arrays


if __name__ == "__main__":
    np.savez(sys.argv[2], **seen(sys.argv[1]))

"""allensdk's own analysis of drifting gratings says of a real session's cells what ours does.

Build its environment once with `tests/peers/make_env.sh allensdk`; REAL_NWB_DIR names the folder of
the session.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from glassbox.sessions.nwb import NwbSession
from glassbox.units.selectivity import (
    circular_mean,
    direction_selectivity,
    orientation_selectivity,
    preferred,
)
from glassbox.units.tuning import tuning_curves

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".venv-allensdk"
ANALYSIS = Path(__file__).with_name("gratings_of_allensdk.py")
SESSION = "527745328.nwb"
EVERY = 4  # cells; allensdk takes a third of a second for each
SWEEP, GREY = 60, 30  # frames of a sweep, and of the grey before it that allensdk relates it to

pytestmark = [pytest.mark.peer, pytest.mark.real, pytest.mark.slow]


@pytest.fixture(scope="module")
def theirs(real_nwb_dir, tmp_path_factory) -> dict[str, np.ndarray]:
    if not (ENVIRONMENT / "built-from.txt").is_file():
        pytest.skip("no allensdk here; build it once with tests/peers/make_env.sh allensdk")
    folder = tmp_path_factory.mktemp("gratings")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    python, nwb, out = ENVIRONMENT / "bin" / "python", real_nwb_dir / SESSION, folder / "seen.npz"
    subprocess.run(
        [python, ANALYSIS, nwb, out, str(EVERY)],
        check=True,
        env={**clean, "PYTHONNOUSERSITE": "1", "PYTHONWARNINGS": "ignore", "MPLBACKEND": "agg"},
        cwd=folder,
    )
    with np.load(out) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def ours(real_nwb_dir) -> np.ndarray:
    """Mean response of the same cells, (cells, directions, frequencies), by our reader and curves.

    Of each sweep the mean over its frames, relative to the grey before it as allensdk does.
    """
    with NwbSession(real_nwb_dir / SESSION) as session:
        table = session.stimulus_tables()["drifting_gratings"]
        dff = session.dff_rows(0, session.n_cells)[::EVERY].astype(float)
    # A sweep with less grey before it than that has no response there, nor here.
    shown = np.flatnonzero(~table.blank & (table.start >= GREY))
    start = table.start[shown]
    sweep = np.stack([dff[:, s : s + SWEEP].mean(axis=1) for s in start])
    grey = np.stack([dff[:, s - GREY : s].mean(axis=1) for s in start])
    response = 100 * ((1 + sweep) / (1 + grey) - 1)
    directions, d = np.unique(table.conditions["direction"][shown], return_inverse=True)
    frequencies, f = np.unique(table.conditions["temporal_frequency"][shown], return_inverse=True)
    size = len(directions), len(frequencies)
    tuning = tuning_curves(response, d * size[1] + f, size[0] * size[1])
    return tuning.response.reshape(-1, *size)


def at_its_frequency(theirs: dict[str, np.ndarray], response: np.ndarray) -> np.ndarray:
    """Responses by direction at the frequency that allensdk prefers, (cells, directions)."""
    place = theirs["tf_dg"].astype(int) - 1  # theirs counts the blank
    return response[np.arange(len(place)), :, place]


def test_the_mean_responses_are_those_of_allensdk(theirs, ours):
    blank_first = theirs["response"][:, 1:, :-1, 0]  # the last column is running
    np.testing.assert_allclose(ours, np.moveaxis(blank_first, 2, 0), rtol=1e-4, atol=1e-3)


def test_every_cell_prefers_the_same_direction_and_frequency(theirs, ours):
    best = preferred(ours.reshape(len(ours), -1))
    direction, frequency = np.unravel_index(best, ours.shape[1:])
    np.testing.assert_array_equal(direction, theirs["ori_dg"])
    np.testing.assert_array_equal(frequency, theirs["tf_dg"] - 1)


def test_direction_selectivity_is_that_of_allensdk(theirs, ours):
    tuning = at_its_frequency(theirs, ours)
    index = direction_selectivity(tuning, theirs["directions"])
    cell, best = np.arange(len(tuning)), theirs["ori_dg"].astype(int)
    defined = tuning[cell, best] + tuning[cell, (best + 4) % 8] > 0  # else ours says nothing
    assert defined.mean() > 0.9
    assert np.isnan(index[~defined]).all()
    np.testing.assert_allclose(index[defined], theirs["dsi_dg"][defined], rtol=1e-3, atol=1e-3)


def test_orientation_selectivity_and_circular_variance_are_those_of_allensdk(theirs, ours):
    """Its `cv_os_dg` is our OSI, 1 − circular variance; its `osi_dg` is another index."""
    tuning = np.maximum(at_its_frequency(theirs, ours), 0)  # theirs takes no negative response
    osi = orientation_selectivity(tuning, theirs["directions"])
    np.testing.assert_allclose(osi, theirs["cv_os_dg"], rtol=1e-3, atol=1e-3)
    variance, _ = circular_mean(tuning, theirs["directions"], 360.0)
    np.testing.assert_allclose(1 - variance, theirs["cv_ds_dg"], rtol=1e-3, atol=1e-3)


def test_the_other_orientation_index_follows_from_our_responses(theirs, ours):
    tuning = at_its_frequency(theirs, ours)
    cell, best = np.arange(len(tuning)), theirs["ori_dg"].astype(int)
    orthogonal = (tuning[cell, (best + 2) % 8] + tuning[cell, (best - 2) % 8]) / 2
    index = (tuning[cell, best] - orthogonal) / (tuning[cell, best] + orthogonal)
    np.testing.assert_allclose(index, theirs["osi_dg"], rtol=1e-3, atol=1e-3)

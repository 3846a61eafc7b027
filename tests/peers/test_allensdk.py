"""allensdk, in an environment of its own, reads a simulated session as it was simulated.

Build the environment once with `tests/peers/make_env.sh allensdk`.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from glassbox.sessions import layout, stimuli
from glassbox.sessions.course import COURSE, SESSION_A, SESSION_B
from glassbox.sessions.nwb import NwbSession
from glassbox.sessions.options import SimulateOptions
from glassbox.sessions.roi_masks import FIELD_PIXELS
from glassbox.sessions.simulate import Recording, simulate_session
from glassbox.sessions.write_nwb import RUNNING_LACKS, RUNNING_STARTS, masks_of, write_nwb

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".venv-allensdk"
READER = Path(__file__).with_name("read_with_allensdk.py")
SESSION = "sim-Rorb-01"

pytestmark = pytest.mark.peer


def read_with_allensdk(nwb: Path, folder: Path) -> dict[str, np.ndarray]:
    """What allensdk reads of a file, by name."""
    if not (ENVIRONMENT / "built-from.txt").is_file():
        pytest.skip("no allensdk here; build it once with tests/peers/make_env.sh allensdk")
    out = folder / "seen.npz"
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    subprocess.run(
        [ENVIRONMENT / "bin" / "python", READER, nwb, out],
        check=True,
        env={**clean, "PYTHONNOUSERSITE": "1", "PYTHONWARNINGS": "ignore", "MPLBACKEND": "agg"},
        cwd=folder,
    )
    with np.load(out) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def recording() -> Recording:
    return simulate_session(SimulateOptions(cells_min=12, cells_max=16), SESSION)


@pytest.fixture(scope="module")
def seen(recording, tmp_path_factory) -> dict[str, np.ndarray]:
    folder = tmp_path_factory.mktemp("allensdk")
    nwb = folder / f"{SESSION}.nwb"
    write_nwb(recording, nwb)
    return read_with_allensdk(nwb, folder)


def test_allensdk_reads_the_simulated_dff_and_its_times(recording, seen):
    assert seen["dff"].dtype == np.float32
    np.testing.assert_array_equal(seen["dff"], recording.dff)
    np.testing.assert_array_equal(seen["dff_times"], recording.times)
    np.testing.assert_array_equal(seen["fluorescence_times"], recording.times)


def test_allensdk_reads_the_simulated_cells_and_their_masks(recording, seen):
    ids = recording.cells.cell_specimen_id
    np.testing.assert_array_equal(seen["cell_specimen_ids"], ids)
    assert [name.decode() for name in seen["roi_ids"]] == [str(i) for i in ids]
    assert seen["masks"].shape == (len(ids), FIELD_PIXELS, FIELD_PIXELS)
    np.testing.assert_array_equal(seen["masks"], masks_of(recording))


def test_allensdk_reads_the_simulated_table_of_drifting_gratings(recording, seen):
    schedule = recording.schedule
    shown = schedule.conditions
    assert list(seen["stimuli"]) == [layout.DRIFTING_GRATINGS]
    for name in (layout.DRIFTING_GRATINGS, "master"):
        np.testing.assert_array_equal(seen[f"{name}/orientation"], shown["direction"])
        np.testing.assert_array_equal(
            seen[f"{name}/temporal_frequency"], shown["temporal_frequency"]
        )
        np.testing.assert_array_equal(seen[f"{name}/blank_sweep"], schedule.blank)
        np.testing.assert_array_equal(seen[f"{name}/start"], schedule.start)
        np.testing.assert_array_equal(seen[f"{name}/end"], schedule.stop)


def test_allensdk_finds_the_three_simulated_blocks_as_epochs(recording, seen):
    schedule = recording.schedule
    blocks = np.unique(schedule.block)
    assert list(seen["epochs/stimulus"]) == [layout.DRIFTING_GRATINGS] * 3
    starts = [schedule.start[schedule.block == b].min() for b in blocks]
    ends = [schedule.stop[schedule.block == b].max() for b in blocks]
    np.testing.assert_array_equal(seen["epochs/start"], starts)
    np.testing.assert_array_equal(seen["epochs/end"], ends)


def test_allensdk_reads_the_simulated_running_speed_and_pupil(recording, seen):
    behaviour, times = recording.behaviour, recording.times
    np.testing.assert_array_equal(seen["running_times"], times)
    speed = seen["running_speed"]
    kept = slice(RUNNING_STARTS, len(times) - RUNNING_LACKS)
    assert np.isnan(speed[:RUNNING_STARTS]).all() and np.isnan(speed[-RUNNING_LACKS:]).all()
    # Stored to 1/64 cm/s and 1/64 cm, the pupil's area to a pixel.
    np.testing.assert_allclose(speed[kept], behaviour.running_speed[kept], atol=1 / 128 + 1e-6)
    np.testing.assert_array_equal(seen["pupil_times"], times)
    np.testing.assert_allclose(
        seen["pupil_location"], behaviour.pupil_location, atol=1 / 128 + 1e-6
    )
    np.testing.assert_allclose(seen["pupil_size"], behaviour.pupil_area, atol=0.5 + 1e-3)


def test_allensdk_reads_the_simulated_metadata(recording, seen):
    mouse = recording.mouse
    expected = {
        "cre_line": mouse.genotype.split(";")[0],
        "genotype": mouse.genotype,
        "targeted_structure": mouse.area,
        "imaging_depth_um": mouse.depth_um,
        "sex": mouse.sex,
        "age_days": mouse.age_days,
        "session_type": "three_session_A",
        "session_type_of_epochs": "three_session_A",
        "indicator": "GCaMP6f",
        "excitation_lambda": "910 nanometers",
        "specimen_name": f"{mouse.cre_line};Camk2a-tTA;Ai93-{mouse.mouse}",
        "pipeline_version": "3.0",
    }
    metadata = json.loads(str(seen["metadata"]))
    assert {key: metadata[key] for key in expected} == expected


COLUMNS = {
    "static_gratings": ("orientation", "spatial_frequency", "phase"),
    "natural_scenes": ("frame",),
    "natural_movie_one": ("frame",),
    "natural_movie_three": ("frame",),
    "spontaneous": (),
}


@pytest.fixture(scope="module", params=["sim-Rorb-01", "sim-Rorb-01-B"])
def whole(request, tmp_path_factory) -> tuple[Recording, dict[str, np.ndarray]]:
    """A whole session of each type with all its stimuli, and what allensdk sees of it."""
    options = SimulateOptions(
        session_types=(SESSION_A, SESSION_B),
        stimuli=tuple(dict.fromkeys(COURSE[SESSION_A] + COURSE[SESSION_B])),
        cells_min=3,
        cells_max=3,
    )
    folder = tmp_path_factory.mktemp("whole")
    nwb = folder / f"{request.param}.nwb"
    found = simulate_session(options, request.param)
    write_nwb(found, nwb)
    return found, read_with_allensdk(nwb, folder)


def test_allensdk_reads_the_tables_of_all_simulated_stimuli(whole):
    recording, seen = whole
    assert set(seen["stimuli"]) == set(COURSE[recording.mouse.session_type])
    for name, shown in recording.shown.items():
        np.testing.assert_array_equal(seen[f"{name}/start"], shown.start)
        np.testing.assert_array_equal(seen[f"{name}/end"], shown.stop)
        for column in COLUMNS.get(name, ()):
            if column == "frame":
                (expected,) = shown.index.values()
            else:
                expected = shown.conditions[column]
            np.testing.assert_array_equal(seen[f"{name}/{column}"], expected)
        if "movie" in name:
            clip = shown.index["frame"].max() + 1
            np.testing.assert_array_equal(
                seen[f"{name}/repeat"], np.arange(len(shown.start)) // clip
            )


def test_allensdk_finds_the_blocks_of_all_simulated_stimuli_as_epochs(whole):
    recording, seen = whole
    session_type = recording.mouse.session_type
    assert json.loads(str(seen["metadata"]))["session_type"] == session_type
    assert list(seen["epochs/stimulus"]) == list(COURSE[session_type])
    for name, shown in recording.shown.items():
        first = [shown.start[shown.block == b].min() for b in np.unique(shown.block)]
        last = [shown.stop[shown.block == b].max() for b in np.unique(shown.block)]
        mine = seen["epochs/stimulus"] == name
        np.testing.assert_array_equal(seen["epochs/start"][mine], first)
        np.testing.assert_array_equal(seen["epochs/end"][mine], last)


@pytest.mark.real
def test_allensdk_and_our_reader_agree_on_a_real_session(real_nwb_dir, tmp_path):
    for nwb in sorted(Path(real_nwb_dir).glob("5*.nwb")):
        seen = read_with_allensdk(nwb, tmp_path)
        with NwbSession(nwb) as session:
            np.testing.assert_array_equal(seen["dff"], session.dff_rows(0, session.n_cells))
            np.testing.assert_array_equal(seen["dff_times"], session.frame_times())
            np.testing.assert_array_equal(seen["cell_specimen_ids"], session.cell_specimen_ids())
            header = session.header
            metadata = json.loads(str(seen["metadata"]))
            assert metadata["cre_line"].split("/")[0] == header.cre_line
            assert metadata["imaging_depth_um"] == header.depth_um
            assert metadata["session_type"] == header.session_type
            for name, table in session.stimulus_tables().items():
                np.testing.assert_array_equal(seen[f"{name}/start"], table.start)
                np.testing.assert_array_equal(seen[f"{name}/end"], table.stop)
                np.testing.assert_array_equal(np.isnan(seen[f"{name}/orientation"]), table.blank)
                for condition in stimuli.CONDITIONS[name]:
                    read = seen[f"{name}/{condition.feature}"].astype(np.float32)
                    np.testing.assert_array_equal(read, table.conditions[condition.name])

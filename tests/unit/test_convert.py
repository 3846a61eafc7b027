"""Converting a session: what the tensor holds, that it is made in a stream, whole or not at all."""

import importlib.util
import json
import os
import shutil
import threading
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray
from glassbox.errors import UserError
from glassbox.files import sha256_of_file, sha256_of_folder, sole_writer
from glassbox.sessions import layout
from glassbox.sessions.catalogue import catalogue_folder, catalogue_from_table, described
from glassbox.sessions.nwb import NwbSession
from glassbox.tensors import convert, spool
from glassbox.tensors.convert import (
    CHUNK_BYTES,
    SHARD_BYTES,
    chunk_frames,
    convert_session,
    shard_frames,
)
from glassbox.tensors.options import TensorOptions
from glassbox.tensors.store import open_session
from tiny_nwb import GRATINGS, MOVIE, add_movie, add_scenes, replace, tiny_nwb

SCRIPT = Path(__file__).parents[2] / "workflow" / "scripts" / "convert_session.py"


def converted(nwb, folder, options=TensorOptions(), name="s"):  # noqa: B008 frozen
    out, manifest = folder / f"{name}.zarr", folder / f"{name}.json"
    convert_session(nwb, out, manifest, options)
    return out


@pytest.fixture
def small_shards(monkeypatch):
    """Shards of one chunk and series of few samples: several blocks in a small file."""
    monkeypatch.setattr(convert, "SHARD_BYTES", 1)
    monkeypatch.setattr(convert, "SERIES_BLOCK", 100)


def main(argv):
    spec = importlib.util.spec_from_file_location("convert_session", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main([str(a) for a in argv])


def test_the_tensor_holds_the_recording_turned_over_bit_by_bit(tmp_path, small_shards):
    nwb = tiny_nwb(tmp_path / "a.nwb")
    tensor = open_session(converted(nwb, tmp_path))
    with h5py.File(nwb) as file:
        np.testing.assert_array_equal(tensor.dff(0, tensor.n_frames), file[layout.DFF][:].T)
        np.testing.assert_array_equal(tensor.series("time"), file[layout.DFF_TIMES][:])
        np.testing.assert_array_equal(tensor.cell_specimen_id, file[layout.CELL_SPECIMEN_IDS])


def test_the_metadata_travels_with_the_tensor(tmp_path):
    nwb = tiny_nwb(tmp_path / "a.nwb")
    tensor = open_session(converted(nwb, tmp_path))
    assert (tensor.session, tensor.mouse, tensor.cre_line) == ("900001", "244896", "Cux2-CreERT2")
    assert (tensor.area, tensor.depth_um, tensor.frame_rate_hz) == ("VISp", 275.0, 30.0)
    assert tensor.manifest["source_sha256"] == sha256_of_file(nwb)
    assert tensor.manifest["tasks"] == ["direction", "temporal_frequency"]
    trials = tensor.manifest["trials"]["drifting_gratings"]
    assert (trials["total"], trials["blank"]) == (40, 4)
    assert trials["conditions"]["direction"] == [0.0, 90.0, 180.0, 270.0]


@pytest.mark.parametrize("block", [100, 10_000])
def test_a_jump_of_the_clock_is_found_wherever_blocks_end(tmp_path, monkeypatch, block):
    nwb = tiny_nwb(tmp_path / "a.nwb")
    with NwbSession(nwb) as session:
        jump = int(np.argmax(np.diff(session.frame_times()))) + 1
    for size in (block, jump, jump - 1, jump + 1):
        monkeypatch.setattr(convert, "SERIES_BLOCK", size)
        tensor = open_session(converted(nwb, tmp_path))
        np.testing.assert_array_equal(tensor.after_jump, [jump])
    trials = tensor.trials("drifting_gratings")
    np.testing.assert_array_equal(trials.block, np.arange(40) > 19)
    np.testing.assert_array_equal(trials.onset, tensor.series("time")[trials.start])


def test_jitter_of_the_clock_is_no_jump(tmp_path):
    def jitter(file: h5py.File) -> None:
        rng = np.random.default_rng(0)
        times = file[layout.DFF_TIMES][:]
        replace(file, layout.DFF_TIMES, times + rng.uniform(-0.2, 0.2, len(times)) / 30)

    nwb = tiny_nwb(tmp_path / "a.nwb", jump_after_trial=None, change=jitter)
    assert len(open_session(converted(nwb, tmp_path)).after_jump) == 0


def test_behaviour_stands_on_the_imaging_clock_and_is_nan_where_absent(tmp_path, small_shards):
    def run(file: h5py.File) -> None:
        times = file[layout.DFF_TIMES][:]
        file[layout.RUNNING_SPEED] = np.arange(len(times) - 5, dtype="f4")
        file[layout.RUNNING_SPEED_TIMES] = times[2:-3]

    tensor = open_session(converted(tiny_nwb(tmp_path / "a.nwb", change=run), tmp_path))
    speed = tensor.series("running_speed")
    assert np.isnan(speed[:2]).all() and np.isnan(speed[-3:]).all()
    np.testing.assert_array_equal(speed[2:-3], np.arange(len(speed) - 5))
    for name in ("pupil_x", "pupil_y", "pupil_size"):
        assert np.isnan(tensor.series(name)).all()


def test_static_gratings_become_trials_of_their_own(tmp_path):
    tensor = open_session(
        converted(tiny_nwb(tmp_path / "a.nwb", stimulus="static_gratings"), tmp_path)
    )
    assert tensor.stimuli == ("static_gratings",)
    assert tensor.manifest["tasks"] == ["orientation", "spatial_frequency", "phase"]


def test_natural_scenes_become_trials_beside_the_gratings(tmp_path):
    tensor = open_session(converted(tiny_nwb(tmp_path / "a.nwb", change=add_scenes), tmp_path))
    assert tensor.stimuli == ("drifting_gratings", "natural_scenes")
    assert tensor.manifest["tasks"] == ["direction", "temporal_frequency", "scene"]
    trials = tensor.trials("natural_scenes")
    assert len(trials) == 60 and trials.blank.sum() == 6
    assert (trials.poyo[trials.blank] == -1).all() and np.isnan(trials.conditions["scene"][9])
    assert (tensor.manifest["trials"]["natural_scenes"]["conditions"]["scene"]) == [0, 1, 2, 3]


@pytest.mark.parametrize("frames", [15, 20, 25, 1])
def test_segments_of_a_movie_are_whole_numbered_in_the_clip_and_repeated(tmp_path, frames):
    """A clip of 60 frames five times: 60 // frames segments each time, the rest left out."""
    nwb = tiny_nwb(tmp_path / "a.nwb", change=add_movie)
    options = TensorOptions(movie_segment_frames=frames)
    tensor = open_session(converted(nwb, tmp_path, options))
    trials, each = tensor.trials("natural_movie_one"), 60 // frames
    np.testing.assert_array_equal(trials.conditions["segment"], np.tile(np.arange(each), 5))
    shown = np.arange(5)[:, None] * 60 + np.arange(each) * frames
    np.testing.assert_array_equal(trials.start, 8 + shown.ravel() * 29 // 30)
    assert (trials.stop > trials.start).all() and (trials.stop - trials.start <= frames).all()
    assert not trials.blank.any()
    assert "movie_one_segment" in tensor.manifest["tasks"]


def test_a_repeat_that_was_cut_short_loses_its_last_segment_alone(tmp_path):
    def cut(file: h5py.File) -> None:
        add_movie(file)
        for name in ("data", "frame_duration"):
            path = f"{MOVIE}/{name}"
            replace(file, path, np.delete(file[path][:], np.s_[100:120], axis=0))

    tensor = open_session(converted(tiny_nwb(tmp_path / "a.nwb", change=cut), tmp_path))
    found = tensor.trials("natural_movie_one").conditions["segment"]
    np.testing.assert_array_equal(found, [0, 1, 2, 3, 0, 1, *[0, 1, 2, 3] * 3])


def test_a_movie_shorter_than_a_segment_is_no_task(tmp_path):
    nwb = tiny_nwb(tmp_path / "a.nwb", change=lambda file: add_movie(file, clip=10))
    tensor = open_session(converted(nwb, tmp_path))
    assert len(tensor.trials("natural_movie_one")) == 0
    assert "movie_one_segment" not in tensor.manifest["tasks"]


def test_behaviour_is_a_task_where_it_was_recorded(tmp_path):
    def run(file: h5py.File) -> None:
        times = file[layout.DFF_TIMES][:]
        file[layout.RUNNING_SPEED] = np.arange(len(times), dtype="f4")
        file[layout.RUNNING_SPEED_TIMES] = times

    tensor = open_session(converted(tiny_nwb(tmp_path / "a.nwb", change=run), tmp_path))
    assert tensor.manifest["tasks"] == ["direction", "temporal_frequency", "running_speed"]


def test_a_session_without_gratings_becomes_a_tensor_without_trials(tmp_path):
    nwb = tiny_nwb(tmp_path / "a.nwb", change=lambda f: f.__delitem__(layout.PRESENTATION))
    tensor = open_session(converted(nwb, tmp_path))
    assert tensor.stimuli == () and tensor.manifest["tasks"] == []
    with pytest.raises(UserError, match="has no trials of drifting_gratings"):
        tensor.trials("drifting_gratings")


def test_converting_again_gives_the_same_bytes(tmp_path):
    nwb = tiny_nwb(tmp_path / "a.nwb")
    first = converted(nwb, tmp_path, name="first")
    second = converted(nwb, tmp_path, name="second")
    assert sha256_of_folder(first) == sha256_of_folder(second)
    assert first.with_suffix(".json").read_bytes() == second.with_suffix(".json").read_bytes()


def test_xarray_opens_the_tensor_without_a_warning(tmp_path, recwarn):
    out = converted(tiny_nwb(tmp_path / "a.nwb"), tmp_path)
    tree = xarray.open_datatree(out, engine="zarr")
    root = xarray.open_zarr(out)
    assert tree["dff"].dims == ("time", "cell")
    assert tree["drifting_gratings/crossfit"].sizes == {"fold": 5, "trial": 40}
    assert set(root["dff"].coords) == {"time", "cell_specimen_id"}
    assert [str(w.message) for w in recwarn] == []


@pytest.mark.parametrize("cells", [1, 5, 254, 2_000, 100_000])
def test_a_shard_is_bounded_in_bytes_and_made_of_whole_chunks(cells):
    frames, of_chunk = shard_frames(cells), chunk_frames(cells)
    assert frames % of_chunk == 0
    assert frames * cells * 4 <= max(SHARD_BYTES, of_chunk * cells * 4)


def test_a_chunk_is_bounded_in_bytes_and_no_longer_than_few_cells_want():
    assert [chunk_frames(cells) for cells in (1, 47, 128, 254, 2_000)] == [256, 256, 128, 64, 64]
    for cells in range(64, 257):
        assert CHUNK_BYTES / 2 < chunk_frames(cells) * cells * 4 <= CHUNK_BYTES


@pytest.mark.parametrize("trials", [20, 80])
def test_no_block_that_is_read_grows_with_the_session(tmp_path, monkeypatch, small_shards, trials):
    largest = {"dff": 0, "times": 0}

    def spy(name, of, method):
        read = getattr(of, method)

        def spied(*args, **kwargs):
            block = read(*args, **kwargs)
            largest[name] = max(largest[name], block.nbytes)
            return block

        monkeypatch.setattr(of, method, spied)

    spy("dff", NwbSession, "dff_values")
    spy("times", NwbSession, "_increasing")
    converted(tiny_nwb(tmp_path / "a.nwb", trials=trials), tmp_path)
    assert largest == {"dff": chunk_frames(5) * 5 * 4, "times": 101 * 8}


@pytest.mark.parametrize(("frames_of_source", "chunks"), [(None, 3), (1000, 3 * 4)])
def test_a_recording_in_long_chunks_is_unpacked_once_and_converts_to_the_same_bytes(
    tmp_path, monkeypatch, small_shards, frames_of_source, chunks
):
    plain = tiny_nwb(tmp_path / "plain.nwb")
    with NwbSession(plain) as session:
        frames = session.n_frames
    long = tiny_nwb(tmp_path / "long.nwb", chunks=(2, frames_of_source or frames))
    reads = []
    read = NwbSession.dff_values
    monkeypatch.setattr(
        NwbSession, "dff_values", lambda self, *where: reads.append(where) or read(self, *where)
    )
    with (
        NwbSession(long) as session,
        spool.readable_by_frames(session, chunk_frames(5), tmp_path / "x") as source,
    ):
        blocks = [source.dff_frames(j, min(j + 64, frames)) for j in range(0, frames, 64)]
    assert len(reads) == chunks  # five cells in chunks of two
    with h5py.File(plain) as file:
        np.testing.assert_array_equal(np.concatenate(blocks), file[layout.DFF][:].T)
    one = converted(plain, tmp_path, name="one")
    other = converted(long, tmp_path, name="other")
    assert sha256_of_folder(one / "dff") == sha256_of_folder(other / "dff")
    assert not list(tmp_path.glob("*.spool")) and not list(tmp_path.glob(".*.spool"))


def test_nan_is_also_found_in_a_recording_in_long_chunks(tmp_path, small_shards):
    def spoil(file: h5py.File) -> None:
        file[layout.DFF][3, 1000] = np.nan

    nwb = tiny_nwb(tmp_path / "a.nwb", chunks=(1, 3000), change=spoil)
    with pytest.raises(UserError, match="1 value of 1 cell is NaN or infinite"):
        converted(nwb, tmp_path)
    assert not list(tmp_path.glob("*.spool")) and not list(tmp_path.glob(".*.spool"))


BREAKS = {
    "NaN or infinite": lambda f: f[layout.DFF].__setitem__((2, 1500), np.nan),
    "expected times that increase": lambda f: f[layout.DFF_TIMES].__setitem__(2000, 0.0),
    "the recording has": lambda f: f[f"{GRATINGS}/frame_duration"].__setitem__((3, 1), 10**6),
}


@pytest.mark.parametrize("said", list(BREAKS))
def test_a_fault_leaves_one_sentence_a_status_and_nothing_half_written(tmp_path, capsys, said):
    nwb = tiny_nwb(tmp_path / "broken.nwb", change=BREAKS[said])
    made = tmp_path / "made"
    made.mkdir()
    with pytest.raises(SystemExit) as stopped:
        main(["--nwb", nwb, "--out", made / "s.zarr", "--manifest", made / "s.json"])
    error = capsys.readouterr().err
    assert stopped.value.code == 2
    assert error.startswith("error: broken.nwb: ") and said in error and "Traceback" not in error
    assert error.count("\n") == 1 and "cohorts.exclude" in error
    assert [p.name for p in made.iterdir() if not p.name.endswith(".lock")] == []


def test_a_fault_leaves_the_tensor_of_before_as_it_was(tmp_path):
    out = converted(tiny_nwb(tmp_path / "a.nwb"), tmp_path)
    before = sha256_of_folder(out)
    broken = tiny_nwb(tmp_path / "a.nwb", change=BREAKS["NaN or infinite"])
    with pytest.raises(UserError):
        converted(broken, tmp_path)
    assert sha256_of_folder(out) == before
    assert open_session(out).n_cells == 5


def test_the_script_converts_and_says_what_it_made(tmp_path, capsys):
    nwb = tiny_nwb(tmp_path / "a.nwb", metadata={layout.AREA: ""})
    arguments = ["--nwb", nwb, "--out", tmp_path / "s.zarr", "--manifest", tmp_path / "s.json"]
    assert main([*arguments, "--options", '{"guard_trials": 0}']) == 0
    said = capsys.readouterr()
    assert "900001: 5 cells" in said.out and "direction" in said.out
    assert f"a.nwb: the file lacks this metadata: {layout.AREA}" in said.err
    trials = open_session(tmp_path / "s.zarr").trials("drifting_gratings")
    assert (trials.crossfit[:, ~trials.blank] >= 0).all()


def test_what_the_catalogue_states_wins_over_the_file_and_lets_its_stimuli_pass(tmp_path):
    def add(file: h5py.File) -> None:
        file[f"{layout.PRESENTATION}/flashes_stimulus/data"] = np.zeros(3)

    nwb = tiny_nwb(tmp_path / "a.nwb", change=add)
    arguments = ["--nwb", nwb, "--out", tmp_path / "s.zarr", "--manifest", tmp_path / "s.json"]
    with pytest.raises(SystemExit):
        main(arguments)
    (tmp_path / "mine.tsv").write_text("session\tfile\tmouse\tdepth_um\nmonday\ta.nwb\tM7\t350\n")
    (row,) = catalogue_from_table(tmp_path / "mine.tsv", ignore_stimuli=["flashes"])
    assert main([*arguments, "--row", json.dumps(described(row))]) == 0
    tensor = open_session(tmp_path / "s.zarr")
    assert (tensor.session, tensor.mouse, tensor.depth_um) == ("monday", "M7", 350.0)
    assert (tensor.cre_line, tensor.area) == ("Cux2-CreERT2", "VISp")


def test_moving_the_folder_of_a_session_does_not_change_what_is_said_of_it(tmp_path):
    (tmp_path / "old").mkdir()
    tiny_nwb(tmp_path / "old" / "a.nwb")
    (before,) = catalogue_folder(tmp_path / "old")
    os.rename(tmp_path / "old", tmp_path / "new")
    (after,) = catalogue_folder(tmp_path / "new")
    assert described(before) == described(after)
    assert "old" not in json.dumps(described(before))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('{"guard_trials": -1}', "tensors.guard_trials"),
        ('{"jump": 1}', "tensors.jump"),
        ('{"movie_segment_frames": 0}', "tensors.movie_segment_frames"),
        ('{"gard": 1}', "tensors.gard: no such option"),
    ],
)
def test_a_wrong_option_is_told(tmp_path, capsys, options, said):
    with pytest.raises(SystemExit):
        main(["--nwb", "x", "--out", "y", "--manifest", "z", "--options", options])
    assert said in capsys.readouterr().err


def test_a_conversion_waits_for_the_one_that_still_writes(tmp_path):
    nwb = tiny_nwb(tmp_path / "a.nwb")
    worker = threading.Thread(target=converted, args=(nwb, tmp_path))
    with sole_writer(tmp_path / "s.zarr"):
        worker.start()
        time.sleep(0.2)
        assert not (tmp_path / "s.zarr").exists()
    worker.join()
    assert (tmp_path / "s.zarr").exists()


def test_a_changed_chunk_is_noticed_on_opening(tmp_path, monkeypatch):
    monkeypatch.setattr("glassbox.tensors.store.RETRY_WAITS_S", (0.0,))
    out = converted(tiny_nwb(tmp_path / "a.nwb"), tmp_path)
    chunk = out / "dff" / "c" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match=r"not the one that s\.json describes"):
        open_session(out)
    assert open_session(out, verify=False).n_cells == 5


def test_the_stamp_of_snakemake_is_no_change(tmp_path):
    out = converted(tiny_nwb(tmp_path / "a.nwb"), tmp_path)
    (out / ".snakemake_timestamp").touch()
    assert open_session(out).n_cells == 5


def test_a_store_that_appears_late_is_waited_for(tmp_path, monkeypatch):
    out = converted(tiny_nwb(tmp_path / "a.nwb"), tmp_path)
    os.rename(out, tmp_path / "late")
    monkeypatch.setattr("glassbox.tensors.store.RETRY_WAITS_S", (0.1, 0.1))
    monkeypatch.setattr(
        "glassbox.tensors.store.time.sleep",
        lambda _: os.path.exists(out) or os.rename(tmp_path / "late", out),
    )
    assert open_session(out).n_cells == 5


def test_a_manifest_that_appears_late_is_waited_for(tmp_path, monkeypatch):
    out = converted(tiny_nwb(tmp_path / "a.nwb"), tmp_path)
    os.rename(tmp_path / "s.json", tmp_path / "late")
    monkeypatch.setattr(
        "glassbox.latency.time.sleep", lambda _: os.rename(tmp_path / "late", tmp_path / "s.json")
    )
    assert open_session(out).n_cells == 5


def test_a_missing_store_or_manifest_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("glassbox.tensors.store.RETRY_WAITS_S", ())
    out = converted(tiny_nwb(tmp_path / "a.nwb"), tmp_path)
    shutil.rmtree(out)
    with pytest.raises(UserError, match="run the rule convert_session again"):
        open_session(out)
    with pytest.raises(UserError, match="manifest of the tensor is missing"):
        open_session(tmp_path / "other.zarr")


def test_the_manifest_names_nothing_that_changes_from_run_to_run(tmp_path):
    out = converted(tiny_nwb(tmp_path / "a.nwb"), tmp_path)
    text = out.with_suffix(".json").read_text()
    assert str(tmp_path) not in text
    assert json.loads(text)["source_file"] == "a.nwb"


@pytest.mark.real
def test_a_real_session_is_converted_bit_by_bit(tmp_path, real_nwb_dir):
    nwb = real_nwb_dir / "527745328.nwb"
    tensor = open_session(converted(nwb, tmp_path))
    with h5py.File(nwb) as file:
        whole = file[layout.DFF][:]
    np.testing.assert_array_equal(tensor.dff(0, tensor.n_frames), whole.T)
    assert len(tensor.trials("drifting_gratings")) == 628
    assert len(tensor.after_jump) == 5

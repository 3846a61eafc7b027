"""Detected events in the place of dF/F, from files such as the Allen Institute gives them."""

from __future__ import annotations

import io
import json
import zipfile

import h5py
import numpy as np
import pytest
from glassbox.errors import UserError
from glassbox.sessions import layout
from glassbox.sessions.whole_file import damage_of_npz
from glassbox.tensors.convert import convert_session
from glassbox.tensors.options import TensorOptions
from glassbox.tensors.store import open_session
from tiny_nwb import tiny_nwb

EVENTS = TensorOptions(signal="events")


@pytest.fixture
def nwb(tmp_path):
    return tiny_nwb(tmp_path / "a.nwb", cells=4, trials=12)


@pytest.fixture
def events(nwb) -> np.ndarray:
    """(cells, frames), f8, one frame in twenty with an event."""
    with h5py.File(nwb) as file:
        shape = file[layout.DFF].shape
    rng = np.random.default_rng(1)
    return np.where(rng.random(shape) < 0.05, rng.random(shape), 0.0)


def convert(nwb, folder, npz, options=EVENTS):
    manifest = folder / "s.json"
    convert_session(nwb, folder / "s.zarr", manifest, options, events=npz)
    return json.loads(manifest.read_text())


def stored(folder, values, save=np.savez_compressed, name="ev"):
    save(folder / "a_events.npz", **{name: values})
    return folder / "a_events.npz"


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["f4", "f8"])
def test_the_tensor_holds_the_events_in_the_place_of_dff(nwb, events, tmp_path, save, order, kind):
    values = np.asarray(events, dtype=kind, order=order)
    about = convert(nwb, tmp_path, stored(tmp_path, values, save))
    tensor = open_session(tmp_path / "s.zarr")
    np.testing.assert_array_equal(tensor.dff(0, tensor.n_frames), values.T.astype(np.float32))
    assert about["signal"] == "events" and about["events_file"] == "a_events.npz"
    assert len(about["events_sha256"]) == 64
    assert not list(tmp_path.glob("*.spool")) + list(tmp_path.glob(".*.spool"))


def test_without_events_the_manifest_is_silent_about_them(nwb, tmp_path):
    assert "signal" not in convert(nwb, tmp_path, None, TensorOptions())


@pytest.mark.parametrize(("options", "given"), [(EVENTS, False), (TensorOptions(), True)])
def test_a_file_of_events_and_the_option_go_together(nwb, events, tmp_path, options, given):
    npz = stored(tmp_path, events) if given else None
    with pytest.raises(UserError, match=r"tensors\.signal: "):
        convert(nwb, tmp_path, npz, options)


def half(path):
    path.write_bytes(path.read_bytes()[:500])


def inverted(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


@pytest.mark.parametrize("breaks", [half, inverted, lambda path: path.write_bytes(b"no zip")])
def test_a_damaged_file_of_events_is_one_sentence_and_no_tensor(nwb, events, tmp_path, breaks):
    npz = stored(tmp_path, events)
    breaks(npz)
    assert damage_of_npz(npz, "ev").startswith("a_events.npz: ")
    with pytest.raises(UserError, match=r"a_events\.npz: ev: "):
        convert(nwb, tmp_path, npz)
    assert {path.name for path in tmp_path.glob("[!.]*")} == {"a.nwb", "a_events.npz"}


CHANGES = {
    "another session's": (lambda ev: ev[1:], r"found \(3, .*expected \(4, "),
    "whole numbers": (lambda ev: ev.astype(int), "found type int64"),
    "NaN": (lambda ev: np.where(np.arange(4)[:, None] == 2, np.nan, ev), "cell 2 has values"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_events_that_do_not_fit_are_refused(nwb, events, tmp_path, kind):
    change, said = CHANGES[kind]
    with pytest.raises(UserError, match=said):
        convert(nwb, tmp_path, stored(tmp_path, change(events)))


def test_a_file_without_the_array_is_refused(nwb, events, tmp_path):
    npz = stored(tmp_path, events, name="other")
    assert damage_of_npz(npz, "ev") == "a_events.npz: the file has no array ev"
    with pytest.raises(UserError, match=r"a_events\.npz: ev: the events cannot be read"):
        convert(nwb, tmp_path, npz)


def test_an_array_of_objects_is_not_unpickled(nwb, tmp_path):
    made = io.BytesIO()
    np.save(made, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(tmp_path / "a_events.npz", "w") as archive:
        archive.writestr("ev.npy", made.getvalue())
    with pytest.raises(UserError, match=r"a_events\.npz: ev: found"):
        convert(nwb, tmp_path, tmp_path / "a_events.npz")

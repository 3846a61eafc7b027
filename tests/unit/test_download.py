"""Fetching a file from a server that fails in every way that a server fails in."""

from __future__ import annotations

import numpy as np
import pytest
from faulty_server import Fault, FaultyServer
from glassbox.errors import UserError
from glassbox.sessions import download as module
from glassbox.sessions.download import download
from glassbox.sessions.patience import Patience
from glassbox.sessions.whole_file import damage_of_hdf5
from tiny_nwb import tiny_nwb

PATH = "/api/v2/well_known_file_download/1"


class Waits(list):
    """The pauses that were made, none of them waited for."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def server():
    house = FaultyServer()
    house.files[PATH] = np.random.default_rng(0).bytes(1_000_000)
    with house.running():
        yield house


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def fetch(server, waits, tmp_path):
    """Fetch the file of the server to `out`."""

    def run(check=lambda path: None, **patience):
        given = {"attempts": 4, "timeout_s": 5.0, "sleep": waits} | patience
        download(server.address + PATH, tmp_path / "out", check, Patience(**given))

    return run


def nothing_but(folder, *names: str) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)


def test_a_file_arrives_byte_for_byte_and_leaves_nothing_beside_it(server, fetch, tmp_path):
    fetch()
    assert (tmp_path / "out").read_bytes() == server.files[PATH]
    nothing_but(tmp_path, "out")


BREAKS = {
    "reset": Fault(breaks_after=300_000),
    "closed": Fault(stops_after=300_000),
    "before a byte": Fault(breaks_after=0),
    "503": Fault(status=503),
    "502": Fault(status=502),
    "500": Fault(status=500),
    "429": Fault(status=429),
}


@pytest.mark.parametrize("kind", BREAKS)
def test_a_fault_that_mends_itself_is_tried_again(server, fetch, tmp_path, kind, waits):
    server.fail(PATH, BREAKS[kind], BREAKS[kind])
    fetch()
    assert (tmp_path / "out").read_bytes() == server.files[PATH]
    assert len(waits) == 2
    nothing_but(tmp_path, "out")


@pytest.mark.parametrize("fault", [Fault(breaks_after=300_000), Fault(stops_after=300_000)])
def test_what_was_sent_before_a_break_is_not_sent_again(server, fetch, tmp_path, fault):
    server.fail(PATH, fault, fault)
    fetch()
    # What a reset catches under way is lost: at most what the sockets hold.
    assert server.sent(PATH) <= 1_000_000 + 2 * 300_000
    begins = [int(a.range.split("=")[1][:-1]) for a in server.asked if a.range]
    assert begins == sorted(begins)
    if fault.stops_after:
        assert begins == [300_000, 600_000]
        assert server.sent(PATH) == 1_000_000
    assert (tmp_path / "out").read_bytes() == server.files[PATH]


def test_a_partial_file_of_an_earlier_run_is_taken_up(server, fetch, tmp_path):
    server.always[PATH] = Fault(stops_after=0)
    server.fail(PATH, Fault(stops_after=400_000))
    with pytest.raises(UserError, match="run the same command again"):
        fetch()
    nothing_but(tmp_path, ".out.partial", ".out.partial.json")
    del server.always[PATH]
    server.asked.clear()
    fetch()
    assert [(a.range, a.status, a.sent) for a in server.asked] == [("bytes=400000-", 206, 600_000)]
    assert (tmp_path / "out").read_bytes() == server.files[PATH]
    nothing_but(tmp_path, "out")


def test_a_partial_file_that_lacks_only_its_name_is_not_fetched_again(server, fetch, tmp_path):
    server.fail(PATH, Fault(stops_after=999_999))
    server.always[PATH] = Fault(stops_after=0)
    with pytest.raises(UserError):
        fetch()
    with (tmp_path / ".out.partial").open("ab") as file:
        file.write(server.files[PATH][-1:])
    del server.always[PATH]
    server.asked.clear()
    fetch()
    assert [(a.status, a.sent) for a in server.asked] == [(416, 0)]
    assert (tmp_path / "out").read_bytes() == server.files[PATH]


@pytest.mark.parametrize(("marks", "size"), [(True, 1_000_000), (True, 900_000), (False, 900_000)])
def test_a_partial_file_is_dropped_where_the_server_has_another_file_now(
    server, fetch, tmp_path, marks, size
):
    """Told by its mark, or by its size where the server gives none."""
    server.marks = marks
    server.fail(PATH, Fault(stops_after=400_000), *[Fault(stops_after=0)] * 3)
    with pytest.raises(UserError):
        fetch()
    other = np.random.default_rng(1).bytes(size)
    server.files[PATH] = other
    fetch()
    assert (tmp_path / "out").read_bytes() == other


def test_a_part_whose_note_is_lost_is_begun_anew(server, fetch, tmp_path):
    (tmp_path / ".out.partial").write_bytes(b"who knows")
    fetch()
    assert (tmp_path / "out").read_bytes() == server.files[PATH]


def test_a_server_that_knows_no_parts_is_asked_for_the_whole(server, fetch, tmp_path):
    server.fail(PATH, Fault(stops_after=400_000), Fault(no_range=True, stops_after=200_000))
    server.always[PATH] = Fault(no_range=True)
    fetch()
    assert (tmp_path / "out").read_bytes() == server.files[PATH]
    assert [asked.status for asked in server.asked] == [200, 200, 200]


def test_an_answer_that_begins_elsewhere_is_not_joined(server, fetch, tmp_path):
    server.fail(PATH, Fault(stops_after=400_000), Fault(shifts=7))
    fetch()
    assert (tmp_path / "out").read_bytes() == server.files[PATH]


def test_a_server_that_stalls_is_left(server, fetch, tmp_path, capsys):
    server.fail(PATH, Fault(stops_after=500_000, stalls=True))
    fetch(timeout_s=0.5)
    assert "timed out" in capsys.readouterr().err
    assert (tmp_path / "out").read_bytes() == server.files[PATH]


def test_attempts_are_counted_anew_when_one_brings_the_file_further(server, fetch, tmp_path):
    server.fail(PATH, *[Fault(stops_after=60_000)] * 12)
    fetch(attempts=2)
    assert (tmp_path / "out").read_bytes() == server.files[PATH]


def test_a_server_that_always_breaks_at_the_same_byte_and_knows_no_parts_is_given_up(
    server, fetch, tmp_path
):
    server.always[PATH] = Fault(no_range=True, stops_after=500_000)
    with pytest.raises(UserError, match="500,000 of 1,000,000 bytes; 4 attempts"):
        fetch()
    assert len(server.asked) == 4
    assert not (tmp_path / "out").exists()


def test_pauses_double_and_follow_what_the_server_asks_for(server, fetch, waits):
    server.fail(PATH, *[Fault(status=503)] * 4, Fault(status=503, retry_after_s=40))
    fetch(attempts=8)
    assert all(0.5 * 2**k <= pause <= 2**k for k, pause in enumerate(waits[:4]))
    assert waits[4] == 40.0


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_is_not_asked_again(server, fetch, tmp_path, status):
    server.always[PATH] = Fault(status=status)
    with pytest.raises(UserError, match=f"answers {status}.*Ask for the catalogue anew"):
        fetch()
    assert len(server.asked) == 1
    nothing_but(tmp_path)


def test_a_server_that_is_not_there_is_one_sentence(fetch, tmp_path, waits):
    with pytest.raises(UserError, match=r"Connection refused.*4 attempts brought it no further"):
        download("http://127.0.0.1:9/x", tmp_path / "out", lambda p: None, Patience(4, sleep=waits))
    assert len(waits) == 3


def test_a_whole_file_is_left_as_it_is(server, fetch, tmp_path):
    fetch()
    before = (tmp_path / "out").stat()
    server.asked.clear()
    fetch()
    after = (tmp_path / "out").stat()
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
    nothing_but(tmp_path, "out")


@pytest.mark.parametrize("status", [404, 500])
def test_a_whole_file_stays_where_the_server_does_not_tell_its_size(
    server, fetch, tmp_path, status
):
    fetch()
    server.always[PATH] = Fault(status=status)
    fetch()
    assert (tmp_path / "out").read_bytes() == server.files[PATH]


def test_a_file_of_another_size_than_the_servers_is_replaced_at_the_end_only(
    server, fetch, tmp_path
):
    out = tmp_path / "out"
    out.write_bytes(b"an older one")
    seen = []

    def check(path):
        seen.append(out.read_bytes())

    fetch(check)
    assert seen == [b"an older one"] * 2, "it stands until the new one is whole"
    assert out.read_bytes() == server.files[PATH]


@pytest.fixture
def nwb(tmp_path_factory, server) -> bytes:
    """A session in compressed chunks, which the server has."""
    path = tiny_nwb(tmp_path_factory.mktemp("nwb") / "a.nwb", cells=40, chunks=(1, 2_000))
    server.files[PATH] = path.read_bytes()
    return server.files[PATH]


def chunk_of(nwb: bytes) -> int:
    """A byte in the middle of the compressed data."""
    return len(nwb) // 2


DAMAGES = {
    "one byte": lambda nwb: Fault(damages=chunk_of(nwb)),
    "wrong size": lambda nwb: Fault(promises=len(nwb) * 2 // 3),
    "a page": lambda nwb: Fault(body=b"<html>We are down for maintenance.</html>"),
    "nothing": lambda nwb: Fault(body=b""),
}


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_file_is_fetched_again(nwb, server, fetch, tmp_path, kind):
    server.fail(PATH, DAMAGES[kind](nwb))
    fetch(damage_of_hdf5)
    assert (tmp_path / "out").read_bytes() == nwb
    nothing_but(tmp_path, "out")


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_file_that_is_damaged_on_the_server_is_refused_after_it_came_twice(
    nwb, server, fetch, tmp_path, kind
):
    server.always[PATH] = DAMAGES[kind](nwb)
    with pytest.raises(UserError, match=r"out: the file came twice .*damaged: out") as refusal:
        fetch(damage_of_hdf5)
    assert "partial" not in str(refusal.value)
    assert len(server.asked) == 2
    nothing_but(tmp_path)


def test_a_damaged_file_that_is_here_is_replaced(nwb, server, fetch, tmp_path):
    (tmp_path / "out").write_bytes(nwb[:-5_000])
    fetch(damage_of_hdf5)
    assert (tmp_path / "out").read_bytes() == nwb


def test_a_disk_without_room_is_one_sentence_before_anything_is_written(
    server, fetch, tmp_path, monkeypatch
):
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: type("D", (), {"free": 10_000}))
    with pytest.raises(UserError, match="1 MB are still to come and 0 MB are free"):
        fetch()
    assert not (tmp_path / "out").exists()

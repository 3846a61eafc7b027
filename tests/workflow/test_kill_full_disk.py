"""A full disk: one clear sentence, and the same command completes once there is space."""

from __future__ import annotations

import os
import subprocess

import pytest
from workflow_files import Checkout, bytes_of

CONFIG = ("--configfile", "tiny.yaml")
SESSION = "sim-Cux2-01"
MANIFEST = f"results/tensors/{SESSION}.json"
DECODER = "results/decoders/mouse-M01/decoder.json"


@pytest.fixture
def small_disk(checkout):
    """A checkout whose results stand on a disk of 3 MB."""
    if os.geteuid() != 0:
        pytest.skip("a small disk is mounted by root alone")
    checkout.results.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "none", checkout.results]
    done = subprocess.run(mount, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr}")
    yield checkout
    subprocess.run(["umount", "--lazy", checkout.results], check=True)


def fill(checkout: Checkout, but_kb: int) -> None:
    """Leave so much space and no more."""
    usage = os.statvfs(checkout.results)
    taken = usage.f_bavail * usage.f_frsize - but_kb * 1024
    (checkout.results / "filled").write_bytes(b"x" * taken)


@pytest.mark.parametrize(
    ("target", "but_kb"),
    [
        (MANIFEST, 200),  # full while the session is simulated (0.8 MB)
        pytest.param(MANIFEST, 900, marks=pytest.mark.slow),  # while it is converted
        pytest.param(DECODER, 1100, marks=pytest.mark.slow),  # while the decoder is kept
        pytest.param(MANIFEST, 0, marks=pytest.mark.slow),  # from the start
    ],
)
def test_a_full_disk_is_said_in_one_sentence_and_the_run_completes_after_it(
    small_disk, tiny_run, target, but_kb
):
    small_disk.jobs(target, *CONFIG)  # the catalogue is there
    fill(small_disk, but_kb)
    run = small_disk.snakemake(target, *CONFIG)
    said = run.stdout + run.stderr
    assert run.returncode != 0
    if but_kb:  # a script could start
        assert "no space is left on the disk. Nothing half-written was kept" in said, said[-6000:]
        assert "Traceback" not in said, said[-6000:]
    else:  # Snakemake says it
        assert "No space left on device" in said, said[-6000:]
    (small_disk.results / "filled").unlink()
    small_disk.made(target, *CONFIG)
    tensor = f"tensors/{SESSION}.zarr"
    assert bytes_of(small_disk.results / tensor) == bytes_of(tiny_run.checkout.results / tensor)
    assert not list(small_disk.results.rglob("*.partial"))
    assert not small_disk.jobs(target, *CONFIG)

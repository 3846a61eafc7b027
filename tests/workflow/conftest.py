"""The runs that tests of the workflow share."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from workflow_files import ROOT, Checkout, environment, fresh_checkout

sys.path.append(str(ROOT / "tests" / "slurm"))
import accounts as slurm_accounts
import cluster as slurm

CLUSTER_LOCK = Path("/tmp/glassbox-test-cluster.lock")  # one cluster a machine


@pytest.fixture
def checkout(tmp_path) -> Checkout:
    """A copy without results."""
    return fresh_checkout(tmp_path / "checkout")


LISTENER = """
# Each script of the tiny run says at its end which modules of the library it had loaded.
import atexit, os, sys

def _say():
    folder, script = os.environ.get("GLASSBOX_LOADED"), os.path.basename(sys.argv[0])
    if folder and script.endswith(".py"):
        names = sorted(name for name in list(sys.modules) if name.split(".")[0] == "glassbox")
        with open(os.path.join(folder, f"{script}.{os.getpid()}"), "w") as file:
            file.write("\\n".join(names))

atexit.register(_say)
"""


@dataclass
class TinyRun:
    """The finished run of the tiny configuration, and what each of its scripts loaded."""

    checkout: Checkout
    loaded: dict[str, set[str]]
    run: subprocess.CompletedProcess


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory) -> TinyRun:
    """One real run of the tiny configuration. Tests that change it work on a copy of it."""
    folder = tmp_path_factory.mktemp("tiny")
    checkout = fresh_checkout(folder / "checkout")
    (checkout.root / "workflow" / "sitecustomize.py").write_text(LISTENER)
    (folder / "loaded").mkdir()
    run = checkout.made("--configfile", "tiny.yaml", GLASSBOX_LOADED=str(folder / "loaded"))
    loaded: dict[str, set[str]] = {}
    for file in (folder / "loaded").iterdir():
        loaded.setdefault(file.name.split(".")[0], set()).update(file.read_text().split())
    return TinyRun(checkout, loaded, run)


@pytest.fixture
def tiny_copy(tiny_run, tmp_path) -> Checkout:
    """A copy of the finished run to edit."""
    return tiny_run.checkout.copy(tmp_path / "checkout")


@pytest.fixture(scope="session")
def slurm_cluster():
    """A SLURM cluster of one node, started for the tests and ended after them."""
    refused = slurm.why_not()
    if refused:
        pytest.skip(refused)
    with CLUSTER_LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cluster = slurm.Cluster()
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()


@pytest.fixture
def slurm_cluster_with_accounts(slurm_cluster):
    """One that asks every job for an account and remembers it, in the place of the other."""
    refused = slurm_accounts.why_not()
    if refused:
        pytest.skip(refused)
    slurm_cluster.stop()
    cluster = slurm_accounts.ClusterWithAccounts()
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()
        slurm_cluster.start()


@dataclass(frozen=True)
class Conda:
    """conda, or the tests' stand-in for it, on a PATH; environments are made once and kept."""

    path: str
    prefix: Path

    @property
    def arguments(self) -> tuple[str, ...]:
        return ("--sdm", "conda", "--conda-prefix", str(self.prefix))


@pytest.fixture(scope="session")
def conda() -> Conda:
    """Real conda where there is one, the stand-in where tests/conda/make_stand_in.sh built it."""
    path = environment()["PATH"]
    if shutil.which("conda"):
        return Conda(path, ROOT / ".venv-conda" / "environments")
    stand_in = ROOT / ".venv-conda" / "stand-in"
    if not (stand_in / "channel").is_dir():
        pytest.skip("there is no conda; build its stand-in with sh tests/conda/make_stand_in.sh")
    return Conda(f"{stand_in / 'bin'}{os.pathsep}{path}", stand_in / "environments")

"""What tests of every kind share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

WORKFLOW = Path(__file__).parent / "workflow"
ALLENSDK = Path(__file__).parents[1] / ".venv-allensdk"

# One test process already uses a core; libraries that start more threads only wait for each other.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items):
    """With several workers each takes whole files, and one all that share the workflow's run."""
    for item in items:
        shared = WORKFLOW if WORKFLOW in item.path.parents else item.path
        item.add_marker(pytest.mark.xdist_group(shared.name))


@pytest.fixture(scope="session")
def real_nwb_dir() -> Path:
    """Folder of real Allen Visual Coding sessions; the test is skipped where there is none."""
    folder = os.environ.get("REAL_NWB_DIR")
    if not folder:
        pytest.skip("REAL_NWB_DIR is not set")
    path = Path(folder).resolve()
    if not path.is_dir():
        pytest.fail(f"REAL_NWB_DIR: {path} is no folder")
    return path


@pytest.fixture(scope="session")
def allensdk() -> Path:
    """The Python of allensdk's own environment; the test is skipped where there is none."""
    if not (ALLENSDK / "built-from.txt").is_file():
        pytest.skip("no allensdk here; build it once with tests/peers/make_env.sh allensdk")
    return ALLENSDK / "bin" / "python"

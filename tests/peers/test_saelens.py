"""SAELens, in an environment of its own, still gives the arrays of the everyday tests.

Build the environment once with `tests/peers/make_env.sh saelens`. That our dictionaries agree with
those arrays is tested in tests/unit/test_dictionary_saelens.py.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".venv-saelens"
RUNNER = Path(__file__).with_name("dictionaries_of_saelens.py")
KEPT = ROOT / "tests" / "unit" / "data" / "saelens.npz"

pytestmark = pytest.mark.peer


def test_the_arrays_of_the_everyday_tests_are_what_saelens_gives(tmp_path):
    if not (ENVIRONMENT / "built-from.txt").is_file():
        pytest.skip("no SAELens here; build it once with tests/peers/make_env.sh saelens")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    subprocess.run(
        [ENVIRONMENT / "bin" / "python", RUNNER, tmp_path / "arrays.npz"],
        check=True,
        env={**clean, "PYTHONNOUSERSITE": "1", "PYTHONWARNINGS": "ignore"},
        cwd=tmp_path,
    )
    with np.load(tmp_path / "arrays.npz") as found, np.load(KEPT) as kept:
        assert set(found) == set(kept)
        for name in kept:
            np.testing.assert_allclose(found[name], kept[name], rtol=1e-9, atol=1e-12)

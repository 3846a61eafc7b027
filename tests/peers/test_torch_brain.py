"""torch_brain 0.1.2, in an environment of its own, and our POYO+ give the same.

Build the environment once with `tests/peers/make_env.sh torch_brain`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from glassbox.decoders.poyo_plus_options import PoyoPlusOptions

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "unit"))

from poyo_plus_arrays import TOLERANCE, arrays_of, differences, model_of  # noqa: E402

ENVIRONMENT = ROOT / ".venv-torch_brain"
RUNNER = Path(__file__).with_name("poyo_plus_of_torch_brain.py")
KEPT = ROOT / "tests" / "unit" / "data" / "poyo_plus.npz"
TINY = PoyoPlusOptions(
    latent_step_s=0.25, latents_per_step=2, dim=8, head_dim=8, depth=2, cross_heads=2, self_heads=3
)

pytestmark = pytest.mark.peer


def run_torch_brain(out: Path, size: str) -> dict[str, dict[str, torch.Tensor]]:
    if not (ENVIRONMENT / "built-from.txt").is_file():
        pytest.skip("no torch_brain here; build it once with tests/peers/make_env.sh torch_brain")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    subprocess.run(
        [ENVIRONMENT / "bin" / "python", RUNNER, out, size],
        check=True,
        env={**clean, "PYTHONNOUSERSITE": "1", "PYTHONWARNINGS": "ignore"},
        cwd=out.parent,
    )
    return arrays_of(out)


def test_the_single_session_configuration_gives_torch_brains_answers(tmp_path):
    arrays = run_torch_brain(tmp_path / "arrays.npz", "single_session")
    far = differences(arrays, model_of(arrays, PoyoPlusOptions()))
    assert {f"block{i}.attention" for i in range(6)} <= set(far)
    assert max(far.values()) < TOLERANCE, far


def test_the_arrays_of_the_everyday_tests_are_what_torch_brain_gives(tmp_path):
    arrays, kept = run_torch_brain(tmp_path / "arrays.npz", "tiny"), arrays_of(KEPT)
    assert {group: set(found) for group, found in arrays.items()} == {
        group: set(found) for group, found in kept.items()
    }
    for group, found in arrays.items():
        for name, array in found.items():
            assert torch.allclose(array, kept[group][name], rtol=1e-4, atol=1e-5), (group, name)

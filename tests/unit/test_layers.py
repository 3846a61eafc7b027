"""The library is layered as the stages are, and importing it imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from glassbox.code import imports_of

HOUSE = Path(__file__).parents[2] / "workflow"
STAGES = "sessions tensors decoders dictionaries units interventions figures claims".split()
HEAVY = {"torch": {"decoders", "dictionaries", "interventions"}, "matplotlib": {"figures"}}
# The composition root, for the controller alone: it knows the options of every stage.
ROOT_OF_ALL = "glassbox.sections"


def modules():
    for file in sorted((HOUSE / "glassbox").rglob("*.py")):
        parts = file.relative_to(HOUSE).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        yield name, file


def stage_of(module: str) -> int:
    """Place of a module's stage; -1 for the foundation."""
    parts = module.split(".")
    return STAGES.index(parts[1]) if len(parts) > 1 and parts[1] in STAGES else -1


def test_no_module_imports_a_later_stage():
    for name, _ in modules():
        if name != ROOT_OF_ALL:
            for imported in imports_of(name, HOUSE):
                assert stage_of(imported) <= stage_of(name), f"{name} imports {imported}"


def test_the_figures_import_no_stage_but_the_foundation():
    """Figures read tables and never models."""
    for name, _ in modules():
        if name.startswith("glassbox.figures"):
            for imported in imports_of(name, HOUSE):
                assert stage_of(imported) in (-1, STAGES.index("figures")), f"{name}: {imported}"


def test_torch_and_matplotlib_are_named_in_their_stages_only():
    for name, file in modules():
        for package, stages in HEAVY.items():
            if f"import {package}" in file.read_text() or f"from {package}" in file.read_text():
                assert name.split(".")[1] in stages, f"{name} imports {package}"


def test_the_options_of_every_stage_load_without_anything_heavy():
    """The Snakefile loads them each time it is read."""
    code = "import sys, glassbox.sections; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(HOUSE)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(run.stdout.split())
    assert not loaded & {"torch", "matplotlib", "pandas", "scipy", "sklearn", "zarr", "h5py"}

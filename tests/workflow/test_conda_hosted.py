"""The hosted CI runs with real conda what the tests here may run with a stand-in."""

from __future__ import annotations

import re

import yaml
from workflow_files import ROOT

JOBS = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
MARKERS = re.findall(r'^    "(\w+):', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)


def commands(job: str) -> str:
    return "\n".join(step.get("run", "") for step in JOBS[job]["steps"])


def test_the_hosted_run_makes_targets_that_exist():
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    asked = re.findall(r"make ([\w-]+)", "\n".join(commands(job) for job in JOBS))
    assert asked and set(asked) <= set(targets)


def test_the_hosted_run_selects_every_test_of_slurm_and_of_conda_by_markers_that_exist():
    chosen = {job: re.findall(r'-m "([^"]+)"', commands(job)) for job in ("slurm", "conda")}
    assert chosen == {
        "slurm": ["slurm and not conda"],
        "conda": ["conda and not slurm", "conda and slurm"],
    }
    assert {"slurm", "conda"} <= set(MARKERS)


def test_every_hosted_job_is_bounded_and_only_one_brings_real_conda():
    assert all(job["timeout-minutes"] <= 90 for job in JOBS.values())
    brings = {
        name
        for name, job in JOBS.items()
        if any("miniconda" in step.get("uses", "") for step in job["steps"])
    }
    assert brings == {"conda"}

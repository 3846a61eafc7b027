"""The workflow on a real SLURM cluster: the same results as on this machine alone."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import yaml
from slurm_runs import MANIFEST, jobs_in_queue, plant, submitted
from test_environments import RULE, rules_with_environment
from workflow_files import ROOT, bytes_of, environment

PROFILE = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text())
GROUPS = dict(group.split("=") for group in PROFILE["groups"])
# What is computed, as opposed to what is drawn, timed and logged.
COMPUTED = ("tables", "tensors", "decoders", "dictionaries", "units", "interventions")


def test_every_rule_of_the_profile_exists_and_every_figure_is_drawn_in_one_job():
    rules = {rule for rule, _ in rules_with_environment()}
    arrays = set(PROFILE["slurm-array-jobs"].split(","))
    assert set(GROUPS) | arrays <= rules
    drawn = {rule for rule in rules if rule.startswith("draw_")} | {
        "assemble_tables",
        "judge_claims",
    }
    assert {rule for rule, group in GROUPS.items() if group == "figures"} == drawn
    assert not set(GROUPS) & arrays, "a job of a group is no task of an array"


def test_no_rule_names_a_partition_or_an_account():
    for file in (ROOT / "workflow" / "rules").glob("*.smk"):
        assert "slurm" not in file.read_text(), file


def dry_run(checkout, *arguments: str) -> str:
    """What a dry run says of the jobs' resources."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--profile", "profiles/slurm"]
    done = subprocess.run(
        [*command, "--configfile", "tiny.yaml", *arguments],
        cwd=checkout.root,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(("device", "devices"), [("cpu", 2), ("cuda", 1), ("cuda", 2)])
def test_training_alone_asks_for_gpus_and_for_as_many_as_it_uses(checkout, device, devices):
    given = f"decoders:\n  device: {device}\n  devices: {devices}\n"
    checkout.edit("tiny.yaml", "decoders:\n", given)
    parts = dry_run(checkout).split("\nrule ")[1:]
    rules = {part.split(":")[0] for part in parts}
    assert {"train_decoder", "train_dictionary", "ablate_units"} <= rules
    for part in parts:
        uses = device == "cuda" and part.startswith("train_decoder:")
        asked = re.findall(r"\bgpu=([1-9]\d*)", part)
        assert asked == ([str(devices)] if uses else []), part


def test_every_rule_that_is_submitted_says_its_memory_minutes_and_threads():
    """All but those that only name others, and those that need what stands beside the results."""
    with_script = {rule for rule, _ in rules_with_environment()}
    snakefile = (ROOT / "Snakefile").read_text()
    local = set(
        re.search(r"^localrules:\n((?:    .*\n)+)", snakefile, re.MULTILINE).group(1).split()
    )
    local = {name.rstrip(",") for name in local}
    assert local & with_script == {"fetch_catalogue", "record_provenance"}
    for file in [ROOT / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk")]:
        for rule, body in RULE.findall(file.read_text()):
            said = set(re.findall(r"^ +(threads|mem_mb|runtime)[:=]", body, re.MULTILINE))
            assert rule in local or said == {"threads", "mem_mb", "runtime"}, rule


FEWER_JOBS = [f"{rule}=cohort" for rule in ("train_dictionary", "measure_units", "ablate_units")]


@pytest.mark.slurm
@pytest.mark.parametrize(
    "groups",
    [
        pytest.param([*PROFILE["groups"], *FEWER_JOBS], id="in fewer jobs"),
        pytest.param(None, id="as the profile has it", marks=pytest.mark.slow),
    ],
)
def test_a_run_through_sbatch_makes_the_bytes_of_a_local_run(
    slurm_cluster, checkout, tiny_run, groups
):
    """Every table, weight and activation is compared."""
    said = submitted(checkout, *(["--groups", *groups] if groups else [])).ends_well()
    assert said.count("has been submitted with SLURM jobid") > 20
    assert groups or "Submitted array job" in said
    for folder in COMPUTED:
        here = bytes_of(tiny_run.checkout.results / folder)
        there = bytes_of(checkout.results / folder)
        unlike = {name for name in here if here[name] != there.get(name)}
        assert set(here) == set(there)
        assert not {name for name in unlike if not name.endswith("provenance.json")}, folder
    assert not checkout.jobs("--configfile", "tiny.yaml"), "a local run finds nothing left to do"


@pytest.mark.slurm
@pytest.mark.slow
def test_a_rule_that_asks_for_a_gpu_is_given_one(slurm_cluster, checkout):
    planted = plant(checkout, "convert_session")
    run = submitted(checkout, MANIFEST, "--set-resources", "convert_session:gpu=1")
    planted.reached()
    (job,) = jobs_in_queue(name=run.name())
    shown = subprocess.check_output(["scontrol", "show", "job", job], text=True, timeout=60)
    planted.release()
    run.ends_well()
    assert "gres:gpu:1" in shown or "gres/gpu=1" in shown or "gres:gpu=1" in shown, shown

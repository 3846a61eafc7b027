"""The workflow on a real SLURM cluster: the same results as on this machine alone."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml
from accounts import ACCOUNT, PARTITION
from slurm_runs import MANIFEST, as_documented, jobs_in_queue, plant, submitted
from test_environments import RULE, rules_with_environment
from test_provenance import entities_of, listed, verified
from workflow_files import ROOT, bytes_of, environment

PROFILE = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text())
GROUPS = dict(group.split("=") for group in PROFILE["groups"])
# All but what is timed and logged.
MADE = ("tables", "figures", "tensors", "decoders", "dictionaries", "units", "interventions")


def test_every_rule_of_the_profile_exists_and_every_figure_is_drawn_in_one_job():
    rules = {rule for rule, _ in rules_with_environment()}
    assert set(GROUPS) <= rules
    drawn = {rule for rule in rules if rule.startswith("draw_")} | {
        "assemble_tables",
        "judge_claims",
    }
    assert {rule for rule, group in GROUPS.items() if group == "figures"} == drawn


def test_no_rule_names_a_partition_or_an_account():
    for file in (ROOT / "workflow" / "rules").glob("*.smk"):
        assert "slurm" not in file.read_text(), file


def dry_run(checkout, *arguments: str) -> str:
    """What a dry run says of the jobs' resources."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--profile", "profiles/slurm"]
    done = subprocess.run(
        [*command, *arguments],
        cwd=checkout.root,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("decoders", "dictionaries", "asked_for"),
    [
        ("{device: cpu, devices: 2}", "{device: cpu}", {}),
        ("{device: cuda, devices: 2}", "{device: cpu}", {"train_decoder": "2"}),
        (
            "{device: auto, devices: 2}",
            "{device: cuda}",
            {"train_dictionary": "1", "compare_dictionaries": "1"},
        ),
    ],
)
def test_training_alone_asks_for_gpus_and_for_as_many_as_it_uses(
    checkout, decoders, dictionaries, asked_for
):
    given = f"decoders: {decoders}\ndictionaries: {dictionaries}\n"
    (checkout.root / "devices.yaml").write_text(given)
    said = dry_run(checkout, "all", "comparisons", "--configfile", "tiny.yaml", "devices.yaml")
    parts = re.split(r"\n *rule ", said)[1:]  # those of a group stand further in
    found = {part.split(":")[0]: re.findall(r"\bgpu=([1-9]\d*)", part) for part in parts}
    assert {"train_decoder", "train_dictionary", "compare_dictionaries", "ablate_units"} <= set(
        found
    )
    assert found == {rule: [asked_for[rule]] if rule in asked_for else [] for rule in found}


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


FEWER_JOBS = ["train_dictionary=cohort"]


@pytest.mark.slurm
def test_a_mouse_goes_through_sbatch_to_its_ablations_as_it_does_here(
    slurm_cluster, checkout, tiny_run
):
    here = tiny_run.checkout.results
    mouse = min(path.name for path in (here / "decoders").glob("mouse-*"))
    (target,) = (here / "interventions" / mouse).rglob("ablation.csv")
    asked = str(target.relative_to(tiny_run.checkout.root))
    said = submitted(checkout, asked, "--groups", *PROFILE["groups"], *FEWER_JOBS).ends_well()
    assert said.count("has been submitted with SLURM jobid") >= 3
    for stage in ("decoders", "dictionaries", "units", "interventions"):
        folder = Path(stage) / mouse
        assert not unlike(here / folder, checkout.results / folder, but="receptive_fields")
    assert not checkout.jobs(asked, "--configfile", "tiny.yaml"), "nothing is left to do"


def unlike(here: Path, there: Path, but: str = "no such name") -> set[str]:
    """Files that differ or that one folder alone has, but for what tells of its own run."""
    one, two = bytes_of(here), bytes_of(there)
    own = {name for name in one.keys() & two.keys() if name.endswith("provenance.json")}
    names = {name for name in one.keys() | two.keys() if not name.startswith(but)} - own
    return {name for name in names if one.get(name) != two.get(name)}


@pytest.mark.slurm
@pytest.mark.slow
@pytest.mark.parametrize(
    "grouped",
    [
        pytest.param(
            ["--groups", *PROFILE["groups"], *FEWER_JOBS, "--group-components", "session=2"],
            id="in fewer jobs",
        ),
        pytest.param([], id="as the profile has it"),
    ],
)
def test_a_run_through_sbatch_makes_the_bytes_of_a_local_run(
    slurm_cluster, checkout, tiny_run, grouped
):
    """Every table, figure, weight and activation is compared."""
    run = submitted(checkout, *grouped)
    said = run.ends_well()
    assert said.count("has been submitted with SLURM jobid") > 20
    figures = len(list((checkout.results / "figures").glob("*.png")))
    asks_for_one_part_at_a_time(run.name(), figures)
    for folder in MADE:
        assert not unlike(tiny_run.checkout.results / folder, checkout.results / folder), folder
    assert not checkout.jobs("--configfile", "tiny.yaml"), "a local run finds nothing left to do"
    recorded_as_a_local_run_is(checkout, tiny_run.checkout)


def asks_for_one_part_at_a_time(name: str, figures: int) -> None:
    """The plugin does a group's parts one by one: the largest one's memory, the minutes of all."""
    command = ["squeue", "--noheader", "--states=all", "--name", name, "--format=%k|%C|%m|%l"]
    rows = subprocess.check_output(command, text=True, timeout=60).splitlines()
    minutes = Counter()
    for comment, cpus, memory, limit in (row.split("|") for row in rows):
        group = re.match("rule_(session|figures)_", comment)
        if group:
            assert (cpus, memory) == ("1", "2000M" if "assemble_tables" in comment else "1000M")
            hours, more, _ = (int(part) for part in f"0:{limit}".split(":")[-3:])
            minutes[group.group(1)] += 60 * hours + more
    assert minutes["session"] == 4 * (10 + 30), "simulated and converted"
    assert minutes["figures"] == 30 + 10 * (figures + 1), "tables, figures, claims"


def recorded_as_a_local_run_is(checkout, local) -> None:
    """The record names the same jobs, what each took on its node, and `make verify` agrees."""
    jobs, jobs_here = (
        {name: one for name, one in entities_of(run).items() if name.startswith("#job/")}
        for run in (checkout, local)
    )
    made = {name for name, one in jobs.items() if one["@type"] == "CreateAction"}
    assert len(made) > 20
    assert made == {n for n, one in jobs_here.items() if one["@type"] == "CreateAction"}
    for name in made:
        assert float(jobs[f"{name}/wall-time"]["value"]) > 0
        assert listed(jobs[name]["object"]) == listed(jobs_here[name]["object"])
    rules = [name for name in entities_of(checkout) if re.match("#rule/[a-z_]+$", name)]
    assert all(f"{rule}/peak-memory-of-the-largest-job" in entities_of(checkout) for rule in rules)
    found = verified(checkout)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.slurm
@pytest.mark.slow
def test_a_site_sets_its_account_and_partition_and_runs_the_command_of_the_readme(
    slurm_cluster_with_accounts, checkout
):
    """On a cluster with accounts, where the fate of a job is looked up; one job is cancelled."""
    profile = "profiles/slurm/config.yaml"
    checkout.edit(profile, "# slurm_account: your_account", f"slurm_account: {ACCOUNT}")
    checkout.edit(profile, "# slurm_partition: your_partition", f"slurm_partition: {PARTITION}")
    planted = plant(checkout, "convert_session")
    run = as_documented(checkout, MANIFEST)
    planted.reached()
    (job,) = jobs_in_queue(name=run.name())
    subprocess.run(["scancel", job], check=True, timeout=60)
    run.ends_well()
    asked = ["sacct", "-XPn", "--format=JobIdRaw,State,Account,Partition", "--name", run.name()]
    kept = [
        line.split("|")
        for line in subprocess.check_output(asked, text=True, timeout=60).splitlines()
    ]
    states = [(number, state.split()[0]) for number, state, *_ in kept]  # CANCELLED by whom
    assert states == [(job, "CANCELLED"), (str(int(job) + 1), "COMPLETED")], kept
    assert all(line[2:] == [ACCOUNT, PARTITION] for line in kept), kept
    assert planted.runs_of("convert_session") == 2


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

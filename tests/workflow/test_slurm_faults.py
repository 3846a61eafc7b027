"""Faults of a cluster: each run completes, with the results of an undisturbed one."""

from __future__ import annotations

import re
import subprocess
import time

import pytest
from slurm_runs import MANIFEST, SESSION, jobs_in_queue, plant, submitted, until
from workflow_files import Checkout, bytes_of

pytestmark = pytest.mark.slurm
CONFIG = ("--configfile", "tiny.yaml")
CONVERT = "convert_session"


def like_undisturbed(checkout: Checkout, tiny_run) -> None:
    """The session's files are byte for byte those of a run without faults, and nothing is left."""
    for folder in (f"tensors/{SESSION}.zarr",):
        assert bytes_of(checkout.results / folder) == bytes_of(tiny_run.checkout.results / folder)
    for file in (f"tensors/{SESSION}.json", f"sessions/{SESSION}.nwb"):
        here, there = checkout.results / file, tiny_run.checkout.results / file
        assert here.read_bytes() == there.read_bytes()
    assert not checkout.jobs(MANIFEST, *CONFIG)
    assert not list(checkout.results.rglob("*.partial")), "nothing half-written stays"


def the_job(run) -> str:
    (job,) = jobs_in_queue(name=run.name())
    return job


def test_a_cancelled_job_is_tried_again(slurm_cluster, checkout, tiny_run):
    planted = plant(checkout, CONVERT)
    run = submitted(checkout, MANIFEST)
    planted.reached()
    job = the_job(run)
    subprocess.run(["scancel", job], check=True, timeout=60)
    said = run.ends_well()
    assert re.search(rf"JOB {job} ON \S+ CANCELLED AT", said), said[-6000:]
    assert planted.runs_of(CONVERT) == 2
    like_undisturbed(checkout, tiny_run)


def test_a_killed_controller_is_started_again_as_the_readme_says(slurm_cluster, checkout, tiny_run):
    """scancel --name RUN, --unlock, the same command again."""
    planted = plant(checkout, CONVERT)
    run = submitted(checkout, MANIFEST)
    planted.reached()
    run.process.kill()
    run.process.wait()
    assert the_job(run), "the cluster goes on without it"
    locked = submitted(checkout, MANIFEST)
    assert locked.status() != 0 and "--unlock" in locked.said()
    subprocess.run(["scancel", "--name", run.name()], check=True, timeout=60)
    until(lambda: not jobs_in_queue(name=run.name()), "the job was not cancelled")
    checkout.made("--unlock", *CONFIG)
    submitted(checkout, MANIFEST).ends_well()
    assert planted.runs_of(CONVERT) == 2
    like_undisturbed(checkout, tiny_run)


@pytest.mark.slow
def test_a_killed_controller_whose_job_goes_on_does_no_harm(slurm_cluster, checkout, tiny_run):
    """Started again without scancel: the old job and the new one write the same file in turn."""
    planted = plant(checkout, CONVERT)
    run = submitted(checkout, MANIFEST)
    planted.reached()
    run.process.kill()
    run.process.wait()
    checkout.made("--unlock", *CONFIG)
    again = submitted(checkout, MANIFEST)
    until(lambda: len(jobs_in_queue("RUNNING")) == 2, "the second job was not started")
    planted.release()
    again.ends_well()
    until(lambda: not jobs_in_queue(), "a job goes on")
    like_undisturbed(checkout, tiny_run)


@pytest.mark.slow
def test_a_job_over_its_time_is_tried_again_with_more(slurm_cluster, checkout, tiny_run):
    planted = plant(checkout, CONVERT)
    minute = ("simulate_session:runtime=1*attempt", "convert_session:runtime=0*attempt")
    run = submitted(checkout, MANIFEST, "--set-resources", *minute)
    planted.reached()
    job = the_job(run)
    said = run.ends_well()
    assert re.search(rf"JOB {job} ON \S+ CANCELLED AT \S+ DUE TO TIME LIMIT", said), said[-6000:]
    again = subprocess.check_output(["squeue", "--states=all", "-h", "-o%A %l"], text=True)
    limits = dict(line.split() for line in again.splitlines())
    assert limits[job] == "1:00" and limits[str(int(job) + 1)] == "2:00"
    like_undisturbed(checkout, tiny_run)


HUNGRY = """
if any(a.endswith("convert_session.py") for a in sys.orig_argv):
    filled = b"x" * 1_200_000_000
    time.sleep(5)  # the cluster looks at the memory of its jobs once a second
"""


@pytest.mark.slow
def test_a_job_over_its_memory_is_tried_again_with_more(slurm_cluster, checkout, tiny_run):
    """1.2 GB each time: the first attempt may use 1 GB, the second 2 GB."""
    planted = plant(checkout, "no script", HUNGRY)
    run = submitted(checkout, MANIFEST)
    said = run.ends_well()
    assert "exceeded memory limit" in said, said[-6000:]
    assert planted.runs_of(CONVERT) == 2
    like_undisturbed(checkout, tiny_run)


@pytest.mark.slow
def test_a_run_outlives_a_restart_of_slurmctld(slurm_cluster, checkout, tiny_run):
    planted = plant(checkout, CONVERT)
    run = submitted(checkout, MANIFEST)
    planted.reached()
    slurm_cluster.kill_controller()
    time.sleep(30)  # longer than SLURM's commands wait: questions for the job stay unanswered
    planted.release()
    slurm_cluster.start_controller()
    said = run.ends_well()
    assert "failed" not in said
    assert planted.runs_of(CONVERT) == 1
    like_undisturbed(checkout, tiny_run)


@pytest.mark.slow
def test_a_job_whose_node_died_runs_again_when_the_node_is_back(slurm_cluster, checkout, tiny_run):
    planted = plant(checkout, CONVERT)
    run = submitted(checkout, MANIFEST)
    planted.reached()
    slurm_cluster.kill_node()
    until(lambda: not slurm_cluster.node_is_up(), "nobody noticed")
    slurm_cluster.start_node()
    run.ends_well()
    assert planted.runs_of(CONVERT) == 2
    like_undisturbed(checkout, tiny_run)


@pytest.mark.slow
def test_a_full_log_disk_is_named_and_a_run_after_space_is_made_completes(
    slurm_cluster, checkout, tiny_run
):
    logs = checkout.results / "logs"
    logs.mkdir(parents=True)
    slurm_cluster.kill_node()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", logs], check=True)
    slurm_cluster.start_node()  # with the mounts of this moment
    try:
        full = logs / "full"
        with pytest.raises(OSError, match="No space left"), full.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        run = submitted(checkout, MANIFEST, "--retries", "0")
        assert run.status() != 0
        assert "No space left on device" in run.said(), run.said()[-6000:]
        full.unlink()
        submitted(checkout, MANIFEST).ends_well()
        like_undisturbed(checkout, tiny_run)
    finally:
        slurm_cluster.on_node("umount", "--lazy", logs)
        subprocess.run(["umount", "--lazy", logs], check=True)


@pytest.mark.slow
def test_a_node_that_sees_the_sessions_late_waits_for_them(slurm_cluster, checkout, tiny_run):
    checkout.made(f"results/sessions/{SESSION}.nwb", *CONFIG)
    hidden = checkout.results / "sessions"
    slurm_cluster.on_node("mount", "-t", "tmpfs", "none", hidden)
    run = submitted(checkout, MANIFEST)
    until(lambda: jobs_in_queue("RUNNING"), "the job was not started")
    time.sleep(12)
    slurm_cluster.on_node("umount", "--lazy", hidden)
    said = run.ends_well()
    assert "failed" not in said, "no attempt was spent on it"
    like_undisturbed(checkout, tiny_run)

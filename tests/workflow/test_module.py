"""The workflow used from elsewhere: as a module of another workflow, and in another folder."""

from __future__ import annotations

import pytest
from workflow_files import Checkout, bytes_of, jobs_of

SESSION = "sim-Cux2-01"
MANIFEST = f"results/tensors/{SESSION}.json"
OTHER = """
configfile: "other.yaml"

module glassbox:
    snakefile: "{house}/Snakefile"
    config: config["glassbox"]

use rule * from glassbox{renamed}

rule all:
    default_target: True
    input:
        "mine.txt"

rule mine:
    input:
        "results/tensors/sim-Cux2-01.json"
    output:
        "mine.txt"
    shell:
        "wc -c {{input}} > {{output}}"
"""


@pytest.fixture
def other(checkout, tmp_path) -> Checkout:
    """A workflow of someone else, in a folder whose name wants quoting."""
    root = tmp_path / "some one's work"
    root.mkdir()
    tiny = (checkout.root / "tiny.yaml").read_text()
    indented = "".join(f"  {line}\n" for line in tiny.splitlines())
    (root / "other.yaml").write_text(f"glassbox:\n{indented}")
    return Checkout(root)


def test_another_workflow_makes_a_result_through_the_module(other, checkout, tiny_run):
    text = OTHER.format(house=checkout.root, renamed=" exclude all")
    (other.root / "Snakefile").write_text(text)
    other.made()
    assert (other.root / "mine.txt").exists()
    tensor = f"tensors/{SESSION}.zarr"
    assert bytes_of(other.results / tensor) == bytes_of(tiny_run.checkout.results / tensor)
    assert not checkout.results.exists(), "results stand where the other workflow runs"
    assert not other.jobs()


def test_a_module_under_names_of_its_own_plans_the_same_jobs(other, checkout, tiny_run):
    text = OTHER.format(house=checkout.root, renamed=" exclude all as house_*")
    (other.root / "Snakefile").write_text(text)
    run = other.made("--dry-run", "results/tables/decoding.csv", "--quiet", "reason")
    renamed = jobs_of(run.stdout + run.stderr)
    plain = checkout.jobs("results/tables/decoding.csv", "--configfile", "tiny.yaml")
    assert {job.removeprefix("house_") for job in renamed} == set(plain)


def test_results_are_made_in_the_folder_that_is_asked_for(checkout, tmp_path, tiny_run):
    away = tmp_path / "a way"
    checkout.made(MANIFEST, "--directory", away, "--configfile", checkout.root / "tiny.yaml")
    made = Checkout(away).results / "tensors"
    assert bytes_of(made / f"{SESSION}.zarr") == bytes_of(
        tiny_run.checkout.results / "tensors" / f"{SESSION}.zarr"
    )
    assert not checkout.results.exists()

"""The record of a real run, and what is said when its results no longer match it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import pytest
from glassbox.code import code_of_script
from workflow_files import ROOT, Checkout, bytes_of

CONFIG = ("--configfile", "tiny.yaml")
PATHS = re.compile(r'"results/(logs|benchmarks)/([^"]+)\.(?:log|tsv)"')


def entities_of(checkout: Checkout) -> dict[str, dict]:
    text = (checkout.results / "ro-crate-metadata.json").read_text()
    return {entity["@id"]: entity for entity in json.loads(text)["@graph"]}


def listed(value) -> list:
    return value if isinstance(value, list) else [value]


def verified(checkout: Checkout, *arguments) -> subprocess.CompletedProcess:
    script = checkout.root / "workflow" / "scripts" / "verify_results.py"
    return subprocess.run(
        [sys.executable, "-S", script, *arguments],  # without any package but the library
        cwd=checkout.root,
        env={"PYTHONPATH": str(checkout.root / "workflow")},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_record_has_each_table_figure_and_tensor_and_the_job_that_made_it(tiny_run):
    entities, results = entities_of(tiny_run.checkout), tiny_run.checkout.results
    made = {
        one["@id"]
        for entity in entities.values()
        if entity["@type"] == "CreateAction" and entity["@id"] != "#run"
        for one in listed(entity["result"])
    }
    kept = [*results.glob("tables/*.csv"), *results.glob("figures/*"), *results.glob("tensors/*")]
    names = {p.relative_to(results).as_posix() + "/" * p.is_dir() for p in kept}
    names = {name for name in names if "/." not in name}
    assert len(names) > 20 and names <= made
    assert all(len(entities[name]["sha256"]) == 64 for name in names)


def test_each_rule_in_the_record_has_its_code_environment_time_and_memory(tiny_run):
    house = tiny_run.checkout.root / "workflow"
    entities = entities_of(tiny_run.checkout)
    rules = {name: entities[name] for name in entities if re.match("#rule/[a-z_]+$", name)}
    scripts = {path.stem for path in (house / "scripts").glob("*.py")}
    assert {"#rule/simulate_session", "#rule/train_decoder", "#rule/draw_units"} <= set(rules)
    for name, rule in rules.items():
        script = name.removeprefix("#rule/")
        assert script in scripts
        assert rule["softwareVersion"] == code_of_script(house / "scripts" / f"{script}.py", house)
        assert rule["softwareRequirements"]["@id"].startswith("provenance/envs/")
        assert not re.search("[0-9a-f]{16}", rule["softwareRequirements"]["@id"])
        assert len(listed(rule["resourceUsage"])) == 2, name


def test_a_run_is_verified_and_a_changed_table_named_by_a_copy_of_its_results(tiny_run, tmp_path):
    """As on another machine: the results alone were copied."""
    copy = tmp_path / "copied"
    shutil.copytree(tiny_run.checkout.results, copy)
    run = verified(tiny_run.checkout, "--results", copy)
    assert run.returncode == 0, run.stdout + run.stderr
    with (copy / "tables" / "units.csv").open("a") as table:
        table.write("\n")
    run = verified(tiny_run.checkout, "--results", copy)
    assert run.returncode == 1
    (said,) = run.stdout.splitlines()
    assert said.startswith("tables/units.csv has changed")


def test_every_figure_tells_that_it_was_drawn_from_the_tables_here(tiny_run):
    figures = sorted((tiny_run.checkout.results / "figures").glob("*.p*"))
    assert {path.suffix for path in figures} == {".pdf", ".png"}
    for figure in figures:
        run = verified(tiny_run.checkout, "--figure", figure)
        assert run.returncode == 0, run.stdout + run.stderr


def test_the_benchmark_of_each_rule_is_named_as_its_log_is():
    """The record finds the one by the other."""
    for file in (ROOT / "workflow" / "rules").glob("*.smk"):
        for rule in file.read_text().split("\nrule ")[1:]:
            named = dict(PATHS.findall(rule))
            if "benchmark:" in rule:
                assert named["logs"] == named["benchmarks"], rule.split(":")[0]


@pytest.mark.slow
def test_two_runs_in_different_folders_give_equal_tables_and_figures(tiny_run, checkout):
    checkout.made(*CONFIG)
    for folder in ("tables", "figures"):
        one, two = (bytes_of(run.results / folder) for run in (tiny_run.checkout, checkout))
        assert one.keys() == two.keys() and len(one) >= 10
        assert not {name for name in one if one[name] != two[name]}

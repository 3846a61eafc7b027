"""What a Snakemake user types, and what a workflow catalogue reads."""

from __future__ import annotations

import csv
import re
from itertools import pairwise

import yaml
from workflow_files import ROOT, TARGET_RULES, bytes_of, jobs_of

CONFIG = ("--configfile", "tiny.yaml")
FIGURE = "results/figures/units"


def test_one_figure_is_drawn_again_alone(tiny_copy):
    """Lost, and then, though it is there, because it is asked for by force."""
    figures = tiny_copy.results / "figures"
    before = bytes_of(figures)
    for form in ("pdf", "png"):
        (tiny_copy.root / f"{FIGURE}.{form}").unlink()
    lost = tiny_copy.made(f"{FIGURE}.pdf", *CONFIG)
    assert set(jobs_of(lost.stdout + lost.stderr)) == {"draw_units"}
    assert bytes_of(figures) == before
    assert set(tiny_copy.jobs(f"{FIGURE}.png", "--force", *CONFIG)) == {"draw_units"}
    assert not tiny_copy.jobs(*CONFIG), "nothing else is out of date"


def test_every_stage_is_a_target_of_its_name_and_the_default_makes_them(tiny_run):
    stages = "sessions tensors decoders dictionaries units interventions tables figures claims"
    assert set(stages.split()) < TARGET_RULES
    assert not tiny_run.checkout.jobs(*stages.split(), "provenance", *CONFIG)


def test_the_summary_names_the_rule_of_every_result_and_finds_none_missing(tiny_run):
    said = tiny_run.checkout.made("--summary", *CONFIG).stdout
    rows = list(csv.DictReader(said.splitlines(), delimiter="\t"))
    assert {row["status"] for row in rows} == {"ok"}
    rule_of = {row["output_file"]: row["rule"] for row in rows}
    assert rule_of[f"{FIGURE}.png"] == "draw_units"
    assert rule_of["results/tables/ablation.csv"] == "assemble_tables"
    assert all((tiny_run.checkout.root / name).exists() for name in rule_of)


def test_the_graph_of_the_rules_leads_from_the_sessions_to_the_figures(tiny_run):
    graph = tiny_run.checkout.made("--rulegraph", *CONFIG).stdout
    names = dict(re.findall(r'(\d+)\[label = "(\w+)"', graph))
    edges = {(names[a], names[b]) for a, b in re.findall(r"(\d+) -> (\d+)", graph)}
    path = "simulate_session convert_session train_decoder train_dictionary measure_units".split()
    path += ["assemble_tables", "draw_units", "all"]
    assert set(pairwise(path)) <= edges


def test_what_the_catalogue_of_workflows_is_told_is_so():
    """It asks for no flag; conda and the report are tested where they are used."""
    about = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    deployed = about["software-stack-deployment"]
    assert set(about) == {"software-stack-deployment", "report"} and about["report"]
    assert [kind for kind, works in deployed.items() if works] == ["conda"]
    rules = "".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    assert "conda:" in rules and "container:" not in rules
    assert (ROOT / "Snakefile").is_file() and (ROOT / "config" / "README.md").is_file()

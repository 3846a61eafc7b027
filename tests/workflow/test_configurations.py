"""Dry runs of each configuration, and the sentences that refuse a wrong one."""

from __future__ import annotations

import importlib.util
from collections import Counter

import pytest
import yaml
from workflow_files import FIGURES, ROOT, folder_of_sessions


def refusal(run) -> str:
    """The one line with which a run was refused."""
    assert run.returncode != 0
    said = run.stdout + run.stderr
    assert "Traceback" not in said and 'File "' not in said
    lines = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, said
    return lines[0]


def test_the_default_configuration_makes_fifteen_cohorts_and_three_with_mice_held_out(checkout):
    jobs = checkout.jobs()
    count = Counter(job.split(":")[0] for job in jobs)
    for rule in ("simulate_session", "convert_session", "fit_reference"):
        assert count[rule] == 12
    for rule in ("train_decoder", "train_dictionary", "measure_units"):
        assert count[rule] == 15 + 3
    assert count["ablate_units"] == 15
    for rule in ("relabel_mice", "score_ground_truth", "ablate_genotype", "assemble_tables"):
        assert count[rule] == 1
    for figure in (*FIGURES, "genotype"):
        assert count[f"draw_{figure}"] == 1
    assert count["report_refused"] == 0


def test_the_local_configuration_reads_a_folder_in_place(checkout):
    folder = folder_of_sessions(checkout.root / "mine", ("a", "b"))
    arguments = ("--configfile", "config/local.yaml", "--config", "nwb_dir=mine")
    jobs = checkout.jobs(*arguments)
    assert {job for job in jobs if job.startswith(("convert", "train_decoder"))} == {
        "convert_session:a",
        "convert_session:b",
        "train_decoder:mouse-a",
        "train_decoder:mouse-b",
        "train_decoder:genotype-Cux2-CreERT2",
    }
    assert not any(job.startswith("simulate_session") for job in jobs)
    assert sorted(path.name for path in folder.iterdir()) == ["a.nwb", "b.nwb"]


def test_the_papers_configuration_makes_one_poyo_plus_decoder_of_all_mice(checkout):
    jobs = checkout.jobs("--configfile", "config/paper.yaml")
    held_out = {f"all-without-{fold}" for fold in range(3)}
    decoders = {job.split(":")[1] for job in jobs if job.startswith("train_decoder:")}
    assert decoders == {"all"} | held_out
    assert {job.split(":")[0] for job in jobs} >= {
        "train_dictionary",
        "measure_units",
        "ablate_units",
        "ablate_genotype",
        "draw_ablation",
        "draw_attribution",
    }
    assert "draw_receptive_fields" not in jobs  # what enters its latents depends on the trial


def test_the_configuration_of_many_tasks_records_each_mouse_twice(checkout):
    jobs = checkout.jobs("--configfile", "config/multitask.yaml")
    assert sum(job.startswith("simulate_session:") for job in jobs) == 8
    decoders = {job.split(":")[1] for job in jobs if job.startswith("train_decoder:")}
    assert len(decoders) == 5 and "all" in decoders


def test_the_configuration_of_static_gratings_takes_a_folder(checkout):
    """Sessions of drifting gratings are no task of it: none is trained on."""
    folder = folder_of_sessions(checkout.root / "mine", ("a",))
    given = ("--configfile", "config/static_gratings.yaml", "--config", f"nwb_dir={folder}")
    jobs = checkout.jobs(*given)
    assert any(job.startswith("convert_session:") for job in jobs)
    assert not any(job.startswith("train_decoder:") for job in jobs)


def test_every_configuration_in_the_folder_has_a_dry_run_here(checkout):
    """A configuration that is added must be added to the tests above; allen: test_allen_plan.py."""
    names = {path.name for path in (checkout.root / "config").glob("*.yaml")}
    tried = "config local paper multitask static_gratings allen".split()
    assert names == {f"{name}.yaml" for name in tried}


def test_a_relative_folder_is_meant_from_where_the_command_is_typed(checkout, tmp_path):
    folder_of_sessions(tmp_path / "typed_here" / "mine", ("a",))
    away = tmp_path / "away"
    run = checkout.snakemake(
        "--snakefile",
        checkout.root / "Snakefile",
        "--dry-run",
        "--directory",
        away,
        "--configfile",
        checkout.root / "config" / "local.yaml",
        "--config",
        "nwb_dir=mine",
        cwd=tmp_path / "typed_here",
    )
    assert run.returncode == 0, run.stderr
    assert "train_decoder" in run.stdout + run.stderr
    assert (away / "results" / "sessions" / "catalogue.tsv").exists()
    assert not (checkout.root / "results").exists()


def test_what_the_default_configuration_says_holds_under_directory(checkout, tmp_path):
    """An overlay alone must not silently replace the configuration beside the Snakefile."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("sessions: {simulate: {mice_per_line: 2}}\n")
    jobs = checkout.jobs("--directory", tmp_path / "away", "--configfile", overlay)
    assert sum(job.startswith("train_decoder:all-without-") for job in jobs) == 2


def test_a_wrong_key_is_refused_with_file_line_and_what_was_expected(checkout):
    wrong = checkout.root / "wrong.yaml"
    wrong.write_text(yaml.safe_dump({"dictionaries": {"widht": 32}}))
    said = refusal(checkout.snakemake("--dry-run", "--configfile", wrong))
    assert "dictionaries.widht: no such option (wrong.yaml, line 2). Did you mean width?" in said


def test_a_value_that_cannot_be_is_refused_before_any_job(checkout):
    wrong = checkout.root / "wrong.yaml"
    wrong.write_text("dictionaries:\n  k: 16\n  width: 20\n")
    said = refusal(checkout.snakemake("--configfile", wrong))
    assert "dictionaries.width" in said and "wrong.yaml, line 3" in said
    assert not (checkout.results / "tensors").exists()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([], "nwb_dir: sessions.source is folder, and no folder is given"),
        (["nwb_dir=nowhere"], "nowhere: no such folder"),
        (["nwb_dir=config"], "config: no file of this folder ends in .nwb"),
    ],
)
def test_a_folder_that_holds_no_sessions_is_refused(checkout, given, sentence):
    config = ["--config", *given] if given else []
    run = checkout.snakemake("--dry-run", "--configfile", "config/local.yaml", *config)
    assert sentence in refusal(run)


def test_a_catalogue_that_names_a_file_twice_is_refused(checkout):
    folder_of_sessions(checkout.root / "mine", ("a", "b"))
    (checkout.root / "mine" / "list.tsv").write_text(
        "session\tfile\none\ta.nwb\ntwo\tb.nwb\nthree\ta.nwb\n"
    )
    own = checkout.root / "own.yaml"
    own.write_text("sessions: {source: catalogue, catalogue: mine/list.tsv}\n")
    said = refusal(checkout.snakemake("--dry-run", "--configfile", own))
    assert "list.tsv: lines 2 and 4 name the file 'a.nwb'" in said


def test_a_catalogue_names_sessions_and_their_files(checkout):
    folder_of_sessions(checkout.root / "mine", ("a", "b"))
    (checkout.root / "mine" / "list.tsv").write_text("session\tfile\none\tb.nwb\n")
    own = checkout.root / "own.yaml"
    own.write_text("sessions: {source: catalogue, catalogue: mine/list.tsv}\n")
    jobs = checkout.jobs("--configfile", own)
    assert {job for job in jobs if job.startswith("convert")} == {"convert_session:one"}


def test_unknown_cohorts_are_refused_by_name(checkout):
    run = checkout.snakemake("--dry-run", "results/decoders/mouse-none/decoder.json")
    assert run.returncode != 0
    assert "mouse-none: no such cohort" in run.stdout + run.stderr


def test_the_readme_shows_the_rule_graph(checkout):
    """`make rulegraph` draws it."""
    run = checkout.made("--rulegraph", "mermaid-js")
    spec = importlib.util.spec_from_file_location("draw", ROOT / "docs" / "draw_rulegraph.py")
    draw = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw)
    assert draw.graph_of(run.stdout) in draw.README.read_text()

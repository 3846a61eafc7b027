"""What runs again after a change, on copies of one finished run."""

from __future__ import annotations

import shutil

import h5py
import pytest
from glassbox.code import closure
from glassbox.sessions import layout
from workflow_files import rules_of

CONFIG = ("--configfile", "tiny.yaml")
TABLES_AND_FIGURES = {
    "assemble_tables",
    "judge_claims",
    "draw_decoding",
    "draw_insertion",
    "draw_units",
    "draw_ablation",
    "draw_necessity",
    "draw_controls",
    "draw_steering",
    "draw_genotype",
}
FIGURES = "decoding insertion units ablation necessity steering genotype receptive_fields".split()
FIGURES += ["attribution", "controls"]
EXPLANATIONS = {"explain_units", "draw_attribution"}
ABLATIONS = {"ablate_units", "ablate_genotype"}
# Scripts of targets that the main job does not make, so that the tiny run does not run them.
ASIDE = {
    "compare_dictionaries",
    "fit_few_trials",
    "draw_few_trials",
    "draw_dictionaries",
    "probe_layers",
    "draw_readability",
    "draw_agreement",
    "verify_results",
}
ASIDE |= {"fetch_catalogue", "fetch_session", "fetch_events"}
UNITS = {"measure_units", "relabel_mice", "score_ground_truth"}


def test_the_run_made_every_table_and_figure(tiny_run):
    tables = {path.stem for path in (tiny_run.checkout.results / "tables").glob("*.csv")}
    named = "decoding insertion dictionaries units ablation ground_truth excluded".split()
    assert tables >= set(named)
    figures = {path.name for path in (tiny_run.checkout.results / "figures").iterdir()}
    assert figures == {f"{name}.{form}" for name in FIGURES for form in ("pdf", "png")}


def test_a_second_run_has_no_jobs(tiny_run):
    assert not tiny_run.checkout.jobs(*CONFIG)


def test_no_script_loads_a_module_that_its_closure_lacks(tiny_run):
    """What each script had loaded when it ended, against what its rule is run again for."""
    house = tiny_run.checkout.root / "workflow"
    scripts = {path.stem for path in (house / "scripts").glob("*.py")}
    assert set(tiny_run.loaded) == scripts - ASIDE
    for script, loaded in tiny_run.loaded.items():
        assert loaded <= closure(house / "scripts" / f"{script}.py", house), script


@pytest.mark.parametrize(
    ("module", "rules"),
    [
        ("figures/decoding.py", {"draw_decoding"}),
        ("figures/assemble.py", TABLES_AND_FIGURES),
        ("figures/receptive_fields.py", {"draw_receptive_fields"}),
        ("figures/attribution.py", {"draw_attribution"}),
        ("interventions/controls.py", ABLATIONS | EXPLANATIONS | TABLES_AND_FIGURES),
        ("interventions/rewriting.py", EXPLANATIONS | TABLES_AND_FIGURES),
        ("units/relabelling.py", {"relabel_mice", *TABLES_AND_FIGURES}),
        ("units/measure.py", UNITS | ABLATIONS | EXPLANATIONS | TABLES_AND_FIGURES),
        ("decoders/reference.py", {"fit_reference", "compare_decoders", *TABLES_AND_FIGURES}),
        ("decoders/resampling.py", {"compare_decoders", *TABLES_AND_FIGURES}),
    ],
)
def test_editing_a_library_module_reruns_exactly_its_dependants(tiny_copy, module, rules):
    file = tiny_copy.root / "workflow" / "glassbox" / module
    file.write_text(file.read_text() + "\nEDITED = True\n")
    assert rules_of(tiny_copy.jobs(*CONFIG)) == rules


def test_a_comment_or_a_docstring_reruns_nothing(tiny_copy):
    for file in (tiny_copy.root / "workflow").rglob("*.py"):
        text = file.read_text()
        opening = text.index('"""') + 3 if text.startswith('"""') else None
        changed = text if opening is None else text[:opening] + "Really: " + text[opening:]
        file.write_text(changed + "\n# a comment\n")
    assert not tiny_copy.jobs(*CONFIG)


@pytest.mark.parametrize(
    ("section", "old", "new", "rules"),
    [
        ("interventions", "doses: [1, 2]", "doses: [1]", ABLATIONS | TABLES_AND_FIGURES),
        (
            "units",
            "permutations: 199",
            "permutations: 299",
            UNITS | ABLATIONS | EXPLANATIONS | TABLES_AND_FIGURES,
        ),
        (
            "dictionaries",
            "k: 4",
            "k: 5",
            {"train_dictionary"} | UNITS | ABLATIONS | EXPLANATIONS | TABLES_AND_FIGURES,
        ),
    ],
)
def test_an_option_reruns_its_stage_and_what_follows(tiny_copy, section, old, new, rules):
    tiny_copy.edit("tiny.yaml", f"{old}\n", f"{new}\n")
    assert rules_of(tiny_copy.jobs(*CONFIG)) == rules


def test_a_chunk_that_a_conversion_changed_reruns_what_is_made_of_it(tiny_copy):
    """Also in a later run than the conversion, as after a kill between the two."""
    with h5py.File(tiny_copy.results / "sessions" / "sim-Cux2-01.nwb", "a") as file:
        file[layout.DFF][0, 100] += 1
    tiny_copy.made("results/tensors/sim-Cux2-01.json", *CONFIG)
    jobs = tiny_copy.jobs(*CONFIG)
    assert "convert_session" not in rules_of(jobs)
    assert {job for job in jobs if "fit_reference" in job} == {"fit_reference:sim-Cux2-01"}
    trained = {job.partition(":")[2] for job in jobs if job.startswith("train_decoder")}
    cohorts = {"mouse-M01", "genotype-Cux2-CreERT2", "all", "all-without-0", "all-without-1"}
    assert trained == cohorts


def test_a_tensor_that_was_deleted_is_made_again_where_it_is_wanted(tiny_copy):
    shutil.rmtree(tiny_copy.results / "tensors" / "sim-Cux2-01.zarr")
    assert not tiny_copy.jobs(*CONFIG)
    decoder = "results/decoders/mouse-M01/decoder.json"
    (tiny_copy.root / decoder).unlink()
    jobs = tiny_copy.jobs(decoder, *CONFIG)
    assert set(jobs) == {"convert_session:sim-Cux2-01", "train_decoder:mouse-M01"}


def test_a_manifest_that_was_deleted_is_made_again(tiny_copy):
    (tiny_copy.results / "tensors" / "sim-Cux2-01.json").unlink()
    assert tiny_copy.jobs(*CONFIG)["convert_session:sim-Cux2-01"]


def test_one_more_simulated_mouse_simulates_and_converts_its_session_alone(tiny_copy):
    tiny_copy.edit("tiny.yaml", "mice_per_line: 2\n", "mice_per_line: 3\n")
    jobs = tiny_copy.jobs(*CONFIG)
    for rule in ("simulate_session", "convert_session"):
        assert {job for job in jobs if job.startswith(rule)} == {
            f"{rule}:sim-Cux2-03",
            f"{rule}:sim-Rorb-03",
        }


def test_a_second_type_of_session_leaves_the_sessions_of_the_first_as_they_are(tiny_copy):
    types = "session_types: [three_session_A, three_session_B]"
    tiny_copy.edit("tiny.yaml", "    trials: 210\n", f"    trials: 210\n    {types}\n")
    jobs = tiny_copy.jobs(*CONFIG, "--until", "convert_session")
    sessions = ("sim-Cux2-01-B", "sim-Cux2-02-B", "sim-Rorb-01-B", "sim-Rorb-02-B")
    assert set(jobs) == {
        f"{rule}:{session}"
        for rule in ("simulate_session", "convert_session")
        for session in sessions
    }


def test_editing_the_schema_of_a_table_checks_the_tables_again(tiny_copy):
    tiny_copy.edit("workflow/schemas/tables/units.json", '"string"', '"string" ')
    assert rules_of(tiny_copy.jobs(*CONFIG)) == TABLES_AND_FIGURES


def test_the_report_carries_every_figure_with_its_caption(tiny_copy):
    tiny_copy.made(*CONFIG, "--report", "report.html")
    report = (tiny_copy.root / "report.html").read_text()
    assert "opens the black box of transformers" in report, "report/workflow.rst"
    for figure in FIGURES:
        assert f"results/figures/{figure}.png" in report
        assert (tiny_copy.root / "report" / f"{figure}.rst").read_text().split()

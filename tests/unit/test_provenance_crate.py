"""What the record of a results folder holds."""

from __future__ import annotations

import subprocess

import pytest
from glassbox.errors import UserError
from glassbox.files import sha256_of_file, sha256_of_folder
from glassbox.inputs import id_of_inputs
from glassbox.provenance import circumstances
from glassbox.provenance.jobs import lineage
from glassbox.provenance.records import Records
from made_results import ENVIRONMENT, SOURCE, TABLE, TENSOR, MadeResults, made_results
from rocrate.rocrate import ROCrate


@pytest.fixture
def made(tmp_path) -> MadeResults:
    return made_results(tmp_path / "work")


def behind(entities, name: str) -> set[str]:
    """All that something was made from, job by job."""
    made_by = {}
    for entity in entities.values():
        if entity["@type"] == "CreateAction" and entity["@id"] != "#run":
            for one in listed(entity["result"]):
                made_by[one["@id"]] = entity
    found, waiting = set(), [name]
    while waiting:
        job = made_by.get(waiting.pop())
        new = {one["@id"] for one in listed(job["object"])} - found if job else set()
        found |= new
        waiting += new
    return found


def listed(value) -> list:
    return value if isinstance(value, list) else [value]


def test_a_figure_leads_back_to_the_bytes_of_its_sources(made):
    entities = made.entities()
    source = (made.directory / SOURCE).as_uri()
    assert behind(entities, "figures/units.png") == {
        "tables/units.csv",
        "units/all.csv",
        "tensors/one.zarr/",
        "tensors/one.json",
        source,
    }
    assert entities["figures/units.png"]["isBasedOn"] == {"@id": "tables/units.csv"}
    assert entities[source]["sha256"] == sha256_of_file(made.directory / SOURCE)
    assert entities["tensors/one.zarr/"]["sha256"] == sha256_of_folder(made.directory / TENSOR)


def test_each_rule_has_its_code_environment_time_and_memory(made):
    entities = made.entities()
    rule = entities["#rule/assemble_tables"]
    assert len(rule["softwareVersion"]) == 16
    environment = made.results / rule["softwareRequirements"]["@id"]
    assert environment.read_bytes() == ENVIRONMENT
    usage = [entities[one["@id"]] for one in rule["resourceUsage"]]
    assert {(one["value"], one["unitText"]) for one in usage} == {
        (12.5, "seconds"),
        (345.67, "megabytes"),
    }


def test_a_rule_that_ran_by_other_code_says_so(made):
    made.made("draw_units", [TABLE], ["results/figures/units.png"], params=["'0123456789abcdef'"])
    made.record()
    assert made.entities()["#rule/draw_units"]["softwareVersion"].startswith("made by other code")


def test_the_run_names_configuration_seeds_and_machine(made):
    entities = made.entities()
    run = entities["#run"]
    given = {one["@id"] for one in run["object"]}
    assert {"provenance/config.json", "#seed/figures.seed", "#seed/decoders.seeds"} <= given
    assert entities["#seed/figures.seed"]["value"] == 3
    assert entities["#seed/decoders.seeds"]["value"] == [0, 1]
    facts = {one["@id"] for one in run["additionalProperty"]}
    assert {"#machine/processor", "#machine/cores", "#machine/memory_mb"} <= facts


def test_the_library_reads_the_record_as_a_workflow_crate(made):
    crate = ROCrate(made.results)
    assert crate.mainEntity["programmingLanguage"].id.endswith("#snakemake")
    profiles = {one.id for one in crate.root_dataset["conformsTo"]}
    assert "https://w3id.org/ro/wfrun/workflow/0.5" in profiles
    assert crate.dereference("figures/units.png")["sha256"]


def test_the_same_results_recorded_twice_differ_in_their_date_alone(made):
    def undated():
        return {
            key: {name: value for name, value in entity.items() if name != "datePublished"}
            for key, entity in made.entities().items()
        }

    before = undated()
    made.record()
    assert undated() == before


def test_a_target_that_is_not_there_is_refused_and_the_old_record_stays(made):
    before = made.entities()
    (made.directory / TABLE).unlink()
    with pytest.raises(UserError, match=r"results/tables/units\.csv: no such file"):
        made.record()
    assert made.entities() == before


def test_what_was_not_kept_is_named_without_a_hash(made):
    made.made("assemble_tables", ["results/gone.npz"], [TABLE])
    made.made("convert_session", [SOURCE], ["results/gone.npz", TENSOR, "results/tensors/one.json"])
    made.record()
    entity = made.entities()["gone.npz"]
    assert entity["description"] == "was not kept" and "sha256" not in entity


def test_without_snakemakes_records_the_files_are_still_recorded(made):
    assert made.record() == 4
    (made.directory / ".snakemake").rename(made.directory / "gone")
    assert made.record() == 0
    assert made.entities()["tables/units.csv"]["sha256"]


def test_a_record_is_found_by_a_path_longer_than_a_file_name_may_be(tmp_path):
    made, path = MadeResults(tmp_path), "results/" + "long/" * 100 + "name"
    made.made("draw_units", ["a"], [path])
    assert Records(tmp_path).of(path).inputs == ("a",)
    assert Records(tmp_path).of("results/other") is None


def test_a_job_that_was_not_finished_made_nothing(tmp_path):
    made = MadeResults(tmp_path)
    made.made("draw_units", ["a"], ["b"], incomplete=True)
    found = lineage(["b"], Records(tmp_path), tmp_path)
    assert found.jobs == () and found.given == ("b",)


def test_a_benchmark_without_numbers_gives_none(tmp_path):
    made = MadeResults(tmp_path)
    made.made("draw_units", ["a"], ["b"])
    made.write("results/benchmarks/draw_units.tsv", "s\tmax_rss\n0.1\tNA\n")
    (job,) = lineage(["b"], Records(tmp_path), tmp_path).jobs
    assert (job.wall_s, job.memory_mb) == (0.1, None)


def test_the_commit_of_a_checkout_and_whether_its_code_has_changed(tmp_path):
    def git(*arguments):
        who = ("-c", "user.name=a", "-c", "user.email=a@b")
        subprocess.run(["git", "-C", tmp_path, *who, *arguments], check=True, capture_output=True)

    assert circumstances.version_of_code(tmp_path) == {"commit": None, "changed": None}
    (tmp_path / "Snakefile").write_text("one")
    git("init")
    git("add", "Snakefile")
    git("commit", "-m", "one")
    (tmp_path / "notes").write_text("no code")
    assert circumstances.version_of_code(tmp_path)["changed"] is False
    (tmp_path / "Snakefile").write_text("two")
    found = circumstances.version_of_code(tmp_path)
    assert found["changed"] is True and len(found["commit"]) == 40


def test_the_packages_of_this_python_are_listed_with_their_versions():
    lines = circumstances.packages().splitlines()
    assert f"pytest=={pytest.__version__}" in lines and lines[0].startswith("# Python 3")


def test_the_archive_of_the_code_depends_on_nothing_but_the_code(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name / "workflow" / "__pycache__").mkdir(parents=True)
        (tmp_path / name / "Snakefile").write_text("rule a:")
        (tmp_path / name / "workflow" / "__pycache__" / "x.pyc").write_text(name)
    one, two = (circumstances.archive_of_code(tmp_path / name) for name in ("one", "two"))
    assert one == two
    (tmp_path / "two" / "Snakefile").write_text("rule b:")
    assert circumstances.archive_of_code(tmp_path / "two") != one


def test_the_id_of_inputs_is_of_their_contents_alone(tmp_path):
    paths = [tmp_path / name for name in ("a", "b", "c")]
    for path, text in zip(paths, ("1", "2", "1"), strict=True):
        path.write_text(text)
    a, b, c = paths
    assert id_of_inputs([a, b]) == id_of_inputs([b, a]) == id_of_inputs([b, c])
    assert id_of_inputs([a, b]) != id_of_inputs([a]) != id_of_inputs([b])

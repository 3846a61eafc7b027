"""What is said of results that are no longer as they were recorded."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest
from glassbox.errors import UserError
from glassbox.provenance.verify import verify, verify_figure
from made_results import FIGURE, SOURCE, TABLE, TENSOR, MadeResults, made_results

THINGS = {
    "tables/units.csv": TABLE,
    "figures/units.png": FIGURE,
    "tensors/one.zarr": f"{TENSOR}/c/0",
    "the source mine/one two.nwb": SOURCE,
    "provenance/config.json": "results/provenance/config.json",
}


@pytest.fixture
def made(tmp_path) -> MadeResults:
    return made_results(tmp_path / "work")


@pytest.fixture
def script():
    path = Path(__file__).parents[2] / "workflow" / "scripts" / "verify_results.py"
    spec = importlib.util.spec_from_file_location("verify_results", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def test_results_as_recorded_have_no_fault(made):
    verdict = verify(made.results)
    assert verdict.checked > len(THINGS) and not verdict.faults


@pytest.mark.parametrize("what", THINGS)
def test_what_has_changed_is_named_and_nothing_else(made, what):
    made.write(THINGS[what], "changed")
    (fault,) = verify(made.results).faults
    assert fault.startswith(f"{what} has changed: its SHA-256 was ")


@pytest.mark.parametrize("what", THINGS)
def test_what_is_missing_is_named_and_nothing_else(made, what):
    path = made.directory / (TENSOR if what == "tensors/one.zarr" else THINGS[what])
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    (fault,) = verify(made.results).faults
    assert fault.startswith(f"{what} is missing")


@pytest.mark.parametrize("name", ["tables/mine.csv", "figures/few_trials.pdf", "tensors/two.json"])
def test_what_was_added_is_named(made, name):
    made.write(f"results/{name}", "")
    (fault,) = verify(made.results).faults
    assert fault.startswith(f"{name} is not in the record")


def test_benchmarks_stamps_and_half_written_files_are_no_fault(made):
    for name in ("tables/benchmarks.csv", "figures/.units.png.partial", "tables/notes.md"):
        made.write(f"results/{name}", "")
    made.write(f"{TENSOR}/.snakemake_timestamp", "later")
    assert not verify(made.results).faults


def test_a_source_that_moved_is_said_where_it_was_and_found_where_it_is(made, tmp_path):
    (made.directory / "mine").rename(tmp_path / "elsewhere")
    (fault,) = verify(made.results).faults
    assert f"at {made.directory / SOURCE}" in fault and "--sources" in fault
    assert not verify(made.results, tmp_path / "elsewhere").faults


def test_results_and_sources_moved_together_are_verified_where_they_are(made, tmp_path):
    """A relative folder of sources is meant from the working directory, wherever that is now."""
    away = tmp_path / "another machine"
    made.directory.rename(away)
    assert not verify(away / "results").faults
    (away / SOURCE).write_text("changed")
    assert len(verify(away / "results").faults) == 1


def test_a_figure_of_other_tables_is_found_out_though_its_bytes_are_as_recorded(made):
    made.write(TABLE, "unit\n2\n")
    made.record()  # of a figure that was not drawn again
    (fault,) = verify(made.results).faults
    said = "was drawn from other tables than the recorded tables/units.csv."
    assert fault == f"figures/units.png {said}"


def test_a_figure_that_lies_somewhere_tells_whether_it_is_of_these_tables(made, tmp_path):
    talk = shutil.copy2(made.directory / FIGURE, tmp_path / "talk.png")
    assert verify_figure(talk, made.results) is None
    made.write(TABLE, "unit\n2\n")
    made.draw()
    made.record()
    assert "from other tables" in verify_figure(talk, made.results)
    bare = Path(made.write("bare.png", "no mark"))
    with pytest.raises(UserError, match="found no id of its inputs"):
        verify_figure(bare, made.results)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"@graph": [{"sha256": 1}]}'])
def test_a_damaged_record_is_refused_by_a_sentence(made, content):
    made.write("results/ro-crate-metadata.json", content)
    with pytest.raises(UserError, match="expected an RO-Crate"):
        verify(made.results)


def test_the_script_ends_with_0_1_or_2(made, script, capsys):
    assert script(["--results", str(made.results)]) == 0
    assert "hashes of" in capsys.readouterr().out
    made.write(TABLE, "changed")
    assert script(["--results", str(made.results)]) == 1
    assert "tables/units.csv has changed" in capsys.readouterr().out
    (made.results / "ro-crate-metadata.json").unlink()
    with pytest.raises(SystemExit) as ended:
        script(["--results", str(made.results)])
    assert ended.value.code == 2 and "snakemake --cores 1 provenance" in capsys.readouterr().err

"""Laws of the tables that other people read."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest
from glassbox.errors import UserError
from glassbox.figures.assemble import TABLES, assemble_table, assemble_tables
from glassbox.schemas import FOLDER, as_markdown, schema_of
from glassbox.tables import COLUMNS, write_rows, write_table
from synthetic_tables import Run

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

ROW = {
    "claim": "direction_units",
    "metric": "recall",
    "value": 0.9,
    "ci_low": 0.8,
    "ci_high": 0.95,
    "n": 40,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return Run(mice=4, units=6).write(tmp_path_factory.mktemp("run"))


def test_every_table_has_a_schema_of_its_columns_in_order():
    assert {path.stem for path in FOLDER.glob("*.json")} == set(TABLES)
    for table in TABLES:
        assert schema_of(table).columns == COLUMNS[table]


def test_every_schema_is_a_table_schema_with_a_meaning_for_each_column():
    for path in FOLDER.glob("*.json"):
        content = json.loads(path.read_text())
        assert set(content["primaryKey"]) <= {field["name"] for field in content["fields"]}
        for field in content["fields"]:
            assert field["type"] in ("string", "integer", "number", "boolean")
            assert field["description"].endswith(".")


def test_tables_of_a_whole_run_pass_their_schemas(run, tmp_path):
    counts = assemble_tables({table: [str(run)] for table in TABLES}, tmp_path)
    assert counts["units"] == 6 * (2 * 7 + 1)
    assert counts["excluded"] == 0


def test_a_table_without_sources_has_its_header_alone(tmp_path):
    assemble_tables({}, tmp_path)
    for table in TABLES:
        assert (tmp_path / f"{table}.csv").read_text() == ",".join(COLUMNS[table]) + "\n"


def test_the_order_of_sources_and_rows_changes_no_byte(run, tmp_path):
    with open(run / "units.csv", newline="") as handle:
        rows = list(csv.DictReader(handle))
    write_table("units", tmp_path / "a.csv", rows[::-2])
    write_table("units", tmp_path / "b.csv", rows[-2::-2])
    assemble_table("units", [tmp_path / "a.csv", tmp_path / "b.csv"], tmp_path / "ab.csv")
    assemble_table("units", [run / "units.csv"], tmp_path / "straight.csv")
    assert (tmp_path / "ab.csv").read_bytes() == (tmp_path / "straight.csv").read_bytes()


def test_numbers_that_name_rows_are_sorted_by_size(tmp_path):
    units = [{**_unit(), "unit": unit} for unit in (10, 9, 100)]
    write_table("units", tmp_path / "in.csv", units)
    assemble_table("units", [tmp_path / "in.csv"], tmp_path / "out.csv")
    with open(tmp_path / "out.csv", newline="") as handle:
        assert [row["unit"] for row in csv.DictReader(handle)] == ["9", "10", "100"]


def test_an_older_source_without_the_last_columns_is_filled_with_nothing(tmp_path):
    short = {k: v for k, v in _unit().items() if k not in ("osi", "dsi")}
    columns = [name for name in COLUMNS["units"] if name not in ("osi", "dsi")]
    write_rows(tmp_path / "in.csv", columns, [short])
    assert assemble_table("units", [tmp_path / "in.csv"], tmp_path / "out.csv") == 1
    assert (tmp_path / "out.csv").read_text().splitlines()[1].endswith(",,")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n": "many"}, "n: expected a whole number; found 'many'"),
        ({"n": "4.5"}, "n: expected a whole number; found '4.5'"),
        ({"n": -1}, "n: expected at least 0; found '-1'"),
        ({"value": "high"}, "value: expected a number; found 'high'"),
        ({"claim": None}, "claim: a value is required; found ''"),
    ],
)
def test_a_value_that_breaks_the_schema_is_refused_with_its_line(tmp_path, change, words):
    write_table("ground_truth", tmp_path / "in.csv", [ROW, ROW | {"metric": "power"} | change])
    with pytest.raises(UserError) as error:
        assemble_table("ground_truth", [tmp_path / "in.csv"], tmp_path / "out.csv")
    assert str(error.value) == f"{tmp_path / 'in.csv'}, line 3: {words}."
    assert not (tmp_path / "out.csv").exists()


def test_a_value_outside_the_allowed_ones_is_refused(tmp_path):
    write_table("units", tmp_path / "in.csv", [_unit() | {"level": "planet"}])
    with pytest.raises(UserError, match="level: expected one of mouse, genotype, all, heldout"):
        assemble_table("units", [tmp_path / "in.csv"], tmp_path / "out.csv")


def test_an_unknown_column_is_refused(tmp_path):
    write_rows(tmp_path / "in.csv", [*ROW, "mood"], [ROW | {"mood": "good"}])
    with pytest.raises(UserError, match=r"in\.csv: mood: no such column"):
        assemble_table("ground_truth", [tmp_path / "in.csv"], tmp_path / "out.csv")


def test_a_row_that_stands_there_twice_is_refused(tmp_path):
    write_table("ground_truth", tmp_path / "in.csv", [ROW])
    sources = [tmp_path / "in.csv", tmp_path / "in.csv"]
    with pytest.raises(UserError, match=r"two rows have the same name \(claim=direction_units"):
        assemble_table("ground_truth", sources, tmp_path / "out.csv")


def test_a_line_cut_short_is_refused(tmp_path):
    write_table("ground_truth", tmp_path / "in.csv", [ROW])
    with open(tmp_path / "in.csv", "a") as handle:
        handle.write("direction_units,power\n")
    with pytest.raises(UserError, match="line 3: expected 6 columns; found 2"):
        assemble_table("ground_truth", [tmp_path / "in.csv"], tmp_path / "out.csv")


def test_sources_may_be_folders_files_or_a_list_of_paths(run, tmp_path, capsys):
    import assemble_tables as script

    (tmp_path / "list.txt").write_text(f"{run / 'units.csv'}\n")
    out = tmp_path / "tables"
    assert script.main(["--units", f"@{tmp_path / 'list.txt'}", "--out", str(out)]) == 0
    from_list = (out / "units.csv").read_bytes()
    assert script.main(["--units", str(run), "--out", str(out)]) == 0
    assert (out / "units.csv").read_bytes() == from_list
    assert "units 90" in capsys.readouterr().out


def test_a_missing_source_is_one_sentence_and_status_2(tmp_path, capsys):
    import assemble_tables as script

    with pytest.raises(SystemExit) as stop:
        script.main(["--units", str(tmp_path / "no.csv"), "--out", str(tmp_path)])
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'no.csv'}: no such table")


def test_the_reference_page_says_what_the_schemas_say():
    page = (ROOT / "docs" / "tables.md").read_text()
    assert page.endswith(as_markdown(TABLES)), "write it anew: see the top of docs/tables.md"


def _unit():
    return {
        "cohort": "all",
        "level": "all",
        "seed": 0,
        "fold": 0,
        "hook": "latents",
        "dictionary": "topk",
        "unit": 3,
        "variable": "direction",
        "selective": False,
    }

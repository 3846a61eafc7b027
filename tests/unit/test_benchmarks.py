"""Laws of the benchmarks' runner and of their table."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
sys.path.append(str(FOLDER))

import run_all  # noqa: E402
from benchmark_rows import COLUMNS, row, write  # noqa: E402

SCRIPT = """
import sys
sys.path.append({folder!r})
from benchmark_rows import row, write
write(sys.argv[2], [row("{name}", "ours", "s", {value}, "here")])
sys.exit({status})
"""


@pytest.fixture
def runner(tmp_path, monkeypatch):
    """Runs made-up benchmarks, given as name=(value, exit status), and gives status and rows."""
    out = tmp_path / "tables" / "benchmarks.csv"

    def run(*names: str, **made: tuple[float, int]):
        for name, (value, status) in made.items():
            text = SCRIPT.format(folder=str(FOLDER), name=name, value=value, status=status)
            (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.setattr(run_all, "HERE", tmp_path)
        monkeypatch.setattr(run_all, "BENCHMARKS", dict.fromkeys(made, ()))
        status = run_all.main(["--out", str(out), *names])
        with out.open() as handle:
            return status, {one["benchmark"]: one["value"] for one in csv.DictReader(handle)}

    return run


def test_every_benchmark_of_the_runner_is_a_file_of_the_folder():
    assert {path.stem for path in FOLDER.glob("*.py")} >= set(run_all.BENCHMARKS)


def test_rows_of_all_benchmarks_are_joined_and_those_of_one_replaced(runner):
    assert runner(a=(1, 0), b=(2, 0)) == (0, {"a": "1.0", "b": "2.0"})
    assert runner("b", a=(1, 0), b=(3, 0)) == (0, {"a": "1.0", "b": "3.0"})


def test_a_benchmark_that_fails_is_said_and_leaves_the_rows_there_were(runner, capsys):
    runner(a=(1, 0), b=(2, 0))
    status, rows = runner(a=(5, 1), b=(6, 0))
    assert status == 1 and rows == {"a": "1.0", "b": "6.0"}
    assert "error: a failed" in capsys.readouterr().err


def test_a_ratio_says_how_much_better_ours_is():
    peer = ("theirs", "1.0", 10.0)
    assert row("speed", "ours", "1/s", 40.0, "", peer)["ratio"] == 4
    assert row("memory", "ours", "MB", 40.0, "", peer, less_is_better=True)["ratio"] == 0.25
    assert "ratio" not in row("never", "ours", "s", None, "", peer, less_is_better=True)


def test_the_table_has_the_columns_that_others_read(tmp_path):
    write(tmp_path / "rows.csv", [row("speed", "ours", "1/s", 123456.0, "here")])
    with (tmp_path / "rows.csv").open() as handle:
        (one,) = csv.DictReader(handle)
    assert list(one) == list(COLUMNS)
    assert one["value"] == "123500.0" and one["peer"] == ""

"""Laws of the figures: drawn from tables, the same from run to run, saying what is missing."""

from __future__ import annotations

import csv
import json
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from glassbox.errors import UserError
from glassbox.figures import ablation, decoding, insertion, units
from glassbox.figures.choose import main_cohort
from glassbox.figures.columns import FIGURE_COLUMNS
from glassbox.figures.options import FiguresOptions
from glassbox.figures.output import read_numbers, write_figure
from glassbox.figures.read import read_table
from glassbox.figures.summaries import sign_flip_p
from glassbox.tables import write_table
from matplotlib.text import Text
from synthetic_tables import Run

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

OPTIONS = FiguresOptions(resamples=100, dpi=60)
MODULES = {"decoding": decoding, "insertion": insertion, "units": units, "ablation": ablation}
TAKES = {
    "decoding": ("decoding",),
    "insertion": ("insertion", "decoding"),
    "units": ("units", "tuning"),
    "ablation": ("ablation", "confusion"),
}
NAMES = tuple(MODULES)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return Run(mice=6, units=24, seeds=(0, 1)).write(tmp_path_factory.mktemp("cohort"))


@pytest.fixture(scope="module")
def one_mouse(tmp_path_factory):
    run = Run(mice=1, units=24, genotype=False)
    return run.write(tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="module")
def nothing(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nothing")
    for table in ("decoding", "insertion", "units", "tuning", "ablation", "confusion"):
        write_table(table, folder / f"{table}.csv", [])
    return folder


def rows_of(name, folder, options=OPTIONS):
    tables = [read_table(table, folder / f"{table}.csv") for table in TAKES[name]]
    return list(MODULES[name].numbers(*tables, options))


def written(name, folder, out, options=OPTIONS):
    paths = [out / f"{name}.{kind}" for kind in ("pdf", "png", "csv")]
    write_figure(name, rows_of(name, folder, options), MODULES[name].draw, *paths, options)
    return paths


@cache
def drawn(name, folder):
    """The figure of a folder of tables, made once for all tests that look at it."""
    with TemporaryDirectory() as out:
        numbers = written(name, folder, Path(out))[2]
        return MODULES[name].draw(read_numbers(name, numbers))


def texts_of(figure):
    return " ".join(t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text")))


def heights_of_points(figure):
    lines = [line for axes in figure.axes for line in axes.get_lines()]
    return np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in lines])


@pytest.mark.parametrize("name", NAMES)
def test_the_same_tables_give_the_same_bytes(name, cohort, tmp_path):
    first = [path.read_bytes() for path in written(name, cohort, tmp_path)]
    assert [path.read_bytes() for path in written(name, cohort, tmp_path)] == first
    assert b"CreationDate" not in first[0]
    assert b"Software" not in first[1]


@pytest.mark.parametrize("name", NAMES)
def test_rows_of_drawn_numbers_have_known_columns_only(name, cohort):
    for row in rows_of(name, cohort):
        assert set(row) <= set(FIGURE_COLUMNS[name])


@pytest.mark.parametrize("name", NAMES)
def test_one_mouse_is_drawn_and_genotype_said_to_be_untestable(name, one_mouse):
    said = texts_of(drawn(name, one_mouse))
    if name in ("units", "ablation"):
        assert "not testable" in said
    if name != "decoding":
        assert "(mouse M01)" in said


@pytest.mark.parametrize("name", NAMES)
def test_tables_of_a_header_alone_give_a_figure_that_says_so(name, nothing):
    said = texts_of(drawn(name, nothing))
    assert any(word in said for word in ("No ", "no ", "not "))


@pytest.mark.parametrize("name", NAMES)
def test_every_text_is_legible_and_on_the_page(name, cohort, one_mouse):
    for folder in (cohort, one_mouse):
        figure = drawn(name, folder)
        figure.set_dpi(200)
        figure.draw_without_rendering()
        for text in figure.findobj(Text):
            said = text.get_text().strip()
            if not said or said.replace("−", "").replace(".", "").isdigit():
                continue  # ticks outside the view keep a text that is not drawn
            assert text.get_fontsize() >= 5.5, said
            box = text.get_window_extent()
            assert box.x0 >= 0 and box.x1 <= figure.bbox.x1, said
            assert box.y0 >= 0 and box.y1 <= figure.bbox.y1, said


def test_each_mouse_of_the_table_is_a_point_of_the_decoding_figure(cohort):
    with open(cohort / "decoding.csv", newline="") as handle:
        table = [
            row
            for row in csv.DictReader(handle)
            if (row["cohort"], row["mouse"], row["task"]) == ("all", "M03", "direction")
            and row["fold"] == "pooled"
        ]
    mean = np.mean([float(row["value"]) for row in table])
    points = heights_of_points(drawn("decoding", cohort))
    assert np.isclose(points, mean, atol=1e-6).any()


def test_the_paired_difference_is_of_the_same_session(cohort):
    shown = [
        row
        for row in rows_of("insertion", cohort)
        if row.get("panel") == "differences"
        and (row["level"], row["task"], row["condition"]) == ("all", "direction", "spliced")
    ]
    with open(cohort / "insertion.csv", newline="") as handle:
        table = list(csv.DictReader(handle))
    for row in [row for row in shown if row["kind"] == "session"]:
        values = {
            condition: [
                float(r["value"])
                for r in table
                if (r["cohort"], r["session"], r["task"]) == ("all", row["session"], "direction")
                and r["condition"] == condition
            ]
            for condition in ("clean", "spliced")
        }
        expected = np.mean(values["spliced"]) - np.mean(values["clean"])
        assert row["value"] == pytest.approx(expected, abs=1e-9)
    mean = next(row for row in shown if row["kind"] == "mean")
    assert mean["low"] <= mean["value"] <= mean["high"]


def test_the_tuning_map_holds_the_selective_units_sorted_by_preference(cohort):
    cells = [
        r for r in rows_of("units", cohort) if (r.get("panel"), r["kind"]) == ("direction", "map")
    ]
    best = {}
    for cell in cells:
        if cell["value"] == 1.0:
            best[cell["place"]] = float(cell["condition"])
    assert [best[place] for place in sorted(best)] == sorted(best.values())
    with open(cohort / "units.csv", newline="") as handle:
        selective = {
            int(r["unit"])
            for r in csv.DictReader(handle)
            if (r["cohort"], r["seed"], r["variable"], r["selective"])
            == ("all", "0", "direction", "true")
        }
    assert {cell["unit"] for cell in cells} == selective


def test_a_dose_without_matched_sets_is_a_cross_and_has_no_band(cohort):
    rows = [r for r in rows_of("ablation", cohort) if r.get("panel") == "dose_direction"]
    own = {
        r["n_units"]: r for r in rows if r["kind"] == "target" and r["selected_for"] == "direction"
    }
    assert own[32]["p"] == pytest.approx(1 / 201, rel=1e-4)
    assert np.isnan(own[64]["p"])
    assert max(r["n_units"] for r in rows if r["kind"] == "band") == 32


def test_the_matrix_stands_at_a_dose_at_which_every_variable_has_matched_sets(cohort):
    rows = rows_of("ablation", cohort)
    cells = [r for r in rows if (r.get("panel"), r["kind"]) == ("matrix", "target")]
    assert {r["n_units"] for r in cells} == {16}
    assert len(cells) == 9
    fixed = rows_of("ablation", cohort, FiguresOptions(resamples=100, dose=64))
    texts = ablation._cell_text(_frame(fixed, "direction", "direction"))
    assert texts.endswith("no match")


def test_confusion_rows_sum_to_one(cohort):
    rows = [r for r in rows_of("ablation", cohort) if r["kind"] == "cell"]
    for panel in {r["panel"] for r in rows}:
        for true in {r["true"] for r in rows if r["panel"] == panel}:
            total = sum(r["value"] for r in rows if (r["panel"], r["true"]) == (panel, true))
            assert total == pytest.approx(1)


def test_without_all_mice_the_widest_cohort_is_drawn_and_named(cohort):
    table = read_table("insertion", cohort / "insertion.csv")
    rest = table[(table.cohort != "all") & (table.cohort != "genotype-Rorb-IRES2-Cre")]
    assert main_cohort(rest, OPTIONS) == "genotype-Cux2-CreERT2"
    rows = list(insertion.numbers(rest, read_table("decoding", cohort / "decoding.csv"), OPTIONS))
    assert any("(genotype Cux2-CreERT2)" in row.get("text", "") for row in rows)


def test_a_cohort_that_is_not_there_is_refused_by_name(cohort):
    with pytest.raises(UserError, match=r"figures\.cohort: no cohort 'mouse-9' in the tables"):
        rows_of("units", cohort, FiguresOptions(cohort="mouse-9"))


def test_sign_flips_are_exact():
    assert sign_flip_p(np.array([1.0, 2.0, 3.0]), 0) == 2 / 8
    assert sign_flip_p(np.array([1.0, -1.0]), 0) == 1.0
    assert np.isnan(sign_flip_p(np.array([1.0]), 0))


@pytest.mark.parametrize("name", NAMES)
def test_the_script_writes_the_figure_and_refuses_an_unknown_option(
    name, nothing, tmp_path, capsys
):
    script = __import__(f"draw_{name}")
    inputs = [x for t in TAKES[name] for x in (f"--{t}", str(nothing / f"{t}.csv"))]
    outputs = [x for k in ("pdf", "png", "csv") for x in (f"--{k}", str(tmp_path / f"f.{k}"))]
    options = json.dumps({"resamples": 100, "dpi": 60})
    assert script.main([*inputs, *outputs, "--options", options]) == 0
    assert all((tmp_path / f"f.{kind}").stat().st_size for kind in ("pdf", "png", "csv"))
    with pytest.raises(SystemExit) as stop:
        script.main([*inputs, *outputs, "--options", '{"colour": "red"}'])
    assert stop.value.code == 2
    assert "figures.colour: no such option" in capsys.readouterr().err


def _frame(rows, chosen, measured):
    import pandas as pd

    frame = pd.DataFrame([r for r in rows if r.get("panel") == "matrix"])
    return frame[(frame.selected_for == chosen) & (frame.measured_on == measured)]

"""Laws of the figures: drawn from tables, the same from run to run, saying what is missing."""

from __future__ import annotations

import csv
import json
import sys
from functools import cache
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from glassbox.errors import UserError
from glassbox.figures import (
    ablation,
    ablation_panels,
    agreement,
    decoding,
    decoding_panels,
    genotype,
    insertion,
    necessity,
    necessity_panels,
    steering,
    steering_panels,
    units,
)
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
MODULES = {
    "decoding": decoding,
    "insertion": insertion,
    "units": units,
    "ablation": ablation,
    "necessity": necessity,
    "steering": steering,
    "genotype": genotype,
    "agreement": agreement,
}
PANELS = {  # where they stand apart
    "decoding": decoding_panels,
    "ablation": ablation_panels,
    "necessity": necessity_panels,
    "steering": steering_panels,
}
DRAWS = {name: PANELS.get(name, module).draw for name, module in MODULES.items()}
TAKES = {
    "decoding": ("decoding", "comparisons"),
    "insertion": ("insertion", "decoding"),
    "units": ("units", "tuning"),
    "ablation": ("ablation", "confusion"),
    "necessity": ("ablation", "mediators", "confusion"),
    "steering": ("steering",),
    "genotype": ("genotype",),
    "agreement": ("units",),
}
NAMES = tuple(MODULES)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return Run(mice=6, units=24, seeds=(0, 1)).write(tmp_path_factory.mktemp("cohort"))


@pytest.fixture(scope="module")
def one_mouse(tmp_path_factory):
    run = Run(mice=1, units=24, seeds=(0, 1), genotype=False)
    return run.write(tmp_path_factory.mktemp("one"))


@pytest.fixture(scope="module")
def nothing(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nothing")
    for table in {table for tables in TAKES.values() for table in tables}:
        write_table(table, folder / f"{table}.csv", [])
    return folder


def rows_of(name, folder, options=OPTIONS):
    tables = [read_table(table, folder / f"{table}.csv") for table in TAKES[name]]
    return list(MODULES[name].numbers(*tables, options))


def written(name, folder, out, options=OPTIONS):
    paths = [out / f"{name}.{kind}" for kind in ("pdf", "png", "csv")]
    write_figure(name, rows_of(name, folder, options), DRAWS[name], *paths, options)
    return paths


@cache
def drawn(name, folder):
    """The figure of a folder of tables, made once for all tests that look at it."""
    with TemporaryDirectory() as out:
        numbers = written(name, folder, Path(out))[2]
        return DRAWS[name](read_numbers(name, numbers))


def texts_of(figure):
    return " ".join(t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text")))


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
    if name in ("units", "ablation", "genotype"):
        assert "not testable" in said
    if name not in ("decoding", "genotype"):
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


def of_table(folder, table, **wanted):
    with open(folder / f"{table}.csv", newline="") as handle:
        return [row for row in csv.DictReader(handle) if wanted.items() <= row.items()]


def points_of(figure):
    """The heights along the axis of values of all that is drawn as a point."""
    lines = [line for axes in figure.axes for line in axes.get_lines()]
    return np.concatenate([np.asarray(line.get_xdata(), dtype=float) for line in lines])


def test_each_mouse_of_the_table_is_a_point_of_the_decoding_figure(cohort):
    wanted = dict(cohort="all", mouse="M03", task="direction", fold="pooled")
    table = of_table(cohort, "decoding", model="identity_keyed", **wanted)
    assert len(table) == 2
    mean = np.mean([float(row["value"]) for row in table])
    assert np.isclose(points_of(drawn("decoding", cohort)), mean, atol=1e-6).any()


def test_every_baseline_has_a_row_for_each_mouse_and_every_level_has_the_decoder(cohort):
    mice = [r for r in rows_of("decoding", cohort) if r["kind"] == "mouse"]
    of_task = [r for r in mice if r["panel"] == "direction"]
    for shown in ("score", "difference"):
        places = {(r["model"], r["level"]) for r in of_task if r["shown"] == shown}
        baselines = {(name, "mouse") for name in decoding.BASELINES if name != "ridge"}
        decoders = {("decoder", level) for level in ("mouse", "genotype", "all")}
        assert places == baselines | decoders | {("ensemble", "all")}
    for place in ({"model": "mlp"}, {"model": "decoder", "level": "all"}):
        found = [r for r in of_task if place.items() <= r.items() and r["shown"] == "score"]
        assert len({r["mouse"] for r in found}) == len(found) == 6


def test_a_decoder_is_held_against_the_chosen_baseline_and_a_baseline_against_the_decoder(cohort):
    rows = [r for r in rows_of("decoding", cohort) if r.get("shown") == "difference"]

    def value(**wanted):
        wanted |= {"panel": "direction", "kind": "mouse", "mouse": "M02"}
        (row,) = [r for r in rows if wanted.items() <= r.items()]
        return row["value"]

    about = dict(mouse="M02", task="direction", model="identity_keyed", seed="")
    (chosen,) = of_table(cohort, "comparisons", level="genotype", chosen="true", **about)
    assert value(model="decoder", level="genotype") == pytest.approx(float(chosen["difference"]))
    (of_widest,) = of_table(cohort, "comparisons", level="all", baseline="mlp", **about)
    assert value(model="mlp") == pytest.approx(float(of_widest["difference"]))


def test_rows_over_a_whole_cohort_are_not_drawn_as_mice(cohort, tmp_path):
    tables = [read_table(name, cohort / f"{name}.csv") for name in TAKES["decoding"]]
    alone = [table[table.session != ""] for table in tables]
    expected = pd.DataFrame(decoding.numbers(*alone, OPTIONS))
    assert pd.DataFrame(decoding.numbers(*tables, OPTIONS)).equals(expected)


def test_six_tasks_and_behaviour_find_room(cohort, tmp_path):
    tables = [read_table(name, cohort / f"{name}.csv") for name in TAKES["decoding"]]
    many = []
    for table in tables:
        copies = [table]
        for task in ("orientation", "spatial_frequency", "phase", "running_speed"):
            copy = table[table.task == "direction"].assign(task=task)
            if task == "running_speed":
                copy = copy.assign(metric="r2", chance=0.0)
            copies.append(copy)
        many.append(pd.concat(copies))
    paths = [tmp_path / f"d.{kind}" for kind in ("pdf", "png", "csv")]
    rows = decoding.numbers(*many, OPTIONS)
    write_figure("decoding", rows, decoding_panels.draw, *paths, OPTIONS)
    figure = decoding_panels.draw(read_numbers("decoding", paths[2]))
    assert len(figure.axes) == 12
    figure.draw_without_rendering()
    boxes = [axes.get_window_extent() for axes in figure.axes]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert "Variance explained" in texts_of(figure)


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
    texts = ablation_panels._cell_text(_frame(fixed, "direction", "direction"))
    assert texts.endswith("no match")


def test_a_dose_that_only_some_seeds_have_is_in_no_mean_and_not_in_the_matrix(cohort):
    tables = {name: read_table(name, cohort / f"{name}.csv") for name in TAKES["ablation"]}
    table = tables["ablation"]
    last = (table.seed == 1) & (table.n_units == 16)
    table.loc[last, "n_units"] = 15  # so many units were selected in this seed
    rows = list(ablation.numbers(table, tables["confusion"], OPTIONS))
    means = {
        r["n_units"] for r in rows if r.get("panel") == "dose_direction" and r["kind"] == "target"
    }
    fits = {r["n_units"] for r in rows if r.get("panel") == "dose_direction" and r["kind"] == "fit"}
    assert {15, 16} <= fits
    assert means == fits - {15, 16}
    cells = [r for r in rows if (r.get("panel"), r["kind"]) == ("matrix", "target")]
    assert {r["n_units"] for r in cells} == {4}  # the next below


def steered(folder, control, dose):
    """The rows of single direction units of all mice, clamped to a dose."""
    wanted = {"cohort": "all", "control": control, "variable": "direction"}
    rows = of_table(folder, "steering", **wanted)
    return [row for row in rows if float(row["dose"]) == dose and row["unit"]]


def test_the_rose_holds_every_unit_of_the_stated_dose_once(cohort):
    rows = [r for r in rows_of("steering", cohort) if r["kind"] == "petal"]
    for control in ("target", "random"):
        its = [r for r in rows if r["control"] == control]
        assert sum(r["value"] for r in its) == pytest.approx(1)
        units = steered(cohort, control, 1)
        assert {r["n"] for r in its} == {len(units)}
        asked = next(r for r in its if r["place"] == 0)
        assert asked["value"] == pytest.approx(np.mean([u["moved"] == "true" for u in units]))


def test_steering_by_dose_is_the_share_of_units_that_moved_the_decoder(cohort):
    rows = [r for r in rows_of("steering", cohort) if r.get("panel") == "alone_direction"]
    moved = [r for r in rows if (r["kind"], r.get("control")) == ("moved", "target")]
    assert len(moved) == 3
    for row in moved:
        units = steered(cohort, "target", row["place"])
        assert row["value"] == pytest.approx(np.mean([u["moved"] == "true" for u in units]))
        assert row["low"] < row["value"] <= row["high"]


@pytest.mark.parametrize(
    ("kind", "intervention", "ablated"),
    [("without", "error_preserving", "zero"), ("only", "spliced", "keep_mean")],
)
def test_necessity_and_sufficiency_are_the_accuracy_of_the_table(
    cohort, kind, intervention, ablated
):
    drawn = [r for r in rows_of("necessity", cohort) if r.get("panel") == "number_direction"]
    wanted = {"cohort": "all", "control": "target", "selected_for": "direction"}
    wanted |= {"measured_on": "direction", "intervention": intervention, "ablation": ablated}
    table = [r for r in of_table(cohort, "ablation", **wanted) if float(r["strength"]) == 1]
    for n_units in (1, 4, 16):
        its = [r for r in table if r["n_units"] == str(n_units)]
        point = next(r for r in drawn if (r["kind"], r["place"]) == (kind, n_units))
        assert point["value"] == pytest.approx(np.mean([float(r["value"]) for r in its]))
        band = next(r for r in drawn if (r["kind"], r["place"]) == (f"{kind}_matched", n_units))
        ends = [float(r["baseline"]) - float(r["control_high"]) for r in its]
        assert band["low"] == pytest.approx(np.mean(ends))


def test_cells_are_drawn_at_the_numbers_that_every_seed_has():
    rows = [
        {"cohort": "all", "seed": seed, "n_parts": n, "drop": 0.1, "ci_low": 0.0, "ci_high": 0.2}
        for seed, numbers in {0: (4, 16, 19), 1: (4, 16, 23)}.items()
        for n in numbers
    ]
    drawn = list(necessity._by_cells(pd.DataFrame(rows), "direction", 0.9))
    assert [row["place"] for row in drawn] == [4, 16]


def test_what_cells_cost_is_drawn_off_the_whole_decoder_on_the_units_trials(cohort):
    drawn = [r for r in rows_of("necessity", cohort) if r.get("panel") == "number_direction"]
    clean = next(r["value"] for r in drawn if r["kind"] == "clean")
    wanted = {"mediator": "cells", "selected_for": "direction", "measured_on": "direction"}
    wanted |= {"cohort": "all", "metric": "accuracy", "n_parts": "4"}
    drops = [float(r["drop"]) for r in of_table(cohort, "mediators", **wanted)]
    point = next(r for r in drawn if (r["kind"], r["place"]) == ("cells", 4))
    assert point["value"] == pytest.approx(clean - np.mean(drops))


def test_each_mediator_is_drawn_at_one_size_beside_what_the_other_variables_lose(cohort):
    drawn = [r for r in rows_of("necessity", cohort) if r.get("panel") == "mediator_direction"]
    asked = {r["text"]: r for r in drawn if r["kind"] == "asked"}
    assert set(asked) == {"cells", "units", "pca", "ica", "random"}
    wanted = {"cohort": "all", "metric": "accuracy", "selected_for": "direction", "n_parts": "16"}
    for mediator, point in asked.items():
        its = of_table(cohort, "mediators", **wanted, mediator=mediator, measured_on="direction")
        assert point["value"] == pytest.approx(np.mean([float(r["drop"]) for r in its]))
        assert point["n_units"] == 16
    others = next(r for r in drawn if (r["kind"], r["text"]) == ("others", "pca"))
    its = of_table(cohort, "mediators", **wanted, mediator="pca", measured_on="temporal_frequency")
    assert others["value"] == pytest.approx(np.mean([float(r["drop"]) for r in its]))
    places = [asked[name]["place"] for name in ("units", "pca", "ica", "random")]
    assert places == sorted(places)


FLASHED = {"direction": "orientation", "temporal_frequency": "spatial_frequency"}


def renamed(table, cohort, *columns):
    """A table as of static gratings."""
    frame = read_table(table, cohort / f"{table}.csv")
    return frame.replace({column: FLASHED for column in columns})


def test_units_of_flashed_gratings_are_mapped_by_what_they_are_tuned_to(cohort):
    found = renamed("units", cohort, "variable"), renamed("tuning", cohort, "variable")
    # Half a turn: twelve conditions would not be found among eight.
    angle = found[1].variable == "orientation"
    found[1].loc[angle, "condition"] = [f"{float(c) / 2:g}" for c in found[1][angle].condition]
    angle = found[0].variable == "orientation"
    found[0].loc[angle, "preferred"] = [f"{float(c) / 2:g}" for c in found[0][angle].preferred]
    rows = list(units.numbers(*found, OPTIONS))
    maps = {row["panel"] for row in rows if row["kind"] == "map"}
    assert maps == {"orientation", "spatial_frequency"}
    polars = [row for row in rows if row["kind"] == "polar"]
    assert polars and max(float(row["condition"]) for row in polars) < 180
    (note,) = (row["text"] for row in rows if row["kind"] == "note")
    assert " per orientation" in note and "prefer each orientation" in note
    assert all(row.get("panel") not in FLASHED for row in rows)


def test_drops_by_dose_are_drawn_of_three_variables_genotype_among_them(cohort):
    both = read_table("ablation", cohort / "ablation.csv")
    more = both.replace({"selected_for": FLASHED, "measured_on": FLASHED})
    confusion = read_table("confusion", cohort / "confusion.csv")
    for table, expected in (
        (pd.concat([both, more]), {"direction", "temporal_frequency", "genotype"}),
        (more, {"orientation", "spatial_frequency", "genotype"}),
    ):
        rows = list(ablation.numbers(table, confusion, OPTIONS))
        drawn = {p for r in rows if (p := r.get("panel", "")).startswith("dose_")}
        assert drawn == {f"dose_{variable}" for variable in expected}


def test_mediators_without_random_sets_are_drawn_without_their_bars(cohort, tmp_path):
    """`interventions.mediator_controls: 0`."""
    copytree(cohort, tmp_path, dirs_exist_ok=True)
    rows = [row | {"n_controls": ""} for row in of_table(cohort, "mediators")]
    write_table("mediators", tmp_path / "mediators.csv", rows)
    rows = rows_of("necessity", tmp_path)
    assert {"asked", "others"} <= {row["kind"] for row in rows}
    assert "random" not in {row["kind"] for row in rows}
    (note,) = (row["text"] for row in rows if row["kind"] == "note")
    assert "Third row" in note and "random sets of" not in note
    (said,) = (row["text"] for row in rows_of("necessity", cohort) if row["kind"] == "note")
    assert "20 random sets of" in said


def test_the_curve_over_the_share_taken_away_begins_at_the_whole_decoder(cohort):
    rows = [r for r in rows_of("necessity", cohort) if r.get("panel") == "strength_direction"]
    curve = {r["place"]: r["value"] for r in rows if r["kind"] == "without"}
    clean = next(r["value"] for r in rows if r["kind"] == "clean")
    assert set(curve) == {0, 0.5, 1, 2} and curve[0] == pytest.approx(clean)
    assert len({r["n_units"] for r in rows if r["kind"] == "without"}) == 1


def test_confusion_rows_sum_to_one(cohort):
    rows = [r for r in rows_of("ablation", cohort) if r["kind"] == "cell"]
    for panel in {r.get("panel") for r in rows}:
        for true in {r["true"] for r in rows if r.get("panel") == panel}:
            total = sum(r["value"] for r in rows if (r.get("panel"), r["true"]) == (panel, true))
            assert total == pytest.approx(1)


def test_each_held_out_mouse_is_a_point_of_the_genotype_figure_at_its_mean_over_seeds(cohort):
    rows = rows_of("genotype", cohort)
    for source in ("units", "chosen_identity"):
        table = of_table(cohort, "genotype", source=source, mouse="M03")
        assert len(table) == 2
        mean = np.mean([float(row["value"]) for row in table])
        (point,) = [r for r in rows if (r.get("source"), r.get("mouse")) == (source, "M03")]
        assert point["value"] == pytest.approx(mean)
    (said,) = [r["text"] for r in rows if r["kind"] == "missing"]
    assert said.startswith("not estimable") and said in texts_of(drawn("genotype", cohort))


def test_the_surplus_over_identity_is_paired_by_mouse(cohort):
    rows = rows_of("genotype", cohort)
    of_mice = {
        source: [r["value"] for r in rows if (r.get("source"), r["kind"]) == (source, "mouse")]
        for source in ("units", "mean_rate")
    }
    (row,) = [r for r in rows if (r.get("panel"), r.get("source")) == ("beyond", "mean_rate")]
    pairs = np.subtract(of_mice["units"], of_mice["mean_rate"])
    assert row["value"] == pytest.approx(pairs.mean()) and row["p"] == 0.02
    assert row["low"] < row["value"] < row["high"] and row["n"] == 6


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


def test_the_agreement_of_units_counts_every_unit_of_every_seed_once(cohort):
    rows = pd.DataFrame(rows_of("agreement", cohort))
    (title,) = rows[(rows.kind == "title") & (rows.panel == "every")].itertuples()
    units = of_table(cohort, "units", cohort="all", variable="direction")
    assert title.n == len(units)
    found = [float(row["partner_correlation"]) for row in units]
    assert title.value == pytest.approx(np.mean(np.array(found) > 0.25))
    assert rows[rows.kind == "bar"].value.sum() == pytest.approx(1)
    (every,) = rows[rows.variable == "all living units"].itertuples()
    assert every.value == pytest.approx(np.median(found))

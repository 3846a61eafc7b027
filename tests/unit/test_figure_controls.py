"""Laws of the figure that draws every control of an ablation beside the target."""

from __future__ import annotations

import numpy as np
import pytest
from glassbox.errors import UserError
from glassbox.figures import controls, controls_panels
from glassbox.figures.columns import FIGURE_COLUMNS
from glassbox.figures.options import FiguresOptions
from glassbox.figures.output import read_numbers, write_figure
from glassbox.figures.read import read_table
from glassbox.tables import write_rows, write_table
from matplotlib.text import Text
from synthetic_tables import Run

OPTIONS = FiguresOptions(dpi=60)
COLUMNS = (*controls.NEEDED, "level")


def sets_of(cohort, level, n_units=32):
    rng = np.random.default_rng(0)
    for seed in (0, 1):
        for number in range(200):
            yield {
                "cohort": cohort,
                "level": level,
                "seed": seed,
                "hook": "latents",
                "dictionary": "topk",
                "intervention": "error_preserving",
                "ablation": "zero",
                "selected_for": "direction",
                "measured_on": "direction",
                "n_units": n_units,
                "set": number,
                "metric": "accuracy",
                "drop": float(rng.normal(seed, 0.01)),
            }


@pytest.fixture(scope="module", params=["several mice", "one mouse"])
def folder(request, tmp_path_factory):
    """Tables of two seeds; random sets of direction alone."""
    several = request.param == "several mice"
    made = tmp_path_factory.mktemp("controls")
    run = Run(mice=4 if several else 1, seeds=(0, 1), genotype=several)
    write_table("ablation", made / "ablation.csv", run.ablation())
    cohort, level, _ = run.cohorts()[-1]
    write_rows(made / "controls.csv", COLUMNS, sets_of(cohort, level))
    return made


def rows_of(folder):
    sets = controls.read_controls([folder / "controls.csv"])
    return list(controls.numbers(read_table("ablation", folder / "ablation.csv"), sets, OPTIONS))


def of_panel(rows, panel, **wanted):
    return [r for r in rows if r.get("panel") == panel and wanted.items() <= r.items()]


def test_every_matched_set_of_the_first_seed_is_counted_once(folder):
    rows = rows_of(folder)
    bins = of_panel(rows, "random_direction", kind="bin")
    assert sum(row["value"] for row in bins) == 200
    assert all(-0.1 < row["low"] < row["high"] < 0.1 for row in bins)  # the second seed's lie at 1
    assert not of_panel(rows, "random_temporal_frequency", kind="bin")


def test_each_named_set_is_a_line_at_its_drop_in_the_first_seed(folder):
    rows, table = rows_of(folder), read_table("ablation", folder / "ablation.csv")
    lines = {r["control"]: r for r in of_panel(rows, "random_direction", kind="line")}
    cohort = table[~table.cohort.str.contains("without")].cohort.iloc[-1]
    chosen = table[(table.cohort == cohort) & (table.seed == 0) & (table.n_units == 32)]
    chosen = chosen[(chosen.selected_for == "direction") & (chosen.measured_on == "direction")]
    chosen = chosen[(chosen.intervention == "error_preserving") & (chosen.ablation == "zero")]
    chosen = chosen[chosen.strength == 1]
    assert set(lines) == {"target", "other_variable", "top_energy"}
    for control, line in lines.items():
        assert line["value"] == pytest.approx(chosen[chosen.control == control]["drop"].mean())
    assert lines["target"]["p"] == pytest.approx(1 / 201)


def test_each_seed_has_its_own_drop_beside_its_matched_sets(folder):
    rows = rows_of(folder)
    asked = of_panel(rows, "seeds_direction", kind="asked")
    assert {row["place"] for row in asked} == {0, 1}
    assert {row["place"] for row in of_panel(rows, "seeds_direction", kind="band")} == {0, 1}


def test_each_form_of_ablation_has_its_place(folder):
    ways = of_panel(rows_of(folder), "ways_direction", kind="asked")
    assert {(row["condition"], row["place"]) for row in ways} == {
        ("error_preserving zero", 0),
        ("spliced zero", 3),
    }


def test_all_is_drawn_legibly_from_the_numbers_alone(folder, tmp_path):
    paths = [tmp_path / f"controls.{kind}" for kind in ("pdf", "png", "csv")]
    write_figure("controls", rows_of(folder), controls_panels.draw, *paths, OPTIONS)
    for row in rows_of(folder):
        assert set(row) <= set(FIGURE_COLUMNS["controls"])
    figure = controls_panels.draw(read_numbers("controls", paths[2]))
    figure.set_dpi(200)
    figure.draw_without_rendering()
    said = [text.get_text().strip() for text in figure.findobj(Text)]
    assert "no matched set" in said
    for text in figure.findobj(Text):
        box = text.get_window_extent()
        if any(c.isalpha() for c in text.get_text()):
            assert box.x0 >= 0 and box.x1 <= figure.bbox.x1, text.get_text()
            assert box.y0 >= 0 and box.y1 <= figure.bbox.y1, text.get_text()


def test_without_rows_the_figure_says_so(tmp_path):
    write_table("ablation", tmp_path / "ablation.csv", [])
    write_rows(tmp_path / "controls.csv", COLUMNS, [])
    write_rows(tmp_path / "numbers.csv", FIGURE_COLUMNS["controls"], rows_of(tmp_path))
    figure = controls_panels.draw(read_numbers("controls", tmp_path / "numbers.csv"))
    assert any("No ablation" in text.get_text() for text in figure.findobj(Text))


def test_a_missing_table_of_sets_is_named_with_its_rule(tmp_path):
    with pytest.raises(UserError, match=r"none\.csv: no such table; run the rule ablate_units"):
        controls.read_controls([tmp_path / "none.csv"])

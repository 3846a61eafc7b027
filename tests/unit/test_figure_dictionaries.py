"""Laws of the figure of dictionaries and baselines over L0."""

from __future__ import annotations

import pandas as pd
import pytest
from glassbox.dictionaries.operating_point import operating_point
from glassbox.errors import UserError
from glassbox.figures import dictionaries
from glassbox.figures.columns import FIGURE_COLUMNS
from glassbox.figures.options import FiguresOptions
from glassbox.figures.output import read_numbers, write_figure
from glassbox.tables import write_table
from matplotlib.text import Text

OPTIONS = FiguresOptions(dpi=60)
ARCHITECTURES = ("topk", "matching_pursuit")
BASELINES = tuple(dictionaries.BASELINES)


def rows():
    """A comparison in which more units explain more, by a law for each dictionary."""
    quality = {"topk": 0.97, "matching_pursuit": 0.99, "pca_leading": 0.9, "random": 0.5}
    made = []
    for name in (*ARCHITECTURES, *BASELINES):
        for width in (128, 512) if name in ARCHITECTURES else (64,):
            for k in (4, 8, 16):
                for seed in (0, 1) if name in ARCHITECTURES else (0,):
                    for part in ("selection", "test"):
                        explained = quality.get(name, 0.7) - 1 / k - seed / 100 + width / 1e5
                        made.append(
                            {
                                "cohort": "mouse-a",
                                "level": "mouse",
                                "seed": 0,
                                "fold": 0,
                                "hook": "latents",
                                "dictionary": name,
                                "width": width,
                                "k": k,
                                "dictionary_seed": seed,
                                "part": part,
                                "explained_variance": explained,
                                "l0": k - 0.1,
                                "dead_fraction": 0.0,
                                "loss_recovered": explained**0.5,
                                "accuracy_change": (explained - 1) / 9,
                                "log_probability_change": (explained - 1) / 3,
                                "log_probability_se": 0.02,
                            }
                        )
    picked = operating_point(made, ARCHITECTURES)
    return [r | {"chosen": (r["dictionary"], r["width"], r["k"]) == picked} for r in made]


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("comparison") / "comparison.csv"
    write_table("comparison", path, rows())
    return path


def written(table, out):
    paths = [out / f"dictionaries.{kind}" for kind in ("pdf", "png", "csv")]
    numbers = dictionaries.numbers(dictionaries.read([table]), OPTIONS)
    write_figure("dictionaries", numbers, dictionaries.draw, *paths, OPTIONS, [table])
    return paths


@pytest.fixture(scope="module")
def numbers(table, tmp_path_factory):
    return read_numbers("dictionaries", written(table, tmp_path_factory.mktemp("drawn"))[2])


def test_the_same_table_gives_the_same_bytes(table, tmp_path):
    first = [path.read_bytes() for path in written(table, tmp_path)]
    assert [path.read_bytes() for path in written(table, tmp_path)] == first


def test_every_dictionary_and_baseline_is_drawn_in_every_panel(numbers):
    for panel in dictionaries.PANELS:
        its = numbers[numbers.panel == panel]
        assert set(its[its.kind == "dictionary"].dictionary) == set(ARCHITECTURES)
        assert set(its[its.kind == "baseline"].dictionary) == set(BASELINES)
        assert len(its[its.kind == "dictionary"]) == 2 * 2 * 3
    assert set(numbers.columns) == set(FIGURE_COLUMNS["dictionaries"])


def test_a_point_is_the_mean_over_seeds_and_its_bar_reaches_the_lowest_and_the_highest(numbers):
    one = numbers[
        (numbers.panel == "explained_variance")
        & (numbers.kind == "dictionary")
        & (numbers.dictionary == "topk")
        & (numbers.width == 128)
        & (numbers.k == 8)
    ].iloc[0]
    assert one.value == pytest.approx((one.low + one.high) / 2)
    assert one.high - one.low == pytest.approx(0.01) and one.n == 2 and one.place == 7.9


def test_the_chosen_point_of_the_table_is_the_marked_one_and_keeps_the_rule(numbers):
    picked = operating_point(rows(), ARCHITECTURES)
    for panel in dictionaries.PANELS:
        its = numbers[(numbers.panel == panel) & (numbers.kind == "chosen")].iloc[0]
        assert (its.dictionary, its.width, its.k) == picked
    least = numbers[numbers.kind == "least"].value.item()
    of_rule = numbers[numbers.panel == "log_probability_change"]
    allowed = of_rule[(of_rule.kind == "dictionary") & (of_rule.value >= least)]
    assert its.value >= least and its.k == allowed.k.min()


def test_no_dictionary_of_as_few_units_beats_one_on_the_front(numbers):
    for panel in dictionaries.PANELS:
        its = numbers[numbers.panel == panel]
        trained, front = its[its.kind == "dictionary"], its[its.kind == "front"]
        assert len(front) == 3
        for point in front.itertuples():
            assert not ((trained.place <= point.place) & (trained.value > point.value)).any()


def test_the_rule_sees_selection_trials_and_the_other_panels_test_trials(table, tmp_path):
    moved = pd.read_csv(table)
    moved.loc[moved.part == "test", list(dictionaries.PANELS)] -= 0.5
    moved.to_csv(tmp_path / "moved.csv", index=False)
    for path, test in ((table, 0.0), (tmp_path / "moved.csv", 0.5)):
        of = pd.DataFrame(dictionaries.numbers(dictionaries.read([path]), OPTIONS))
        of = of[(of.kind == "chosen")].set_index("panel").value
        if path == table:
            before = of
        for panel in dictionaries.PANELS:
            down = 0 if panel == dictionaries.SELECTED else test
            assert of[panel] == pytest.approx(before[panel] - down)


def test_every_text_is_legible_and_on_the_page(numbers):
    figure = dictionaries.draw(numbers)
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


def test_a_table_of_a_header_alone_gives_a_figure_that_says_so(tmp_path):
    write_table("comparison", tmp_path / "comparison.csv", [])
    csv = written(tmp_path / "comparison.csv", tmp_path)[2]
    figure = dictionaries.draw(read_numbers("dictionaries", csv))
    assert any("No dictionary" in t.get_text() for t in figure.findobj(Text))


def test_a_table_of_before_is_told_in_a_sentence(table, tmp_path):
    pd.read_csv(table).drop(columns="log_probability_se").to_csv(tmp_path / "old.csv")
    with pytest.raises(UserError, match="the column log_probability_se is missing; make"):
        dictionaries.read([tmp_path / "old.csv"])

"""Laws of the figure of units and their cells, and of the masks that it maps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from glassbox.errors import UserError
from glassbox.figures import attribution
from glassbox.figures.options import FiguresOptions
from glassbox.figures.output import read_numbers, write_figure
from glassbox.figures.read import read_table
from glassbox.sessions import layout
from glassbox.sessions.masks import export_masks
from glassbox.tables import write_rows, write_table
from synthetic_tables import CLASSES, Run
from tiny_nwb import tiny_nwb

OPTIONS = FiguresOptions(dpi=60)
MASK_COLUMNS = "session cell cell_specimen_id height width runs".split()
TUNING_COLUMNS = (
    "cohort seed fold session unit subject index cell_specimen_id variable condition response sem n"
).split()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The tables of a made-up run: units 0 to 2 of direction, 3 to 5 of temporal frequency."""
    folder = tmp_path_factory.mktemp("attribution")
    made = Run(mice=1)
    for table, rows in made.attribution().items():
        write_table(table, folder / f"{table}.csv", rows)
    session = made.session[made.mice[0]]
    tuning = [
        {
            "cohort": made.cohorts()[-1][0],
            "seed": 0,
            "fold": 0,
            "session": session,
            "unit": unit,
            "subject": subject,
            "index": index,
            "variable": variable,
            "condition": condition,
            "response": 1.0 + (place == unit) - 0.1 * index,
            "n": 12,
        }
        for unit in range(6)
        for subject, index in (("unit", unit), ("cell", 7), ("cell", 8))
        for variable, values in CLASSES.items()
        for place, condition in enumerate(values)
    ]
    write_rows(folder / "tuning.csv", TUNING_COLUMNS, tuning)
    masks = [
        dict(zip(MASK_COLUMNS, (session, cell, 517_000_000 + cell, 64, 48, runs), strict=True))
        for cell, runs in ((1, "5:2-9 6:2-9"), (20, "30:10-20"))
    ]
    write_rows(folder / "masks.csv", MASK_COLUMNS, masks)
    write_rows(folder / "none.csv", MASK_COLUMNS, [])
    return folder


def tables(folder, masks="masks.csv"):
    return (
        read_table("attribution", folder / "attribution.csv"),
        read_table("attribution_check", folder / "attribution_check.csv"),
        attribution.read_plain(folder / "tuning.csv", attribution.TUNING, "explain_units"),
        attribution.read_plain(folder / masks, attribution.MASKS, "export_masks"),
    )


def drawn(given, out):
    paths = [out / f"attribution.{kind}" for kind in ("pdf", "png", "csv")]
    rows = attribution.numbers(*given, OPTIONS)
    write_figure("attribution", rows, attribution.draw, *paths, OPTIONS)
    return paths


def test_variables_take_turns_with_the_unit_that_each_explains_best(files):
    check = tables(files)[1]
    assert attribution.chosen_units(check) == [
        ("direction", 0),
        ("direction", 1),
        ("temporal_frequency", 3),
        ("temporal_frequency", 4),
    ]
    both = pd.concat([check, check[check.unit == 0].assign(variable="temporal_frequency")])
    shown = attribution.chosen_units(both)
    assert len({unit for _, unit in shown}) == 4, "a unit is shown once"


def test_the_same_tables_give_the_same_bytes_with_all_that_is_drawn(files, tmp_path):
    first = [path.read_bytes() for path in drawn(tables(files), tmp_path)]
    assert [path.read_bytes() for path in drawn(tables(files), tmp_path)] == first
    numbers = read_numbers("attribution", tmp_path / "attribution.csv")
    for panel in "0123":
        its = numbers[numbers.panel == panel]
        assert (its.kind == "weight").sum() == 5
        assert its[its.kind == "own"].value.tolist() == pytest.approx([0.2, 0.4, 0.8])
        assert (its.kind == "random").sum() == 3
        assert its[its.kind.str.startswith("tuning")].value.abs().max() == 1.0
    mask = numbers[(numbers.kind == "mask") & (numbers.panel == "0")]
    assert mask.value.tolist() == pytest.approx([0.3, 0.0]), "the share of cell 1, none of cell 20"


def test_a_file_without_masks_has_no_map_and_the_note_says_so(files, tmp_path):
    path = drawn(tables(files, "none.csv"), tmp_path)[2]
    numbers = read_numbers("attribution", path)
    assert not (numbers.kind == "mask").any()
    assert "has no masks" in numbers[numbers.kind == "note"].text.iloc[0]


def test_the_figure_says_so_where_there_is_nothing_to_draw(files, tmp_path):
    given = [table.iloc[:0] for table in tables(files)]
    assert drawn(given, tmp_path)[1].stat().st_size > 1000


def test_a_missing_table_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(UserError, match="no such table; run the rule export_masks first"):
        attribution.read_plain(tmp_path / "masks.csv", attribution.MASKS, "export_masks")


def pixels(runs: str, shape: tuple[int, int]) -> np.ndarray:
    image = np.zeros(shape, bool)
    for run in runs.split():
        row, span = run.split(":")
        first, last = map(int, span.split("-"))
        image[int(row), first : last + 1] = True
    return image


def test_the_runs_of_a_mask_are_its_pixels(tmp_path):
    images = np.random.default_rng(0).random((3, 12, 9)) < 0.4

    def with_masks(file):
        file[layout.ROI_LIST] = np.array([f"roi_{i}" for i in range(3)], dtype="S")
        for i, image in enumerate(images):
            file[f"{layout.ROI_PLANE}/roi_{i}/{layout.ROI_MASK}"] = image.astype(np.uint8)

    nwb = tiny_nwb(tmp_path / "a.nwb", cells=3, change=with_masks)
    assert export_masks(nwb, tmp_path / "masks.csv") == 3
    table = pd.read_csv(tmp_path / "masks.csv", dtype={"session": str})
    assert table.cell_specimen_id.tolist() == [1000, 1001, 1002]
    assert set(table.session) == {"900001"}
    for row, image in zip(table.itertuples(), images, strict=True):
        assert (row.height, row.width) == image.shape
        assert (pixels(row.runs, image.shape) == image).all()


def test_a_session_without_masks_gives_a_table_of_its_header(tmp_path):
    assert export_masks(tiny_nwb(tmp_path / "a.nwb"), tmp_path / "masks.csv") == 0
    assert (tmp_path / "masks.csv").read_text() == ",".join(MASK_COLUMNS) + "\n"

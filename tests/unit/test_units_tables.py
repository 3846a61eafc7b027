"""Laws of the tables that measure_units, relabel_mice and the scoring write."""

import json

import numpy as np
import pytest
from activation_files import (
    DEAD,
    DIRECTION_UNITS,
    FREQUENCY_UNITS,
    GENOTYPE_UNITS,
    WIDTH,
    change,
    write_dictionary,
)
from glassbox.errors import UserError
from glassbox.options import options_from
from glassbox.tables import COLUMNS, read_rows
from glassbox.units.measure import measure_units
from glassbox.units.options import UnitOptions
from glassbox.units.relabelling import write_relabelled
from glassbox.units.scoring import score_claims

OPTIONS = UnitOptions(permutations=499, resamples=99)


def measured(folder, out, options=OPTIONS):
    measure_units(folder, out, "all", "all", options)
    return read_rows(out / "units.csv"), read_rows(out / "tuning.csv")


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    base = tmp_path_factory.mktemp("units")
    return measured(write_dictionary(base / "dictionary", mice=12), base / "units")


def selective(rows, variable):
    return {int(r["unit"]) for r in rows if r["variable"] == variable and r["selective"] == "true"}


def test_planted_units_are_claimed_for_their_variable_and_not_for_another(tables):
    units, _ = tables
    assert selective(units, "direction") == set(DIRECTION_UNITS)
    assert selective(units, "temporal_frequency") == set(FREQUENCY_UNITS)
    assert selective(units, "genotype") == set(GENOTYPE_UNITS)


def test_every_living_unit_has_one_row_for_each_variable_and_a_dead_one_none(tables):
    units, _ = tables
    expected = {
        (str(unit), variable)
        for unit in range(WIDTH)
        if unit != DEAD
        for variable in ("direction", "temporal_frequency", "orientation", "genotype", "session")
    }
    assert len(units) == len(expected)
    assert {(row["unit"], row["variable"]) for row in units} == expected
    assert tuple(units[0]) == COLUMNS["units"]


def test_the_preferred_value_is_the_planted_one(tables):
    units, _ = tables
    by = {(int(r["unit"]), r["variable"]): r for r in units}
    assert [by[u, "direction"]["preferred"] for u in DIRECTION_UNITS] == [
        str(45 * u) for u in DIRECTION_UNITS
    ]
    assert by[8, "temporal_frequency"]["preferred"] == "8"
    assert by[12, "genotype"]["preferred"] == "Rorb"


OF_VARIABLE = {
    "osi": {"direction", "orientation"},
    "dsi": {"direction"},
    "circular_variance": {"direction", "orientation"},
    "mean_angle": {"direction", "orientation"},
    "rank_correlation": {"temporal_frequency"},
    "auroc": {"direction", "orientation", "temporal_frequency"},
    "information": {"direction", "orientation", "temporal_frequency"},
    "claimed": {"direction", "orientation", "temporal_frequency"},
}


@pytest.mark.parametrize("column", OF_VARIABLE)
def test_a_statistic_stands_in_the_rows_of_the_variables_that_ask_for_it(tables, column):
    units, _ = tables
    assert {row["variable"] for row in units if row[column]} == OF_VARIABLE[column]


def test_the_effect_lies_within_its_interval(tables):
    units, _ = tables
    for row in units:
        assert float(row["ci_low"]) <= float(row["effect_size"]) <= float(row["ci_high"])


def test_a_unit_of_one_direction_has_that_axis_as_its_orientation(tables):
    units, _ = tables
    axes = {int(r["unit"]): r["preferred"] for r in units if r["variable"] == "orientation"}
    assert [axes[u] for u in DIRECTION_UNITS] == [str(45 * u % 180) for u in DIRECTION_UNITS]


def test_the_tuning_table_counts_selection_trials_and_mice(tables):
    _, tuning = tables
    of_unit = [row for row in tuning if row["unit"] == "0"]
    trials = [int(r["n"]) for r in of_unit if r["variable"] == "direction"]
    assert len(trials) == 8 and sum(trials) == 12 * 60
    mice = {r["condition"]: r["n"] for r in of_unit if r["variable"] == "genotype"}
    assert mice == {"Cux2": "6", "Rorb": "6"}


def test_training_and_test_trials_and_held_out_mice_change_nothing(tmp_path):
    folder = write_dictionary(tmp_path / "dictionary", held_out=2)
    measured(folder, tmp_path / "before")
    stored = change(folder)
    activation = stored["unit_activation"].copy()
    unseen = (stored["part"] != 1) | (stored["session_index"] >= 6)
    activation[unseen] = np.random.default_rng(1).random((unseen.sum(), WIDTH))
    change(folder, unit_activation=activation)
    measured(folder, tmp_path / "after")
    for name in ("tuning.csv", "units.json"):
        assert (tmp_path / "before" / name).read_bytes() == (tmp_path / "after" / name).read_bytes()
    before, after = (read_rows(tmp_path / when / "units.csv") for when in ("before", "after"))
    of_test_trials = {"effect_size_unseen", "p_small", "claimed"}
    for one, other in zip(before, after, strict=True):
        assert {k for k in one if one[k] != other[k]} <= of_test_trials


def test_claims_know_the_test_trials_and_neither_training_trials_nor_held_out_mice(tmp_path):
    folder = write_dictionary(tmp_path / "dictionary", held_out=2)
    before, _ = measured(folder, tmp_path / "before")
    stored = change(folder)
    activation = stored["unit_activation"].copy()
    unseen = (stored["part"] == 0) | (stored["session_index"] >= 6)
    activation[unseen] = np.random.default_rng(1).random((unseen.sum(), WIDTH))
    change(folder, unit_activation=activation)
    assert measured(folder, tmp_path / "after")[0] == before
    activation[stored["part"] == 2] = 0.0
    change(folder, unit_activation=activation)
    assert measured(folder, tmp_path / "again")[0] != before


def test_a_trial_without_a_class_answers_nothing(tmp_path):
    folder = write_dictionary(tmp_path / "dictionary")
    stored = change(folder)
    label = stored["label_direction"].copy()
    label[stored["session_index"] == 0] = -1
    change(folder, label_direction=label)
    _, tuning = measured(folder, tmp_path / "units")
    shown = [int(r["n"]) for r in tuning if r["unit"] == "0" and r["variable"] == "direction"]
    assert sum(shown) == 7 * 60


def test_genotype_that_cannot_be_estimated_has_no_rows_and_a_note(tmp_path):
    folder = write_dictionary(tmp_path / "dictionary", mice=2)
    units, tuning = measured(folder, tmp_path / "units")
    assert not [row for row in units + tuning if row["variable"] == "genotype"]
    notes = json.loads((tmp_path / "units" / "units.json").read_text())["notes"]
    assert {note["variable"] for note in notes} == {"genotype", "area", "depth"}
    assert all("not estimable" in note["note"] for note in notes)


def test_one_mouse_has_no_genotype_and_needs_no_note(tmp_path):
    folder = write_dictionary(tmp_path / "dictionary", mice=1)
    units, _ = measured(folder, tmp_path / "units")
    expected = {"direction", "orientation", "temporal_frequency"}
    assert {row["variable"] for row in units} == expected
    assert json.loads((tmp_path / "units" / "units.json").read_text())["notes"] == []


def test_same_input_same_bytes(tmp_path):
    folder = write_dictionary(tmp_path / "dictionary", mice=4)
    measured(folder, tmp_path / "a")
    measured(folder, tmp_path / "b")
    for name in ("units.csv", "tuning.csv", "units.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_relabelled_mice_are_counted_with_their_exact_interval(tmp_path):
    folder = write_dictionary(tmp_path / "dictionary")
    write_relabelled(folder, tmp_path / "out.csv", OPTIONS)
    (row,) = read_rows(tmp_path / "out.csv")
    assert row["claim"] == "genotype_units_relabelled_mice"
    assert row["metric"] == "false_discovery_rate"
    assert int(row["n"]) == 18  # C(4, 2)² / 2
    assert float(row["value"]) <= 0.2 and float(row["ci_low"]) <= float(row["value"])


def test_relabelling_one_line_gives_a_row_without_a_value(tmp_path):
    folder = write_dictionary(tmp_path / "dictionary", lines=("Cux2",))
    write_relabelled(folder, tmp_path / "out.csv", OPTIONS)
    (row,) = read_rows(tmp_path / "out.csv")
    assert row["value"] == "" and row["n"] == "0"


def test_scores_equal_the_counts_worked_out_by_hand():
    claimed = np.array([1, 1, 1, 0, 0, 0], dtype=bool)
    true = np.array([1, 1, 0, 1, 1, 0], dtype=bool)
    detected = np.array([1, 1, 1, 1, 0, 0], dtype=bool)
    rows = {r["metric"]: (r["value"], r["n"]) for r in score_claims("c", claimed, true, detected)}
    assert rows == {
        "recall": (0.5, 4),
        "precision": (pytest.approx(2 / 3), 3),
        "false_discovery_rate": (pytest.approx(1 / 3), 3),
        "specificity": (0.5, 2),
        "power": (0.75, 4),
    }


def test_a_metric_of_no_unit_has_no_value():
    none = np.zeros(3, dtype=bool)
    rows = {row["metric"]: row for row in score_claims("c", none, none, none)}
    assert rows.pop("specificity")["value"] == 1.0
    assert all(row["n"] == 0 and "value" not in row for row in rows.values())


def test_a_missing_dictionary_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match=r"dictionary\.json: no such file"):
        measure_units(tmp_path, tmp_path / "out", "all", "all", OPTIONS)


@pytest.mark.parametrize("wrong", [{"q": 1.5}, {"permutations": 9}, {"claim": "luck"}])
def test_options_that_make_no_claim_possible_are_refused(wrong):
    with pytest.raises(UserError, match=rf"units\.{next(iter(wrong))}"):
        options_from(UnitOptions, wrong, "units")

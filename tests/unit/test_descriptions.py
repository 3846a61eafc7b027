"""Laws of the sentences that say what units stand for."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from activation_files import (
    DEAD,
    DIRECTION_UNITS,
    FREQUENCY_UNITS,
    WIDTH,
    change,
    write_dictionary,
)
from glassbox.errors import UserError
from glassbox.tensors.splits import SELECTION, TEST, TRAIN
from glassbox.units.activations import DictionaryFolder
from glassbox.units.describe import (
    SeenTrials,
    auroc,
    condition_means,
    correlations,
    description_rows,
    read_descriptions,
    trials_of,
)
from glassbox.units.descriptions import NOTHING_KNOWN, Concept, Curve, describe
from glassbox.units.measure import measure_units
from glassbox.units.options import UnitOptions

DIRECTIONS = tuple(str(45 * i) for i in range(8))
FREQUENCIES = ("1", "2", "4", "8", "15")


def direction(*response: float) -> Curve:
    return Curve("direction", DIRECTIONS, response)


def frequency(*response: float) -> Curve:
    return Curve("temporal_frequency", FREQUENCIES, response)


def test_a_concept_sorts_values_by_their_height_and_keeps_the_mean_of_each_sort():
    concept = Concept.of(direction(1, 1, 9, 1, 1, 1, 5, 1))
    assert concept.strong == ("90",)
    assert concept.weak == ("270",)
    mean = 20 / 8
    assert concept.strong_level == pytest.approx(9 / mean)
    assert concept.weak_level == pytest.approx(5 / mean)
    assert concept.rest_level == pytest.approx(1 / mean)


def test_the_sentence_of_several_concepts_names_them_in_the_order_in_which_they_explain():
    about = describe(1.0, [direction(0, 0, 10, 0, 0, 0, 4, 0), frequency(1, 1, 10, 10, 1)])
    assert about.sentence() == (
        "fires for gratings drifting at 90° (and weakly 270°), most at 4–8 Hz; not otherwise"
    )


def test_neighbours_are_said_as_a_range_that_may_go_around_the_circle():
    assert describe(1.0, [direction(9, 9, 0, 0, 9, 0, 0, 9)]).sentence() == (
        "fires for gratings drifting at 315–45° and 180°; not otherwise"
    )
    assert describe(1.0, [frequency(9, 1, 1, 1, 9)]).sentence() == (
        "fires for gratings of 1 Hz and 15 Hz; otherwise 11% as much"
    )


def test_it_predicts_its_mean_times_the_level_of_each_concept():
    about = describe(0.5, [direction(0, 0, 8, 0, 0, 0, 0, 0), frequency(1, 1, 1, 1, 6)])
    trials = {
        "direction": np.array(["90", "90", "0"]),
        "temporal_frequency": np.array(["15", "1", "15"]),
    }
    assert about.predict(trials) == pytest.approx([0.5 * 8 * 3, 0.5 * 8 * 0.5, 0.0])


def test_the_mean_over_balanced_trials_of_what_it_predicts_is_the_units_mean():
    about = describe(0.7, [direction(3, 1, 4, 1, 5, 9, 2, 6), frequency(2, 7, 1, 8, 2)])
    both = np.array([(d, f) for d in DIRECTIONS for f in FREQUENCIES])
    trials = {"direction": both[:, 0], "temporal_frequency": both[:, 1]}
    assert about.predict(trials).mean() == pytest.approx(0.7)


def test_a_value_that_was_never_shown_before_changes_nothing():
    concept = Concept.of(direction(1, 1, 9, 1, 1, 1, 1, 1))
    assert concept.factor(np.array(["12"])) == pytest.approx([1.0])


def test_a_unit_without_a_claim_or_with_a_flat_curve_is_predicted_by_its_mean():
    for curves in ([], [direction(*[2.0] * 8)]):
        about = describe(0.25, curves)
        assert about.sentence() == NOTHING_KNOWN
        assert about.predict({"direction": np.array(["0", "90"])}) == pytest.approx([0.25, 0.25])


def test_a_genotype_is_said_as_that_of_the_mice():
    about = describe(1.0, [Curve("genotype", ("Cux2", "Rorb"), (1.0, 3.0))])
    assert about.sentence() == "fires in Rorb mice; otherwise 33% as much"
    assert about.predict({"genotype": np.array(["Cux2", "Rorb"])}) == pytest.approx([0.5, 1.5])


@pytest.mark.parametrize("seed", [0, 1])
def test_the_auroc_counts_ties_as_half(seed):
    rng = np.random.default_rng(seed)
    fires, predicted = rng.random(40) < 0.4, rng.integers(4, size=40)
    pairs = predicted[fires][:, None] - predicted[~fires]
    assert auroc(fires, predicted) == pytest.approx(((pairs > 0) + (pairs == 0) / 2).mean())
    assert np.isnan(auroc(np.zeros(3, bool), np.arange(3)))


def test_correlations_are_pearsons_and_none_of_a_constant():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(30, 2)), rng.normal(size=(30, 3))
    b[:, 2] = 0.1
    found = correlations(a, b)
    assert found[:, :2] == pytest.approx(np.corrcoef(a.T, b.T)[:2, 2:4])
    assert np.isnan(found[:, 2]).all()


def test_condition_means_are_of_equal_conditions_and_of_all_trials_where_there_are_none():
    before = SeenTrials(
        np.array([[1.0], [3.0], [8.0]]), {"a": np.array(["x", "x", "y"]), "b": np.array(["1"] * 3)}
    )
    later = SeenTrials(
        np.zeros((3, 1)), {"a": np.array(["x", "y", "z"]), "b": np.array(["1", "1", "1"])}
    )
    assert condition_means(before, later)[:, 0] == pytest.approx([2.0, 8.0, 4.0])


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """Planted units, measured, with the folder of stage 4 and the tables of stage 5."""
    base = tmp_path_factory.mktemp("described")
    folder = write_dictionary(base / "dictionary", mice=4, trials=240)
    measure_units(folder, base / "units", "all", "all", UnitOptions(permutations=199))
    return folder, base / "units"


def rows_of(folder, tables):
    opened = DictionaryFolder.open(folder)
    found = read_descriptions(tables / "units.csv", tables / "tuning.csv", opened)
    return description_rows({}, (0, 0), found[0, 0], opened), found[0, 0]


def test_planted_units_are_predicted_on_test_trials_and_others_are_not_described(described):
    rows, found = rows_of(*described)
    assert {row["unit"] for row in rows} == set(range(WIDTH)) - {DEAD}
    by_unit = {row["unit"]: row for row in rows}
    for unit in DIRECTION_UNITS:
        row = by_unit[unit]
        assert found[unit].concepts[0].strong == (str(45 * unit),)
        assert row["score"] > 0.6
        assert row["score"] > row["null_high"]
        assert row["q"] < 0.2  # at best one over the number of described units
        assert row["r2"] == pytest.approx(row["score"] ** 2, abs=0.1)
    for unit in FREQUENCY_UNITS:
        assert by_unit[unit]["variables"] == "temporal_frequency"
        assert by_unit[unit]["auroc"] > 0.75
    assert by_unit[22]["description"] == NOTHING_KNOWN
    assert np.isnan(by_unit[22]["score"])


def test_the_content_of_a_row_is_all_that_its_prediction_is_made_of(described):
    rows, found = rows_of(*described)
    content = json.loads(rows[2]["content"])
    again = type(found[2])(
        content["mean"],
        tuple(
            Concept(**{k: tuple(v) if isinstance(v, list) else v for k, v in concept.items()})
            for concept in content["concepts"]
        ),
    )
    assert again == found[2]


def test_what_units_do_on_test_trials_changes_their_scores_and_no_sentence(described):
    folder, tables = described
    rows, _ = rows_of(folder, tables)
    with np.load(folder / "activations-seed0-fold0.npz") as stored:
        activation, part = stored["unit_activation"].copy(), stored["part"]
    test = np.flatnonzero(part == TEST)
    activation[test] = activation[np.random.default_rng(0).permutation(test)]
    kept = change(folder, unit_activation=activation)
    try:
        shuffled, _ = rows_of(folder, tables)
    finally:
        change(folder, **kept)
    for before, after in zip(rows, shuffled, strict=True):
        assert after["description"] == before["description"]
        assert after["content"] == before["content"]
    assert all(abs(shuffled[i]["score"]) < 0.3 for i in DIRECTION_UNITS)


def test_trials_are_taken_by_part_with_the_values_of_their_conditions(described):
    opened = DictionaryFolder.open(described[0])
    counts = [len(trials_of(opened, (0, 0), (p,)).activation) for p in (TRAIN, SELECTION, TEST)]
    assert counts == [240, 480, 240]
    assert set(trials_of(opened, (0, 0), (TEST,)).values["direction"]) == set(DIRECTIONS)


def test_an_axis_is_said_of_a_unit_that_is_selective_for_no_direction(described, tmp_path):
    folder, tables = described
    units = pd.read_csv(tables / "units.csv", dtype=str)
    units.loc[(units.unit == "0") & (units.variable == "direction"), "selective"] = "false"
    units.to_csv(tmp_path / "units.csv", index=False)
    opened = DictionaryFolder.open(folder)
    found = read_descriptions(tmp_path / "units.csv", tables / "tuning.csv", opened)
    assert found[0, 0][0].sentence().startswith("fires for gratings oriented at 0°")
    assert found[0, 0][1].variables == ("direction",), (
        "the axis of a direction is no second concept"
    )
    predicted = found[0, 0][0].predict(trials_of(opened, (0, 0), (TEST,)).values)
    assert len(np.unique(predicted)) > 1


def test_a_claim_without_its_tuning_is_refused_in_a_sentence(described, tmp_path):
    folder, tables = described
    lines = (tables / "tuning.csv").read_text().splitlines()
    kept = [line for line in lines if ",direction," not in line]
    (tmp_path / "tuning.csv").write_text("\n".join(kept) + "\n")
    with pytest.raises(UserError, match=r"no tuning of unit 0 .* for direction"):
        read_descriptions(
            tables / "units.csv", tmp_path / "tuning.csv", DictionaryFolder.open(folder)
        )

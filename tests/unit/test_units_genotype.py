"""Laws of the genotype test: the mouse is the unit of analysis."""

from math import comb

import numpy as np
import pytest
from glassbox.units.genotype import (
    claim_genotype,
    difference_statistic,
    estimable,
    ranks_among,
    variance_of_lines,
)
from glassbox.units.labelings import count_labelings, labelings, unrelated_labelings
from glassbox.units.mice import MouseTable, mouse_table
from glassbox.units.options import UnitOptions
from glassbox.units.relabelling import relabel_mice

SIX_AND_SIX = np.repeat([0, 1], 6)


def table_of(mean, lines, within=1.0, trials=100):
    mean = np.asarray(mean, dtype=float)
    return MouseTable(
        tuple(f"M{i:02d}" for i in range(len(mean))),
        tuple(lines),
        mean,
        np.full(mean.shape, within),
        np.full(len(mean), trials),
    )


def test_six_and_six_mice_have_924_distinct_labelings_the_truth_among_them():
    found = labelings(SIX_AND_SIX, 20_000, seed=0)
    assert len(found) == 924 == count_labelings(SIX_AND_SIX)
    assert len({tuple(row) for row in found}) == 924
    assert (found.sum(axis=1) == 6).all()
    assert (found == SIX_AND_SIX).all(axis=1).sum() == 1


def test_labelings_of_three_lines_keep_the_sizes_of_all():
    labels = np.array([0, 0, 1, 1, 1, 2, 2])
    found = labelings(labels, 20_000, seed=0)
    assert len({tuple(row) for row in found}) == len(found) == comb(7, 2) * comb(5, 3)
    assert all(np.bincount(row).tolist() == [2, 3, 2] for row in found)


def test_a_sample_of_labelings_holds_the_true_one():
    labels = np.repeat([0, 1], 12)
    found = labelings(labels, 500, seed=0)
    assert found.shape == (500, 24) and (found[0] == labels).all()
    assert (found.sum(axis=1) == 12).all()


def test_an_unrelated_labeling_has_equally_many_mice_of_each_line_in_each_group():
    found = labelings(SIX_AND_SIX, 20_000, seed=0)
    chosen = unrelated_labelings(found, SIX_AND_SIX, 1000)
    assert len(chosen) == comb(6, 3) ** 2 // 2 == 200
    for labeling in found[chosen]:
        assert [(labeling[line == SIX_AND_SIX] == 0).sum() for line in (0, 1)] == [3, 3]
    partitions = {frozenset((tuple(row), tuple(1 - row))) for row in found[chosen]}
    assert len(partitions) == 200
    assert len(unrelated_labelings(found, SIX_AND_SIX, 120)) == 120


def test_p_is_exact_over_all_labelings_and_two_sided():
    mean = np.zeros((12, 2))
    mean[:, 0] = np.arange(12)  # the lines apart as far as they can be
    mean[:, 1] = -np.arange(12)
    lines = np.where(SIX_AND_SIX == 0, "Cux2", "Rorb")
    test = claim_genotype(table_of(mean, lines), 20_000, seed=0)
    assert test.p == pytest.approx([2 / 924, 2 / 924])


def test_p_equals_the_rank_of_welch_t_over_labelings_written_out():
    from scipy.stats import ttest_ind

    rng = np.random.default_rng(0)
    mean = rng.normal(size=(8, 3)) + np.repeat([0, 1], 4)[:, None]
    labels = labelings(np.repeat([0, 1], 4), 1000, seed=0)
    by_hand = np.array(
        [
            ttest_ind(mean[row == 0], mean[row == 1], equal_var=False).statistic ** 2
            for row in labels
        ]
    )
    statistic = difference_statistic(mean, labels)
    assert np.allclose(statistic, by_hand)
    true_one = np.flatnonzero((labels == np.repeat([0, 1], 4)).all(axis=1))
    expected = (by_hand >= by_hand[true_one] * (1 - 1e-9)).mean(axis=0)
    assert np.allclose(ranks_among(statistic, true_one)[0], expected)


def test_over_all_labelings_p_is_below_a_level_no_more_often_than_the_level():
    rng = np.random.default_rng(1)
    labels = labelings(SIX_AND_SIX, 20_000, seed=0)
    statistic = difference_statistic(rng.gamma(1.0, 1.0, size=(12, 50)), labels)
    p = ranks_among(statistic, np.arange(len(labels)))
    for level in (0.01, 0.05, 0.3):
        assert ((p <= level).mean(axis=0) <= level).all()


def test_more_trials_of_a_mouse_do_not_make_more_evidence():
    rng = np.random.default_rng(2)
    session = np.repeat(np.arange(8), 20)
    mouse_of = {i: f"M{i}" for i in range(8)}
    line_of = {f"M{i}": "Cux2" if i < 4 else "Rorb" for i in range(8)}
    activation = rng.normal(size=(160, 5)) + rng.normal(size=(8, 5))[session]
    once = mouse_table(activation, session, mouse_of, line_of)
    many = mouse_table(np.repeat(activation, 10, axis=0), np.repeat(session, 10), mouse_of, line_of)
    assert np.allclose(claim_genotype(once, 1000, 0).p, claim_genotype(many, 1000, 0).p)


def test_several_sessions_of_a_mouse_are_one_mouse():
    activation = np.array([[1.0], [1.0], [1.0], [4.0], [2.0], [6.0]])
    session = np.array([0, 0, 0, 1, 2, 3])
    table = mouse_table(
        activation, session, {0: "M1", 1: "M1", 2: "M2", 3: "M2"}, {"M1": "Cux2", "M2": "Rorb"}
    )
    assert table.mouse == ("M1", "M2") and table.line == ("Cux2", "Rorb")
    assert table.mean[:, 0].tolist() == [2.5, 4.0]
    assert table.trials.tolist() == [4, 2]


def test_genotype_is_not_estimable_with_one_mouse_of_a_line():
    table, note = estimable(table_of(np.zeros((4, 1)), ["Cux2", "Cux2", "Cux2", "Rorb"]))
    assert table.mouse == () and "not estimable" in note and "Rorb" in note
    table, note = estimable(table_of(np.zeros((3, 1)), ["Cux2", "Cux2", "Cux2"]))
    assert table.mouse == () and "one Cre line only" in note


def test_a_line_with_one_mouse_is_left_out_and_named():
    lines = ["Cux2", "Cux2", "Rorb", "Rorb", "Emx1"]
    table, note = estimable(table_of(np.arange(5.0)[:, None], lines))
    assert table.line == ("Cux2", "Cux2", "Rorb", "Rorb") and "Emx1" in note


def test_differences_between_mice_are_not_taken_for_a_difference_between_lines():
    rng = np.random.default_rng(3)
    raw, corrected = variance_of_lines(
        table_of(rng.normal(size=(12, 20_000)), [""] * 12), SIX_AND_SIX
    )
    assert raw.mean() > 0.03
    assert corrected.mean() == pytest.approx(0.0, abs=0.003)


def test_the_share_of_the_lines_equals_the_planted_one():
    rng = np.random.default_rng(4)
    # between lines 1, between mice 0.5², within a mouse 3: 1 / 4.25
    mean = rng.normal(scale=0.5, size=(12, 20_000)) + np.where(SIX_AND_SIX == 0, -1.0, 1.0)[:, None]
    table = table_of(mean, [""] * 12, within=3.0, trials=100_000)
    _, corrected = variance_of_lines(table, SIX_AND_SIX)
    assert corrected.mean() == pytest.approx(1 / 4.25, abs=0.005)


def test_false_claims_over_relabelings_stay_at_the_level_with_dependent_units():
    rng = np.random.default_rng(5)
    lines = np.where(SIX_AND_SIX == 0, "Cux2", "Rorb")
    options = UnitOptions(min_effect=1e-6)
    rates = []
    for _ in range(10):
        shared = rng.normal(size=(12, 5)) @ rng.normal(size=(5, 200))
        mean = shared + rng.normal(size=(12, 200)) + 0.5 * SIX_AND_SIX[:, None]
        claims = relabel_mice(table_of(mean, lines, within=0.01), options).claims
        assert len(claims) == 200
        rates.append((claims > 0).mean())
    assert np.mean(rates) <= 0.07


def test_a_planted_difference_between_lines_is_claimed():
    rng = np.random.default_rng(6)
    mean = rng.normal(size=(12, 100))
    mean[:, :40] += 6.0 * SIX_AND_SIX[:, None]
    lines = np.where(SIX_AND_SIX == 0, "Cux2", "Rorb")
    found = claim_genotype(table_of(mean, lines), 20_000, 0).selective(0.05, 0.05)
    assert found[:40].mean() > 0.9 and found[40:].mean() < 0.1

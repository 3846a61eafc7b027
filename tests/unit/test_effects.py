"""Laws of what taking sets of units away costs, and of the sets held against them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from glassbox.dictionaries.splice import scored
from glassbox.interventions.ablation import (
    RESAMPLE,
)
from glassbox.interventions.effects import effects_of
from glassbox.interventions.measure import say
from glassbox.interventions.plan import DosePlan
from glassbox.interventions.rows import ablation_rows, against_controls, confusion_rows
from glassbox.statistics import bootstrap_weights
from small_run import CLASSES, EVERY, clean, decoder, labels, run  # noqa: F401  (fixtures)


def test_scores_leave_out_trials_without_a_class():
    logits = torch.tensor([[[0.0, 2.0]], [[3.0, 0.0]], [[0.0, 1.0]]])
    correct, probable, said = scored(logits, np.array([1, 1, -1]))
    assert correct[:, 0].tolist()[:2] == [1, 0] and np.isnan(correct[2, 0])
    assert probable[0, 0] == pytest.approx(-np.log(1 + np.exp(-2)))
    assert np.isnan(probable[2, 0])
    assert said[:, 0].tolist() == [1, 0, 1]


def made_effects(run, folds=1, condition=("error_preserving", "zero")):  # noqa: F811
    plan = DosePlan(
        2,
        {
            ("target", "direction"): np.array([0, 1]),
            ("target", "temporal_frequency"): np.array([2, 3]),
            ("top_energy", ""): np.array([4, 5]),
        },
        {
            "direction": np.array([[6, 7], [8, 9], [10, 11]]),
            "temporal_frequency": np.array([[6, 7]]),
        },
    )
    fold = (run, run.trials.in_part(2), [plan])
    return effects_of([fold] * folds, *condition, 3)


def test_a_target_with_too_few_matched_sets_has_no_match(run):  # noqa: F811
    effects = made_effects(run)
    variables = {variable for _, variable, _, _ in effects.matched_drop}
    assert variables == {"direction"}
    doses = {"direction": (2,), "temporal_frequency": (2,)}
    rows = list(ablation_rows({}, effects, doses, bootstrap_weights(10, 0, 200), True))
    for row in rows:
        if row["control"] == "target" and row["selected_for"] == "temporal_frequency":
            assert row["n_controls"] == 0 and "p" not in row
        if row["control"] == "target" and row["selected_for"] == "direction":
            assert row["n_controls"] == 3 and row["p"] >= 1 / 4


def test_rows_are_the_full_matrix_with_drops_that_add_up(run):  # noqa: F811
    effects = made_effects(run)
    doses = {"direction": (2,), "temporal_frequency": (2,)}
    rows = list(ablation_rows({}, effects, doses, bootstrap_weights(10, 0, 200), True))
    targets = [r for r in rows if r["control"] == "target"]
    assert len(targets) == 2 * 2 * 2  # variables × variables × metrics
    for row in rows:
        if "value" in row:
            assert row["value"] == pytest.approx(row["baseline"] - row["drop"])
    by = {(r["selected_for"], r["measured_on"], r["metric"]): r for r in targets}
    own = by["direction", "direction", "accuracy"]
    other = by["direction", "temporal_frequency", "accuracy"]
    assert own["selectivity"] == pytest.approx(own["drop"] - other["drop"])
    crossed = next(
        r
        for r in rows
        if r["control"] == "other_variable"
        and (r["selected_for"], r["measured_on"], r["metric"]) == ("direction",) * 2 + ("accuracy",)
    )
    assert crossed["drop"] == by["temporal_frequency", "direction", "accuracy"]["drop"]


def test_folds_are_pooled_over_trials_and_matched_sets_with_them(run):  # noqa: F811
    one, two = made_effects(run), made_effects(run, folds=2)
    for key, drop in one.drop.items():
        assert len(two.drop[key]) == 2 * len(drop)
    for key, drops in one.matched_drop.items():
        np.testing.assert_allclose(two.matched_drop[key], drops)


def test_a_matched_drop_is_what_its_set_costs(run):  # noqa: F811
    effects = made_effects(run)
    test = run.trials.in_part(2)
    clean = run.clean_pass(test)  # noqa: F811
    after = say(clean, run.suffix, test.labels, np.array([[8, 9]]), "error_preserving", "zero")
    before = effects.before["direction", "log_probability"]
    expected = np.nanmean(before - after.log_probability["direction"][:, 0])
    found = effects.matched_drop[2, "direction", "direction", "log_probability"][1]
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("ablation", EVERY)
@pytest.mark.parametrize("held", [1, 5, 4096])
def test_doses_read_together_say_what_each_says_alone(run, ablation, held, monkeypatch):  # noqa: F811
    monkeypatch.setattr("glassbox.interventions.effects.SETS_HELD", held)
    rng = np.random.default_rng(0)
    plans = [
        DosePlan(
            n,
            {("target", "direction"): np.arange(n), ("top_energy", ""): np.arange(n) + 9},
            {"direction": np.stack([rng.choice(20, n, replace=False) for _ in range(3)])},
        )
        for n in (1, 2, 5)
    ]
    test = run.trials.in_part(2)
    how = "error_preserving", ablation, 3
    whole = effects_of([(run, test, plans)], *how)
    for plan in plans:
        alone = effects_of([(run, test, [plan])], *how)
        for key, drop in alone.drop.items():
            np.testing.assert_allclose(whole.drop[key], drop, atol=1e-5)
        for key, drops in alone.matched_drop.items():
            np.testing.assert_allclose(whole.matched_drop[key], drops, atol=1e-4)
        assert (
            alone.drop and alone.matched_drop and alone.said_after.keys() <= whole.said_after.keys()
        )


@pytest.mark.parametrize("intervention", ["spliced", "error_preserving"])
@pytest.mark.parametrize("ablation", EVERY)
def test_every_ablation_has_the_same_baseline_and_controls(run, intervention, ablation):  # noqa: F811
    effects = made_effects(run, condition=(intervention, ablation))
    plain = made_effects(run, condition=(intervention, "zero"))
    for key, before in plain.before.items():
        np.testing.assert_array_equal(effects.before[key], before)
    doses = {"direction": (2,), "temporal_frequency": (2,)}
    about = {"ablation": ablation}
    rows = list(ablation_rows(about, effects, doses, bootstrap_weights(10, 0, 200), True))
    for control in ("target", "other_variable", "top_energy"):
        assert sum(r["control"] == control for r in rows) == 2 * 2 * 2


def test_a_resampled_control_set_has_the_donors_of_the_variable_that_it_controls(run):  # noqa: F811
    effects = made_effects(run, condition=("error_preserving", RESAMPLE))
    sources = {(control, variable) for _, control, variable, _, _ in effects.drop}
    assert {("other_variable", v) for v in CLASSES} | {("top_energy", v) for v in CLASSES} < sources


def test_kept_units_are_held_against_sets_that_lose_as_little():
    controls = np.array([0.5, 0.6, 0.7])
    assert against_controls(0.1, controls, smaller=True)["p"] == pytest.approx(1 / 4)
    assert against_controls(0.6, controls, smaller=True)["p"] == pytest.approx(3 / 4)


def test_p_counts_the_target_itself():
    assert against_controls(1.0, np.zeros(199))["p"] == pytest.approx(1 / 200)
    assert against_controls(0.0, np.zeros(199))["p"] == 1
    assert against_controls(0.5, np.array([0.0, 0.5, 1.0]))["p"] == pytest.approx(3 / 4)
    assert against_controls(0.5, None) == {"n_controls": 0}


def test_confusion_counts_every_trial_with_a_class_once(run):  # noqa: F811
    test = run.trials.in_part(2)
    effects = made_effects(run)
    classes = {task: [str(i) for i in range(n)] for task, n in CLASSES.items()}
    doses = {"direction": (2,), "temporal_frequency": ()}
    rows = list(confusion_rows({}, effects, test.labels, classes, doses))
    for condition in ("clean", "ablated"):
        its = [r for r in rows if r["condition"] == condition and r["task"] == "direction"]
        assert len(its) == 64
        assert sum(r["count"] for r in its) == (test.labels["direction"] >= 0).sum()

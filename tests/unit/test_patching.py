"""Laws of giving units the values that they have in another trial."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from glassbox.dictionaries.activations import HookTrials
from glassbox.interventions.patching import EVERYTHING, Pairs, pairs_of, patching_rows, scores_of
from glassbox.interventions.plan import DosePlan
from glassbox.interventions.runs import Run
from small_run import CLASSES, NOTHING, clean, decoder, labels, run  # noqa: F401  (fixtures)


@pytest.fixture(scope="module")
def read_rightly(run):  # noqa: F811
    """The same run, whose trials' classes are what the decoder says: many things."""
    suffix = copy(run.suffix)
    said = suffix(run.trials.latents[:, :, None])
    suffix.bias = [
        bias - said[task].mean((0, 1)) for task, bias in zip(suffix.tasks, suffix.bias, strict=True)
    ]
    said = suffix(run.trials.latents[:, :, None])
    found = {task: logits[:, 0].argmax(-1).numpy() for task, logits in said.items()}
    trials = HookTrials(**{**run.trials.__dict__, "labels": found})
    return Run(**{**run.__dict__, "trials": trials, "suffix": suffix})


def made_pairs(run, places):  # noqa: F811
    trials = run.trials
    clean = run.clean_pass(trials).with_donors(run.clean_pass(trials), places)  # noqa: F811
    taken = {task: label[places] for task, label in trials.labels.items()}
    return Pairs(clean, trials.labels, taken, trials.session_index)


def test_patching_nothing_isolates_and_causes_nothing(read_rightly):
    pairs = made_pairs(read_rightly, np.roll(np.arange(30), 7))
    scores = scores_of(read_rightly, pairs, "direction", NOTHING)
    differ = pairs.labels["direction"] != pairs.donor_labels["direction"]
    assert differ.any() and not scores["direction"][differ].any()
    assert scores["temporal_frequency"].all()


def test_patching_a_trial_with_itself_is_nothing(read_rightly):
    pairs = made_pairs(read_rightly, np.arange(30))
    everything = np.arange(40)[None]
    scores = scores_of(read_rightly, pairs, "direction", everything)
    assert scores["direction"].all() and scores["temporal_frequency"].all()


def test_patching_all_units_swaps_what_is_said(read_rightly):
    run = read_rightly  # noqa: F811
    places = np.roll(np.arange(30), 7)
    pairs = made_pairs(run, places)
    said = run.suffix(run.clean_pass(run.trials).reconstruction()[:, :, None])
    said = {task: logits[:, 0].argmax(-1).numpy() for task, logits in said.items()}
    swapped = replace(
        pairs,
        labels={task: label[places] for task, label in said.items()},
        donor_labels={task: label[places] for task, label in said.items()},
    )
    scores = scores_of(run, swapped, "direction", np.arange(40)[None], "spliced")
    assert scores["direction"].all() and scores["temporal_frequency"].all()


def test_pairs_are_of_trials_that_the_decoder_reads_rightly(run, read_rightly):  # noqa: F811
    test = run.trials
    logits = run.suffix(test.latents[:, :, None])
    right = np.ones(len(test), dtype=bool)
    for task in CLASSES:
        right &= logits[task][:, 0].argmax(-1).numpy() == test.labels[task]
    assert len(pairs_of(run, test, "direction", "differing", 0)) <= right.sum()
    for kind in ("agreeing", "differing"):
        pairs = pairs_of(read_rightly, read_rightly.trials, "direction", kind, 0)
        assert len(pairs) > 5
        own, given = pairs.labels, pairs.donor_labels
        assert (own["direction"] != given["direction"]).all()
        same = own["temporal_frequency"] == given["temporal_frequency"]
        assert same.all() if kind == "agreeing" else not same.any()


def test_rows_hold_target_controls_and_all_units(read_rightly):
    run = read_rightly  # noqa: F811
    plan = DosePlan(
        2,
        {("target", "direction"): np.array([0, 1])},
        {"direction": np.array([[6, 7], [8, 9], [10, 11]])},
    )
    fold = (run, run.trials, [plan])
    rows = list(patching_rows({}, [fold, fold], {"direction": (2,)}, 2, 200, 0))
    assert {r["donor"] for r in rows} == {"agreeing", "differing"}
    for row in rows:
        assert row["metric"] == ("cause" if row["measured_on"] == "direction" else "isolate")
        assert row["n_controls"] == (0 if row["units"] == EVERYTHING else 2)
        assert row["ci_low"] <= row["value"] <= row["ci_high"]
        if row["units"] == EVERYTHING:
            assert "p" not in row
    pairs = pairs_of(run, run.trials, "direction", "agreeing", 0)
    scores = scores_of(run, pairs, "direction", np.array([[0, 1]]))
    first = next(r for r in rows if r["units"] == "target" and r["donor"] == "agreeing")
    assert first["value"] == pytest.approx(scores[first["measured_on"]].mean())
    assert first["n"] == 2 * len(pairs)


def test_no_trial_that_is_read_rightly_gives_no_row(run):  # noqa: F811
    wrong = {task: np.full(30, -1) for task in CLASSES}
    trials = HookTrials(**{**run.trials.__dict__, "labels": wrong})
    plan = DosePlan(1, {("target", "direction"): np.array([0])}, {"direction": NOTHING[:0]})
    rows = patching_rows({}, [(run, trials, [plan])], {"direction": (1,)}, 2, 200, 0)
    assert list(rows) == []


def test_the_seed_of_the_donors_makes_them(read_rightly):
    run = read_rightly  # noqa: F811
    first, again, other = (
        pairs_of(run, run.trials, "direction", "agreeing", seed).clean.donor_values
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_where_fewer_sets_match_than_are_wanted_there_is_no_p(read_rightly):
    run = read_rightly  # noqa: F811
    few = DosePlan(1, {("target", "direction"): np.array([0])}, {"direction": np.array([[6], [7]])})
    fold = (run, run.trials, [few])
    rows = list(patching_rows({}, [fold], {"direction": (1,)}, 3, 200, 0))
    assert rows and all(row["n_controls"] == 0 and "p" not in row for row in rows)

"""Laws of what splices change, pooled over the seeds of decoder and dictionary."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from glassbox.dictionaries.rows import DIFFERENCE
from glassbox.dictionaries.splice_changes import SpliceChanges
from glassbox.tables import COLUMNS

MADE = SimpleNamespace(architecture="topk", width=64)
ABOUT = {"cohort": "all", "level": "all", "hook": "latents"}
CLEAN, METRICS = 1.0, ("accuracy", "log_probability")


def scores_of(spliced):
    values = {"clean": np.full(len(spliced), CLEAN), "spliced": np.asarray(spliced, float)}
    values["noise"] = values["clean"]
    return {(c, "direction", m): v for c, v in values.items() for m in METRICS}


def rows_of(changes, names=("a",)):
    rows = list(changes.rows(ABOUT, names, 200, 0))
    assert all(set(row) == set(COLUMNS["insertion"]) for row in rows)
    return {
        (row["seed"], row["session"]): row
        for row in rows
        if (row["condition"], row["metric"]) == (DIFFERENCE, "accuracy")
    }


def gathered(of_seed, sessions=(0, 0, 0, 0)):
    """Two decoder folds of two trials each; by decoder seed, what each dictionary left of 1."""
    changes = SpliceChanges()
    for seed, several in of_seed.items():
        for fold in (0, 1):
            here = slice(2 * fold, 2 * fold + 2)
            changes.of_decoder(seed, fold, np.array(sessions)[here])
            for left in several:
                changes.add(seed, fold, MADE, 8, scores_of(left[here]))
    return changes


def test_every_trial_counts_once_whatever_the_number_of_seeds_is():
    once = rows_of(gathered({0: [[1, 1, 0, 1]]}))[0, "a"]
    twice = rows_of(gathered({0: [[1, 1, 0, 1], [1, 1, 0, 1]]}))[0, "a"]
    assert once == twice
    assert once["value"] == pytest.approx(-0.25) and once["n"] == 4


def test_seeds_are_averaged_trial_by_trial():
    rows = rows_of(gathered({0: [[0, 1, 1, 1], [1, 0, 1, 1]], 1: [[0, 0, 0, 0], [1, 1, 1, 1]]}))
    assert rows[0, "a"]["value"] == pytest.approx(-0.25)
    assert rows[1, "a"]["value"] == pytest.approx(-0.5)
    mean = rows[None, "a"]
    assert mean["value"] == pytest.approx(-0.375) and mean["n"] == 4
    # Each trial lost 0.25 or 0.5: seeds that each lose another whole trial say little of trials.
    assert -0.5 <= mean["ci_low"] < mean["ci_high"] <= -0.25


def test_of_one_decoder_seed_there_is_no_mean_over_seeds():
    assert set(rows_of(gathered({3: [[1, 1, 0, 1]]}))) == {(3, "a")}


def test_sessions_have_rows_of_their_own_and_one_together():
    rows = rows_of(gathered({0: [[1, 0, 1, 1]]}, sessions=(0, 1, 0, 1)), ("a", "b"))
    assert rows[0, "a"]["value"] == 0 and rows[0, "b"]["value"] == pytest.approx(-0.5)
    assert rows[0, "pooled"]["value"] == pytest.approx(-0.25)

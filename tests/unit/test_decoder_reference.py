"""Laws of the linear reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from glassbox.decoders.data import labelled
from glassbox.decoders.reference import features_of, fit_reference, fit_task
from glassbox.tables import read_rows
from glassbox.tensors.splits import SELECTION, TEST, TRAIN
from tiny_trials import CLASSES, OPTIONS, tiny_cohort


def test_features_are_scaled_on_training_trials_alone():
    session = tiny_cohort().body[0]
    train = features_of(session, 0)[session.in_part(0, TRAIN)]
    assert np.allclose(train.mean(axis=0), 0) and np.allclose(train.std(axis=0), 1)
    windows = session.windows.copy()
    windows[session.in_part(0, TEST)] = 50
    windows[session.in_part(0, SELECTION)] = 50
    changed = features_of(replace(session, windows=windows), 0)[session.in_part(0, TRAIN)]
    assert np.array_equal(train, changed)


def test_test_labels_change_no_prediction():
    session = tiny_cohort().body[0]
    labels = {task: values.copy() for task, values in session.labels.items()}
    labels["direction"][session.in_part(0, TEST)] = 0
    changed = fit_task(replace(session, labels=labels), 0, "direction", 4)
    clean = fit_task(session, 0, "direction", 4)
    chosen = clean.part != TEST
    assert np.array_equal(changed.log_probability[chosen], clean.log_probability[chosen])


def test_a_class_that_training_never_showed_is_wrong_and_not_an_error():
    session = tiny_cohort().body[0]
    labels = {"direction": np.where(session.labels["direction"] == 3, 2, 0)}
    labels["direction"][session.in_part(0, TEST)] = 3
    scores = fit_task(replace(session, labels=labels), 0, "direction", 4)
    assert not scores.correct[scores.part == TEST].any()


def test_the_reference_stands_in_the_same_table_without_a_seed(tmp_path):
    fit_reference(tiny_cohort(), replace(OPTIONS, folds=(0, 1)), tmp_path / "a.csv")
    rows = read_rows(tmp_path / "a.csv")
    assert {row["model"] for row in rows} == {"logistic_regression"}
    assert {row["seed"] for row in rows} == {""}
    assert {row["fold"] for row in rows} == {"0", "1", "pooled"}
    tested = [r for r in rows if (r["part"], r["fold"]) == ("test", "pooled")]
    assert {(r["task"], r["metric"]) for r in tested} == {
        (task, metric) for task in CLASSES for metric in ("accuracy", "log_probability")
    }


def test_a_value_that_is_no_class_gets_no_label():
    classes = np.array([1.0, 2.0, 4.0])
    values = np.array([4.0, 3.0, 1.0, np.nan, 9.0], dtype=np.float32)
    assert labelled(values, classes).tolist() == [2, -1, 0, -1, -1]

"""Laws of the baselines and of the choice among their settings."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from glassbox.decoders.baselines import OF_CLASSES, OF_VALUES
from glassbox.decoders.choice import LEAST_LOG_PROBABILITY, choose
from glassbox.decoders.data import NO_CLASS
from glassbox.decoders.options import BaselineName, DecoderOptions
from glassbox.tensors.splits import SELECTION, TEST, TRAIN

N, CELLS, CLASSES = 300, 8, 4
PART = np.repeat([TRAIN, SELECTION, TEST], [180, 60, 60])
TESTED, SELECTED = PART == TEST, PART == SELECTION
BASELINES = tuple(OF_CLASSES)


def planted(seed=0):
    """Inputs that tell the class, by choice of features, and the classes."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(CLASSES, size=N)
    tuning = rng.normal(size=(CLASSES, CELLS))
    return {"mean": tuning[labels] + rng.normal(size=(N, CELLS))}, labels


def accuracy(answers, labels, chosen):
    return (answers.argmax(axis=1) == labels)[chosen].mean()


@pytest.mark.parametrize("name", BASELINES)
def test_each_baseline_reads_planted_classes(name):
    features, labels = planted()
    chosen = choose(OF_CLASSES[name], features, labels, PART, CLASSES)
    assert accuracy(chosen.answers, labels, TESTED) > 0.6


@pytest.mark.parametrize("name", BASELINES)
def test_each_baseline_is_at_chance_on_shuffled_labels(name):
    right = []
    for seed in range(4):
        features, labels = planted(seed)
        labels = np.random.default_rng(seed + 100).permutation(labels)
        answers = choose(OF_CLASSES[name], features, labels, PART, CLASSES).answers
        right.append(accuracy(answers, labels, TESTED))
    # 240 trials at 0.25: a standard deviation of 0.028
    assert abs(np.mean(right) - 1 / CLASSES) < 0.09


@pytest.mark.parametrize("name", BASELINES)
def test_probabilities_of_each_trial_sum_to_one(name):
    features, labels = planted()
    for _, answers in OF_CLASSES[name](features["mean"][:180], labels[:180], features["mean"]):
        assert np.allclose(np.exp(answers).sum(axis=1), 1)


@pytest.mark.parametrize("name", BASELINES)
def test_poisoned_test_trials_change_nothing_but_their_own_answers(name):
    features, labels = planted()
    clean = choose(OF_CLASSES[name], features, labels, PART, CLASSES)
    poisoned_labels = np.where(TESTED, 0, labels)
    by_labels = choose(OF_CLASSES[name], features, poisoned_labels, PART, CLASSES)
    assert by_labels.setting == clean.setting
    assert np.array_equal(by_labels.answers, clean.answers)
    inputs = np.where(TESTED[:, None], 50.0, features["mean"])
    by_inputs = choose(OF_CLASSES[name], {"mean": inputs}, labels, PART, CLASSES)
    assert by_inputs.setting == clean.setting
    assert np.allclose(by_inputs.answers[~TESTED], clean.answers[~TESTED])


def answering(*tables):
    """A baseline of settings 0, 1, ... that gives these answers."""
    return lambda train, labels, trials: (({"at": i}, t) for i, t in enumerate(tables))


def sure_of(classes, how_sure=0.9):
    table = np.full((N, CLASSES), (1 - how_sure) / (CLASSES - 1))
    table[np.arange(N), classes] = how_sure
    return np.log(table)


def test_the_setting_is_kept_that_is_right_most_often_on_selection_trials():
    features, labels = planted()
    wrong = (labels + 1) % CLASSES
    worse_there = sure_of(np.where(SELECTED, wrong, labels))
    better_there = sure_of(np.where(SELECTED, labels, wrong))
    chosen = choose(answering(worse_there, better_there), features, labels, PART, CLASSES)
    assert chosen.setting == {"features": "mean", "at": 1}
    assert accuracy(chosen.answers, labels, TESTED) == 0


def test_among_equally_accurate_settings_the_surer_one_is_kept_then_the_first():
    features, labels = planted()
    tables = sure_of(labels, 0.5), sure_of(labels, 0.9), sure_of(labels, 0.9)
    assert choose(answering(*tables), features, labels, PART, CLASSES).setting["at"] == 1


def test_features_are_chosen_on_selection_trials_too():
    features, labels = planted()
    noise = np.random.default_rng(1).normal(size=(N, CELLS))
    offered = {"noise": noise, "tuned": features["mean"]}
    chosen = choose(OF_CLASSES["logistic_regression"], offered, labels, PART, CLASSES)
    assert chosen.setting["features"] == "tuned"


def test_trials_without_a_label_are_neither_fitted_nor_counted():
    features, labels = planted()
    unlabelled = np.arange(N) % 3 == 0
    inputs = np.where(unlabelled[:, None], 1e3, features["mean"])
    some = np.where(unlabelled, NO_CLASS, labels)
    chosen = choose(OF_CLASSES["gaussian_naive_bayes"], {"mean": inputs}, some, PART, CLASSES)
    assert accuracy(chosen.answers, labels, TESTED & ~unlabelled) > 0.6


@pytest.mark.parametrize("name", BASELINES)
def test_a_class_that_training_never_showed_is_wrong_and_not_an_error(name):
    features, labels = planted()
    labels = np.where((labels == 2) & (PART == TRAIN), 1, labels)
    answers = choose(OF_CLASSES[name], features, labels, PART, CLASSES).answers
    assert (answers[:, 2] == np.float64(LEAST_LOG_PROBABILITY)).all()
    assert np.isfinite(answers).all()


def test_where_training_shows_one_class_it_is_the_answer():
    features, labels = planted()
    labels = np.where(PART == TRAIN, 3, labels)
    answers = choose(OF_CLASSES["logistic_regression"], features, labels, PART, CLASSES).answers
    assert (answers.argmax(axis=1) == 3).all()


def test_the_network_gives_the_same_answers_again():
    features, labels = planted()
    first, again = (choose(OF_CLASSES["mlp"], features, labels, PART, CLASSES) for _ in range(2))
    assert np.array_equal(first.answers, again.answers)


def test_ridge_reads_a_planted_value_and_nothing_of_a_shuffled_one():
    features, _ = planted()
    rng = np.random.default_rng(2)
    value = features["mean"] @ rng.normal(size=CELLS) + rng.normal(size=N)
    value = value.astype(np.float32)
    value[::50] = np.nan

    def explained(labels):
        answers = choose(OF_VALUES["ridge"], features, labels, PART, None).answers
        known = TESTED & np.isfinite(labels)
        left = (answers - labels)[known]
        return 1 - np.mean(left**2) / labels[known].var()

    assert explained(value) > 0.7
    assert explained(rng.permutation(value)) < 0.1


def test_every_baseline_can_be_named_in_the_options_and_every_name_is_a_baseline():
    assert set(get_args(BaselineName)) == {*OF_CLASSES, *OF_VALUES}
    assert DecoderOptions().baselines == get_args(BaselineName)

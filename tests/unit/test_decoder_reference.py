"""Laws of the baselines of a session: the same trials, folds and tables as the decoder's."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from glassbox.decoders.baselines import OF_CLASSES
from glassbox.decoders.compare import compare_decoders
from glassbox.decoders.data import CohortData, labelled
from glassbox.decoders.predictions import read_predictions
from glassbox.decoders.reference import fit_reference
from glassbox.decoders.train import CohortName, train_cohort
from glassbox.tables import read_rows
from glassbox.tensors.splits import PART_NAMES, SELECTION, TEST
from tiny_trials import CLASSES, OPTIONS, SAMPLES, tiny_cohort

FOLDS = replace(OPTIONS, folds=(0, 1))


def recording_of(trials, rate_hz=SAMPLES):
    """The session that has the windows of these trials, one after the other, 1 s each."""
    start = np.arange(len(trials.trial)) * SAMPLES
    frames = trials.windows.transpose(0, 2, 1).reshape(-1, trials.n_cells)
    return SimpleNamespace(
        frame_rate_hz=float(rate_hz),
        n_frames=len(frames),
        n_cells=trials.n_cells,
        after_jump=np.zeros(0, dtype=np.int64),
        trials=lambda stimulus: SimpleNamespace(start=start, stop=start + SAMPLES),
        dff=lambda first, last: frames[first:last],
    )


def fitted(folder, data, options=FOLDS):
    """The table, the answers and the settings."""
    folder.mkdir(exist_ok=True)
    paths = [folder / name for name in ("a.csv", "a.npz", "a.json")]
    fit_reference(data, recording_of(data.body[0]), options, *paths)
    return read_rows(paths[0]), list(read_predictions(paths[1])), json.loads(paths[2].read_text())


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return fitted(tmp_path_factory.mktemp("clean"), tiny_cohort())


def test_every_baseline_stands_in_the_table_of_decoding_without_a_seed(clean):
    rows = clean[0]
    assert {row["model"] for row in rows} == set(OF_CLASSES)
    assert {row["seed"] for row in rows} == {""}
    assert {row["fold"] for row in rows} == {"0", "1", "pooled"}
    tested = [r for r in rows if (r["part"], r["fold"]) == ("test", "pooled")]
    assert {(r["model"], r["task"], r["metric"]) for r in tested} == {
        (model, task, metric)
        for model in OF_CLASSES
        for task in CLASSES
        for metric in ("accuracy", "log_probability")
    }


def test_the_answers_give_the_numbers_of_the_table(clean):
    rows, answers, _ = clean
    for p in answers:
        for part in (SELECTION, TEST):
            chosen = p.part == part
            right = (p.answers.argmax(axis=1) == p.labels)[chosen].mean()
            (row,) = [
                r
                for r in rows
                if (r["model"], r["task"], r["fold"]) == (p.model, p.task, str(p.fold))
                and (r["part"], r["metric"]) == (PART_NAMES[part], "accuracy")
            ]
            assert float(row["value"]) == pytest.approx(right, abs=1e-6)


def test_poisoned_test_labels_change_nothing_but_the_test_score(clean, tmp_path):
    session = tiny_cohort().body[0]
    labels = {task: values.copy() for task, values in session.labels.items()}
    labels["direction"][session.in_part(0, TEST)] = 0
    options = replace(OPTIONS, folds=(0,))
    poisoned = replace(tiny_cohort(), body=(replace(session, labels=labels),))
    rows, answers, settings = fitted(tmp_path / "p", poisoned, options)
    rows_before, answers_before, settings_before = fitted(tmp_path / "c", tiny_cohort(), options)
    assert settings == settings_before
    for before, after in zip(answers_before, answers, strict=True):
        assert np.array_equal(before.answers, after.answers)
    changed = {
        (before["part"], before["task"])
        for before, after in zip(rows_before, rows, strict=True)
        if before["value"] != after["value"]
    }
    assert changed == {("test", "direction")}


def test_the_chosen_settings_are_told_by_baseline_task_stimulus_and_fold(clean):
    settings = clean[2]
    assert set(settings) == set(OF_CLASSES)
    for of_task in settings.values():
        assert set(of_task) == set(CLASSES)
        for of_stimulus in of_task.values():
            assert set(of_stimulus["drifting_gratings"]) == {"0", "1"}
    assert settings["logistic_regression"]["direction"]["drifting_gratings"]["0"]["C"] > 0


def test_the_same_session_gives_the_same_bytes(tmp_path):
    for name in "ab":
        fitted(tmp_path / name, tiny_cohort())
    for name in ("a.csv", "a.npz", "a.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def with_running(recorded: bool) -> CohortData:
    """The tiny cohort and a running speed that its cells tell."""
    data = tiny_cohort()
    session = data.body[0]
    weights = np.random.default_rng(0).normal(size=session.n_cells)
    speed = session.windows.mean(axis=2) @ weights
    speed = np.where(recorded, speed, np.nan).astype(np.float32)
    labels = {**session.labels, "running_speed": speed}
    return replace(data, body=(replace(session, labels=labels),))


def test_a_value_is_read_by_ridge_and_scored_by_r2(tmp_path):
    rows, answers, _ = fitted(tmp_path, with_running(recorded=True))
    of_value = [r for r in rows if r["task"] == "running_speed"]
    assert {(r["model"], r["metric"]) for r in of_value} == {("ridge", "r2")}
    tested = [r for r in of_value if (r["part"], r["fold"]) == ("test", "pooled")]
    assert float(tested[0]["value"]) > 0.9
    assert {p.model for p in answers if p.task == "running_speed"} == {"ridge"}


def test_behaviour_that_was_not_recorded_has_no_row(tmp_path, clean):
    rows, answers, _ = fitted(tmp_path, with_running(recorded=False))
    assert rows == clean[0]
    assert {p.task for p in answers} == set(CLASSES)


def test_a_decoder_and_the_baselines_answer_the_same_trials_and_are_compared(tmp_path):
    data = tiny_cohort()
    train_cohort(CohortName("mouse-1", "mouse"), data, FOLDS, tmp_path / "decoder", None)
    fitted(tmp_path / "reference", data)
    made = tmp_path / "comparisons.csv", tmp_path / "summaries.csv"
    compare_decoders([tmp_path / "decoder"], [tmp_path / "reference" / "a.npz"], *made)
    compared, of_decoder = read_rows(made[0]), read_rows(tmp_path / "decoder" / "decoding.csv")
    of_baselines = read_rows(tmp_path / "reference" / "a.csv")

    def value(rows, **wanted):
        wanted |= {"fold": "pooled", "part": "test"}
        (row,) = [row for row in rows if wanted.items() <= row.items()]
        return float(row["value"])

    by_seed = [r for r in compared if r["seed"] == "0" and r["session"]]
    assert {(r["task"], r["metric"], r["chosen"]) for r in by_seed} == {
        (task, metric, "true") for task in CLASSES for metric in ("accuracy", "log_probability")
    }
    for row in by_seed:
        named = {"task": row["task"], "metric": row["metric"]}
        expected = value(of_decoder, seed="0", **named) - value(
            of_baselines, model=row["baseline"], **named
        )
        assert float(row["difference"]) == pytest.approx(expected, abs=1e-5)


def test_only_the_named_baselines_are_fitted(tmp_path):
    options = replace(FOLDS, baselines=("gaussian_naive_bayes",))
    rows, answers, settings = fitted(tmp_path, tiny_cohort(), options)
    assert {row["model"] for row in rows} == {p.model for p in answers} == set(settings)
    assert set(settings) == {"gaussian_naive_bayes"}


def test_a_value_that_is_no_class_gets_no_label():
    classes = np.array([1.0, 2.0, 4.0])
    values = np.array([4.0, 3.0, 1.0, np.nan, 9.0], dtype=np.float32)
    assert labelled(values, classes).tolist() == [2, -1, 0, -1, -1]

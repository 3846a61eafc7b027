"""Laws of the file of answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from glassbox.decoders.predictions import Prediction, read_predictions, write_predictions
from glassbox.errors import UserError
from glassbox.tensors.splits import SELECTION, TEST, TRAIN
from made_predictions import prediction, value_prediction


def same(one: Prediction, other: Prediction) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in Prediction.__dataclass_fields__
    )


def test_what_was_answered_to_selection_and_test_trials_comes_back(tmp_path):
    written = [
        prediction(seed=3),
        value_prediction(seed=None, model="ridge"),
        prediction(seed=None, fold=1, session="another", n=7),
    ]
    write_predictions(tmp_path / "p.npz", written)
    read = list(read_predictions(tmp_path / "p.npz"))
    assert len(read) == 3
    for before, after in zip(written, read, strict=True):
        assert same(before.only(before.part != TRAIN), after)
        assert set(after.part) == {SELECTION, TEST}


def test_trials_without_a_label_are_left_out(tmp_path):
    classes, values = prediction(), value_prediction()
    labels = np.where(np.arange(len(classes.labels)) % 2, -1, classes.labels)
    numbers = np.where(np.arange(len(values.labels)) % 2, np.nan, values.labels)
    write_predictions(
        tmp_path / "p.npz", [replace(classes, labels=labels), replace(values, labels=numbers)]
    )
    read = list(read_predictions(tmp_path / "p.npz"))
    assert [len(p.trial) for p in read] == [60, 80]
    assert all((p.trial % 2 == 0).all() for p in read)


def test_the_same_answers_give_the_same_bytes(tmp_path):
    for name in "ab":
        write_predictions(tmp_path / name, [prediction(), value_prediction()])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_no_answers_are_a_file_too(tmp_path):
    write_predictions(tmp_path / "p.npz", [])
    assert list(read_predictions(tmp_path / "p.npz")) == []


@pytest.mark.parametrize("content", [b"", b"PK nothing", None])
def test_a_missing_or_damaged_file_is_one_sentence(tmp_path, content):
    path = tmp_path / "p.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"p\.npz: .*run"):
        list(read_predictions(path))


def test_a_file_cut_short_is_refused(tmp_path):
    write_predictions(tmp_path / "p.npz", [prediction()])
    whole = (tmp_path / "p.npz").read_bytes()
    (tmp_path / "p.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="damaged"):
        list(read_predictions(tmp_path / "p.npz"))

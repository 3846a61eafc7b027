"""Laws of the copies of training trials that a dictionary learns from."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from glassbox.dictionaries import augment
from glassbox.dictionaries.activations import DecodedSession
from glassbox.dictionaries.augment import training_copies
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.errors import UserError
from glassbox.options import options_from
from glassbox.tensors.splits import TRAIN
from tiny_trials import OPTIONS, tiny_session

COPIES = DictionaryOptions(copies=4, copies_keep=0.5)


@pytest.fixture
def session():
    return DecodedSession(tiny_session("a", n_cells=9), np.zeros(60, np.int32), False, "tensor")


@pytest.fixture
def decoder():
    """Shows which windows and cells it was given."""
    shown = []

    def at(hook, name, windows, keep):
        shown.append((windows, keep))
        return SimpleNamespace(value=torch.from_numpy(windows[:, :4]))

    return SimpleNamespace(seed=0, fold=0, options=OPTIONS, at=at, shown=shown)


class Reader:
    """Windows that hold the shift they were read with; every third trial has none that is whole."""

    starts: list[float]

    def __init__(self, tensor, stimulus, options):
        assert tensor == "tensor"
        self.start_s, self.whole = options.start_s, np.arange(60) % 3 > 0
        self.starts.append(options.start_s)

    def read(self, trials):
        assert self.whole[trials].all()
        return np.full((len(trials), 9, 8), self.start_s, np.float32)


@pytest.fixture
def reader(monkeypatch):
    Reader.starts = []
    monkeypatch.setattr(augment, "TrialWindows", Reader)
    return Reader


def test_the_first_copy_is_as_recorded_and_the_others_have_fewer_cells(decoder, session, reader):
    copies = list(training_copies(decoder, [session], COPIES))
    train = session.data.windows[session.data.in_part(0, TRAIN)]
    assert [copy.shape for copy in copies] == [(4 * len(train), 8)] * 4
    assert decoder.shown[0][1] is None
    for windows, keep in decoder.shown:
        np.testing.assert_array_equal(windows, train)
        assert keep is None or (0.5 * 9 - 1 < len(set(keep)) == len(keep) <= 9)
    assert not reader.starts


def test_windows_are_shifted_by_no_more_than_is_wanted_where_they_are_whole(
    decoder, session, reader
):
    wanted = replace(COPIES, copies=30, copies_shift_s=0.2)
    list(training_copies(decoder, [session], wanted))
    own = OPTIONS.window(session.data.stimulus).start_s
    shifts = np.array(reader.starts) - own
    assert len(shifts) == 29 and 0.1 < np.abs(shifts).max() <= 0.2
    assert shifts.min() < 0 < shifts.max()
    train = session.data.in_part(0, TRAIN)
    whole = session.data.trial[train] % 3 > 0
    np.testing.assert_array_equal(decoder.shown[0][0], session.data.windows[train])
    for (windows, _), start in zip(decoder.shown[1:], reader.starts, strict=True):
        np.testing.assert_array_equal(windows[whole], np.float32(start))
        np.testing.assert_array_equal(windows[~whole], session.data.windows[train[~whole]])


def test_a_session_held_out_adds_nothing(decoder, session):
    assert not list(training_copies(decoder, [replace(session, held_out=True)], COPIES))


def test_a_shift_below_zero_is_told_in_a_sentence():
    with pytest.raises(UserError, match="copies_shift_s at least 0"):
        options_from(DictionaryOptions, {"copies_shift_s": -0.1}, "dictionaries")

"""Parts of trials: laws over many numbers of trials and guards."""

import numpy as np
import pytest
from glassbox.tensors.splits import (
    FOLDS,
    NO_PART,
    SELECTION,
    TEST,
    TRAIN,
    crossfit,
    poyo,
    presentation_blocks,
)

NUMBERS = [(5, 0), (40, 3), (60, 1), (628, 3), (629, 3), (6000, 3)]


def blanks(n, seed=0):
    return np.random.default_rng(seed).random(n) < 0.05


@pytest.mark.parametrize(("n", "guard"), NUMBERS)
def test_every_trial_that_is_not_blank_is_tested_exactly_once(n, guard):
    blank = blanks(n)
    np.testing.assert_array_equal((crossfit(blank, guard) == TEST).sum(axis=0), ~blank)


@pytest.mark.parametrize(("n", "guard"), NUMBERS)
def test_every_trial_that_is_not_blank_or_guarded_selects_at_most_once(n, guard):
    parts = crossfit(blanks(n), guard)
    assert (parts == SELECTION).sum(axis=0).max() == 1
    assert (parts == TRAIN).sum(axis=0).max() == FOLDS - 2


@pytest.mark.parametrize("scheme", [lambda b, g: crossfit(b, g), lambda b, g: poyo(b, g)[None]])
@pytest.mark.parametrize(("n", "guard"), NUMBERS)
def test_trials_of_different_parts_are_further_apart_than_the_guard(scheme, n, guard):
    for part in scheme(blanks(n), guard):
        for distance in range(1, guard + 1):
            first, second = part[:-distance], part[distance:]
            both = (first != NO_PART) & (second != NO_PART)
            assert (first[both] == second[both]).all()


@pytest.mark.parametrize("scheme", [lambda b, g: crossfit(b, g), lambda b, g: poyo(b, g)[None]])
def test_a_blank_trial_has_no_part(scheme):
    blank = blanks(628)
    assert (scheme(blank, 3)[:, blank] == NO_PART).all()


def test_the_guard_takes_three_trials_at_each_border_and_none_of_test():
    part = crossfit(np.zeros(50, dtype=bool), guard=3)[1]
    #        train    guard  test    guard  selection  train
    wanted = [0] * 7 + [-1] * 3 + [2] * 10 + [-1] * 3 + [1] * 7 + [-1] * 3 + [0] * 17
    np.testing.assert_array_equal(part, wanted)


def test_selection_of_the_last_fold_is_the_first_block():
    part = crossfit(np.zeros(50, dtype=bool), guard=0)[4]
    np.testing.assert_array_equal(part, [1] * 10 + [0] * 30 + [2] * 10)


def test_the_published_split_has_its_shares_in_order_of_time():
    part = poyo(np.zeros(1000, dtype=bool), guard=0)
    np.testing.assert_array_equal(part, [TRAIN] * 570 + [SELECTION] * 100 + [TEST] * 330)


def test_a_pause_or_a_jump_begins_a_presentation():
    start = np.array([0, 90, 181, 272, 900, 990, 1080])
    np.testing.assert_array_equal(
        presentation_blocks(start, np.array([200])), [0, 0, 0, 1, 2, 2, 2]
    )
    np.testing.assert_array_equal(presentation_blocks(start[:1], np.array([], dtype=int)), [0])
    assert len(presentation_blocks(start[:0], np.array([], dtype=int))) == 0


def test_a_jump_at_the_onset_itself_begins_a_presentation():
    start = np.array([0, 90, 180])
    np.testing.assert_array_equal(presentation_blocks(start, np.array([90])), [0, 1, 1])

"""Laws of reading what sets of units leave, without showing it to the decoder set by set."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from glassbox.interventions.ablation import (
    ABLATIONS,
    as_mask,
    logits_of_sets,
)
from glassbox.interventions.patterns import patterns_of
from glassbox.interventions.read_space import SetReader
from glassbox.interventions.suffix import Suffix
from small_run import CLASSES, EVERY, clean, decoder  # noqa: F401  (fixtures)


def test_the_batched_suffix_equals_the_decoders_readout(decoder, clean):  # noqa: F811
    expected = decoder.double().readout(clean.latents.double())
    exact = Suffix(decoder, decoder.tasks)(clean.latents.double().unsqueeze(2))
    decoder.float()
    single = Suffix(decoder, decoder.tasks)(clean.latents.unsqueeze(2))
    for task, logits in expected.items():
        torch.testing.assert_close(exact[task][:, 0], logits, rtol=0, atol=1e-12)
        torch.testing.assert_close(single[task][:, 0].double(), logits, rtol=0, atol=2e-5)


@pytest.mark.parametrize("ablation", ABLATIONS)
def test_blocks_of_trials_and_sets_change_nothing(decoder, clean, ablation, monkeypatch):  # noqa: F811
    sets = np.random.default_rng(0).permuted(np.tile(np.arange(40), (70, 1)), axis=1)[:, :5]

    def gathered():
        logits = torch.zeros(30, 70, 8)
        for trials, of_sets, part in logits_of_sets(
            clean, Suffix(decoder, decoder.tasks), sets, "error_preserving", ablation
        ):
            logits[trials, of_sets] = part["direction"]
        return logits

    whole = gathered()
    monkeypatch.setattr("glassbox.interventions.read_space.ROWS_AT_ONCE", 70)
    monkeypatch.setattr("glassbox.interventions.read_space.SETS_AT_ONCE", 23)
    monkeypatch.setattr("glassbox.interventions.read_space.SETS_BY_STATE", 29)
    monkeypatch.setattr("glassbox.interventions.read_space.ANSWERS_BY_STATE", 90)
    monkeypatch.setattr("glassbox.interventions.read_space.ANSWERS_AT_ONCE", 60)
    monkeypatch.setattr("glassbox.interventions.read_space.TRIALS_PREPARED", 11)
    monkeypatch.setattr("glassbox.interventions.read_space.ROWS_PREPARED", 5)
    torch.testing.assert_close(gathered(), whole, rtol=0, atol=1e-5)


class Explicit:
    """The same suffix, to which the latents of every set are shown."""

    def __init__(self, suffix):
        self.suffix = suffix

    def __call__(self, *given):
        return self.suffix(*given)


def read_and_shown(clean, suffix, intervention, ablation, strength=1.0):  # noqa: F811
    """Logits of 150 sets by task, as they are read and of the latents that are left."""
    sets = np.random.default_rng(0).permuted(np.tile(np.arange(40), (150, 1)), axis=1)[:, :7]
    found = []
    for kind in (suffix, Explicit(suffix)):
        logits = {task: torch.full((30, 150, n), torch.nan) for task, n in CLASSES.items()}
        blocks = logits_of_sets(clean, kind, sets, intervention, ablation, strength)
        for trials, of_sets, part in blocks:
            for task in CLASSES:
                logits[task][trials, of_sets] = part[task]
        found.append(logits)
    return found


@pytest.mark.parametrize("ablation", EVERY)
@pytest.mark.parametrize("intervention", ["spliced", "error_preserving"])
@pytest.mark.parametrize("strength", [1.0, 0.3])
def test_reading_sets_equals_reading_the_latents_that_they_leave(
    decoder,  # noqa: F811
    clean,  # noqa: F811
    intervention,
    ablation,
    strength,
):
    suffix = Suffix(decoder, decoder.tasks)
    read, shown = read_and_shown(clean, suffix, intervention, ablation, strength)
    for task in CLASSES:
        assert shown[task].std() > 0.1
        torch.testing.assert_close(read[task], shown[task], rtol=0, atol=1e-4)


def test_attention_too_sharp_for_sums_over_states_is_read_set_by_set(decoder, clean, monkeypatch):  # noqa: F811
    suffix = Suffix(decoder, decoder.tasks)
    suffix.fold = suffix.fold.clone()
    suffix.fold[:, : len(CLASSES) * suffix.heads] *= 200
    by_state, answers = SetReader._sums_of_states, []

    def noted(*given):
        answers.append(by_state(*given))
        return answers[-1]

    monkeypatch.setattr(SetReader, "_sums_of_states", noted)
    read, shown = read_and_shown(clean, suffix, "error_preserving", "zero")
    assert any(answer is None for answer in answers)
    for task in CLASSES:
        right = (read[task] - shown[task]).abs() < 0.01  # a tie of two scores may tip over
        assert right.float().mean() > 0.99 and read[task].isfinite().all()


@pytest.mark.parametrize("k", [3, 20, 50])
def test_states_tell_which_units_of_a_row_each_set_takes(k):
    rng = np.random.default_rng(0)
    units = torch.from_numpy(np.stack([rng.choice(60, k, replace=False) for _ in range(9)]))
    sets = [rng.choice(60, n, replace=False) for n in (0, 1, 2, 5, 30, 60) for _ in range(8)]
    masks = as_mask(sets, 60)
    patterns = patterns_of(units, masks)
    found = np.full((9, k, len(sets)), -1)
    for rows, n_states in patterns.blocks(100):
        assert (patterns.counts[rows] <= n_states).all()
        taken = patterns.taken(rows, n_states, k).numpy()
        for row, of_row in zip(rows, taken, strict=True):
            found[row] = of_row[:, patterns.rank[row]]
            assert (
                len(np.unique(of_row[:, : patterns.counts[row]], axis=1).T) == patterns.counts[row]
            )
    assert np.array_equal(found, masks[units].numpy())

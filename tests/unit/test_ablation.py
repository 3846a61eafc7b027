"""Laws of taking units away."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from glassbox.dictionaries.activations import HookTrials
from glassbox.dictionaries.splice import scored
from glassbox.interventions.ablation import (
    KEEPING,
    RESAMPLE,
    ablated,
    as_mask,
)
from glassbox.interventions.donors import donors_of
from glassbox.interventions.measure import say
from glassbox.interventions.suffix import Suffix
from small_run import EVERY, NOTHING, clean, decoder, labels, run  # noqa: F401  (fixtures)


@pytest.mark.parametrize("ablation", ["zero", "mean"])
def test_error_preserving_ablation_of_no_unit_changes_no_bit(clean, ablation):  # noqa: F811
    mask = as_mask(NOTHING, clean.dictionary.width)
    after = ablated(clean, clean.latents, mask, ablation)
    assert torch.equal(after[:, :, 0], clean.latents)


def test_splicing_without_ablation_is_the_reconstruction(clean):  # noqa: F811
    mask = as_mask(NOTHING, clean.dictionary.width)
    after = ablated(clean, clean.reconstruction(), mask, "zero")
    assert torch.equal(after[:, :, 0], clean.dictionary(clean.latents))


@pytest.mark.parametrize("ablation", EVERY)
@pytest.mark.parametrize("intervention", ["spliced", "error_preserving"])
def test_ablation_is_its_formula(clean, intervention, ablation):  # noqa: F811
    d, x = clean.dictionary, clean.latents
    sets = np.array([[0, 5, 9], [1, 2, 3]])
    base = x if intervention == "error_preserving" else clean.reconstruction()
    after = ablated(clean, base, as_mask(sets, d.width), ablation)
    z = d.encode(x)
    for place, units in enumerate(sets):
        changed = z.clone()
        gone = np.setdiff1d(np.arange(d.width), units) if ablation in KEEPING else units
        donor = z[np.roll(np.arange(30), 7)]
        put = {"zero": torch.zeros_like(z), "mean": clean.mean.expand_as(z), RESAMPLE: donor}
        changed[..., gone] = put[ablation.removeprefix("keep_")][..., gone]
        expected = d.decode(changed) if intervention == "spliced" else x + (changed - z) @ d.W_dec
        torch.testing.assert_close(after[:, :, place], expected, rtol=0, atol=1e-5)


def test_without_ablation_the_decoder_reads_the_latents_or_their_reconstruction(
    decoder,  # noqa: F811
    clean,  # noqa: F811
    labels,  # noqa: F811
):
    for intervention, latents in (
        ("error_preserving", clean.latents),
        ("spliced", clean.reconstruction()),
    ):
        said = say(clean, Suffix(decoder, decoder.tasks), labels, NOTHING, intervention, "zero")
        for task, logits in decoder.readout(latents).items():
            expected = scored(logits, labels[task])[1]
            np.testing.assert_allclose(said.log_probability[task][:, 0], expected, atol=2e-5)


def test_half_the_strength_is_half_the_change(clean):  # noqa: F811
    mask = as_mask(np.array([[0, 5, 9, 20, 30]]), clean.dictionary.width)
    whole = ablated(clean, clean.latents, mask, "mean") - clean.latents.unsqueeze(2)
    half = ablated(clean, clean.latents, mask, "mean", 0.5) - clean.latents.unsqueeze(2)
    torch.testing.assert_close(half, whole / 2, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("ablation", KEEPING)
def test_keeping_all_units_changes_no_bit(clean, ablation):  # noqa: F811
    width = clean.dictionary.width
    everything = as_mask(np.arange(width)[None], width)
    for base in (clean.latents, clean.reconstruction()):
        after = ablated(clean, base, everything, ablation)
        assert torch.equal(after[:, :, 0], base)


def test_keeping_no_unit_leaves_the_bias(clean):  # noqa: F811
    after = ablated(clean, clean.reconstruction(), as_mask(NOTHING, 40), "keep_zero")
    bias = clean.dictionary.b_dec.expand_as(clean.latents)
    torch.testing.assert_close(after[:, :, 0], bias, rtol=0, atol=1e-5)


def test_resampling_from_itself_changes_nothing(clean):  # noqa: F811
    own = clean.with_donors(clean, np.full(30, -1))
    everything = as_mask(np.arange(40)[None], 40)
    after = ablated(own, clean.latents, everything, RESAMPLE)[:, :, 0]
    torch.testing.assert_close(after, clean.latents, rtol=0, atol=1e-5)


def test_resampling_all_units_is_the_donors_reconstruction(clean):  # noqa: F811
    after = ablated(clean, clean.reconstruction(), as_mask(np.arange(40)[None], 40), RESAMPLE)
    expected = clean.reconstruction()[np.roll(np.arange(30), 7)]
    torch.testing.assert_close(after[:, :, 0], expected, rtol=0, atol=1e-5)


def test_donors_agree_on_the_other_variables_and_are_of_the_same_session(run):  # noqa: F811
    trials = run.trials
    for kind in ("nearest", "agreeing", "differing"):
        found = donors_of(trials, trials, "direction", np.random.default_rng(0), kind)
        has = np.flatnonzero(found >= 0)
        assert len(has) > 10 and (found[has] != has).all()
        assert np.array_equal(trials.session_index[found[has]], trials.session_index[has])
        other, own = (trials.labels[t] for t in ("temporal_frequency", "direction"))
        agreeing = (other[found[has]] == other[has]).sum()
        assert agreeing >= len(has) - 1 if kind != "differing" else agreeing == 0
        if kind != "nearest":
            assert (own[found[has]] != own[has]).all()


def test_where_none_agrees_on_all_a_resampled_trial_takes_the_nearest_and_a_patched_one_none(run):  # noqa: F811
    alone = {task: label.copy() for task, label in run.trials.labels.items()}
    alone["temporal_frequency"][0] = 77
    trials = HookTrials(**{**run.trials.__dict__, "labels": alone})
    rng = np.random.default_rng(0)
    assert donors_of(trials, trials, "direction", rng)[0] >= 0
    assert donors_of(trials, trials, "direction", rng, "agreeing")[0] == -1

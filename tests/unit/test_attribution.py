"""Laws of tracing units back to cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.poyo_plus_options import PoyoPlusOptions
from glassbox.decoders.train import CohortName, train_cohort
from glassbox.dictionaries.architectures import AUTOENCODERS
from glassbox.dictionaries.topk import TopKDictionary
from glassbox.errors import UserError
from glassbox.interventions import integrated
from glassbox.interventions.attribution import most_selective
from glassbox.interventions.attribution_options import AttributionOptions
from glassbox.interventions.deletion import deleter_of, deletions, variance_of_cells
from glassbox.interventions.integrated import attributions, path, pulls
from glassbox.interventions.ranking import Candidates
from glassbox.options import options_from
from tiny_trials import OPTIONS, tiny_cohort

SIZES = PoyoPlusOptions(
    context_s=0.5,
    latent_step_s=0.25,
    latents_per_step=2,
    dim=16,
    head_dim=8,
    depth=1,
    cross_heads=2,
    self_heads=2,
)
KINDS = {
    "identity_keyed": replace(OPTIONS, epochs=2, folds=(0,)),
    "poyo_plus": replace(OPTIONS, epochs=2, folds=(0,), decoder="poyo_plus", poyo_plus=SIZES),
}


@pytest.fixture(scope="module", params=list(KINDS))
def traced(request, tmp_path_factory):
    """A decoder, windows of its session that go beyond the clip, their latents, a dictionary."""
    folder = tmp_path_factory.mktemp(request.param)
    cohort = tiny_cohort()
    train_cohort(CohortName("m", "mouse"), cohort, KINDS[request.param], folder, None)
    decoder = FittedDecoder.load(folder, 0, 0)
    windows = torch.from_numpy(3 * cohort.body[0].windows)
    return decoder, windows, *with_dictionary(decoder.latents("a", windows))


def with_dictionary(latents: torch.Tensor):
    generator = torch.Generator().manual_seed(0)
    latents = latents.clone()  # out of inference mode
    dictionary = TopKDictionary(latents.shape[2], 24, k=6)
    dictionary.initialise(latents.flatten(0, 1), generator)
    return latents, dictionary.requires_grad_(False)


def pairs(latents, dictionary, n=12):
    """The strongest pairs of trial and unit, one of each unit."""
    z = dictionary.encode(latents).mean(1)
    unit = z.max(0).values.topk(n).indices
    return z[:, unit].argmax(0), unit


def test_the_parts_of_all_cells_add_up_to_the_difference_from_the_cells_means(traced):
    decoder, windows, latents, dictionary = traced
    trial, unit = pairs(latents, dictionary)
    pull = pulls(dictionary, latents[trial], unit)
    parts = attributions(decoder, "a", windows, trial, pull, 24)
    assert parts.shape == (12, 6)
    means = decoder.model.scaling("a").mean.expand(1, -1, windows.shape[2])
    start = decoder.latents("a", means)
    # With the choice of units held, this is the activation less what is left of it at the means.
    difference = (pull * (latents[trial] - start)).sum((1, 2))
    assert difference.abs().min() > 1e-3
    torch.testing.assert_close(parts.sum(1), difference, rtol=1e-3, atol=1e-4)


def test_a_cell_at_its_mean_has_no_part(traced):
    decoder, windows, latents, dictionary = traced
    trial, unit = pairs(latents, dictionary)
    windows = windows.clone()
    windows[:, 3] = decoder.model.scaling("a").mean[3]
    pull = pulls(dictionary, latents[trial], unit)
    parts = attributions(decoder, "a", windows, trial, pull, 3)
    assert parts[:, 3].abs().max() < 1e-5
    assert parts[:, :3].abs().max() > 1e-3


def test_the_way_behind_the_linear_encoder_is_the_way_through_the_whole_decoder(traced):
    decoder, windows, latents, dictionary = traced
    if decoder.options.decoder != "identity_keyed":
        pytest.skip("the encoder of this decoder is not linear")
    trial, unit = pairs(latents, dictionary)
    given = windows, trial, pulls(dictionary, latents[trial], unit), 4
    short = integrated.attributions(decoder, "a", *given)
    long = integrated._through_decoder(decoder, "a", *given)
    torch.testing.assert_close(short, long, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("architecture", list(AUTOENCODERS))
def test_a_pull_is_the_change_of_the_units_mean_over_latents(architecture):
    generator = torch.Generator().manual_seed(1)
    latents = torch.randn(40, 5, 8, generator=generator, dtype=torch.float64)
    dictionary = AUTOENCODERS[architecture](8, 24, k=4).double()
    dictionary.initialise(latents.flatten(0, 1), generator)
    dictionary.requires_grad_(False)
    z = dictionary.encode(latents).mean(1)
    unit = z.max(0).values.topk(10).indices
    trial = z[:, unit].argmax(0)
    pull = pulls(dictionary, latents[trial], unit)
    step = 1e-6 * torch.randn(10, 5, 8, generator=generator, dtype=torch.float64)
    after = dictionary.encode(latents[trial] + step).mean(1)
    before = dictionary.encode(latents[trial]).mean(1)
    changed = (after - before).gather(1, unit[:, None])[:, 0]
    torch.testing.assert_close((pull * step).sum((1, 2)), changed, rtol=1e-4, atol=1e-12)
    assert changed.abs().max() > 1e-8


def test_the_quadrature_is_exact_for_polynomials_of_twice_its_nodes():
    total = sum(weight * place**5 for place, weight in path(3))
    assert total == pytest.approx(1 / 6)
    assert all(0 < place < 1 for place, _ in path(4)), "at the ends a clipped value has no gradient"


def test_deleted_cells_are_at_their_means_and_controls_are_others_of_the_same_variance(traced):
    decoder, windows, latents, dictionary = traced
    (trial,), (unit,) = (x[:1].tolist() for x in pairs(latents, dictionary))
    given = windows[trial : trial + 3].numpy()
    variance = np.ones(6)
    ranked = np.array([4, 1, 0, 2, 3, 5])
    rng = np.random.default_rng(0)
    args = deleter_of(decoder, "a"), dictionary, given, unit, ranked
    one, two = deletions(*args, (1, 2, 8), variance, 5, rng)
    assert (one.n_cells, two.n_cells) == (1, 2), "never more than half of the cells"
    without = given.copy()
    without[:, [4, 1]] = decoder.model.scaling("a").mean[[4, 1]].numpy()
    z = dictionary.encode(decoder.latents("a", without))[..., unit]
    before = dictionary.encode(decoder.latents("a", given))[..., unit]
    assert two.activation == pytest.approx(before.mean().item(), rel=1e-4)
    assert two.drop == pytest.approx((before.mean() - z.mean()).item(), abs=1e-5)
    assert len(one.controls) == 5
    assert one.p == pytest.approx((1 + (one.controls >= one.drop).sum()) / 6)
    variance[4] = 100.0
    (alone,) = deletions(*args, (1,), variance, 5, rng)
    assert len(alone.controls) == 0
    assert np.isnan(alone.p), "no match, not a looser one"


def test_the_variance_of_cells_is_that_of_their_scaled_means_over_windows(traced):
    decoder, windows, _, _ = traced
    scaling = decoder.model.scaling("a")
    scaled = ((windows - scaling.mean) / scaling.deviation).clamp(*scaling.clip)
    expected = scaled.mean(2).double().var(0).numpy()
    assert variance_of_cells(decoder, "a", windows.numpy()) == pytest.approx(expected, rel=1e-5)


def test_the_units_that_are_checked_are_those_that_a_variable_explains_best():
    candidates = Candidates(
        {"direction": np.array([3, 5, 9]), "phase": np.array([], dtype=int)},
        {"direction": np.array([0.1, 0.4, 0.2]), "phase": np.array([])},
    )
    assert most_selective(candidates, 2) == [("direction", 5, 0.4), ("direction", 9, 0.2)]


def test_options_that_cannot_be_are_refused_in_a_sentence():
    with pytest.raises(UserError, match=r"attribution\.deleted: expected a list of numbers"):
        options_from(AttributionOptions, {"deleted": [1, 1]}, "attribution")
    with pytest.raises(UserError, match=r"attribution\.sets: expected at least 1; found 0"):
        options_from(AttributionOptions, {"sets": 0}, "attribution")

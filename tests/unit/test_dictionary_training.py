"""Laws of learning a dictionary, on planted atoms."""

from __future__ import annotations

import pytest
import torch
from glassbox.dictionaries.dictionary import FIRED
from glassbox.dictionaries.metrics import Reconstruction, loss_recovered, reconstruct
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.dictionaries.topk import TopKDictionary
from glassbox.dictionaries.train import train_dictionary
from glassbox.dictionaries.training import MOST_DEAD_WINDOW, dead_window, learning_rate_at
from glassbox.errors import UserError
from glassbox.options import options_from
from torch.nn.functional import normalize

SMALL = DictionaryOptions(width=48, k=4, samples=400_000, batch=256, k_aux=16, learning_rate=5e-3)


def planted(n, atoms=32, dim=24, active=3, seed=0):
    """Sums of a few of `atoms` directions in `dim` dimensions, off the origin."""
    generator = torch.Generator().manual_seed(seed)
    directions = normalize(
        torch.randn(atoms, dim, generator=torch.Generator().manual_seed(9)), dim=1
    )
    present = torch.rand(n, atoms, generator=generator) < active / atoms
    size = 0.5 + torch.rand(n, atoms, generator=generator)
    return 5 * (present * size) @ directions + 2.0, directions


@pytest.fixture(scope="module")
def learned():
    x, directions = planted(6000)
    y, _ = planted(2000, seed=1)
    return train_dictionary(x, y, SMALL, seed=0), x, y, directions


def test_planted_atoms_are_found(learned):
    trained, _, _, directions = learned
    cosine = directions @ normalize(trained.dictionary.W_dec, dim=1).T
    assert float(cosine.max(1).values.mean()) > 0.95


def test_the_folded_dictionary_takes_raw_activations(learned):
    trained, _, y, _ = learned
    assert reconstruct(trained.dictionary, y).explained_variance == pytest.approx(
        trained.explained_variance, abs=1e-4
    )


def test_folded_rows_all_have_the_norm_of_the_input_scale(learned):
    lengths = learned[0].dictionary.W_dec.norm(dim=1)
    torch.testing.assert_close(lengths, lengths[:1].expand_as(lengths))


def test_the_same_seed_gives_the_same_bits():
    x, _ = planted(1000)
    short = DictionaryOptions(width=32, k=3, samples=20_000, batch=256)
    first = train_dictionary(x, x[:200], short, seed=3).dictionary.state_dict()
    again = train_dictionary(x, x[:200], short, seed=3).dictionary.state_dict()
    other = train_dictionary(x, x[:200], short, seed=4).dictionary.state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["W_enc"], other["W_enc"])


def test_the_kept_weights_are_the_best_of_the_curve(learned):
    trained = learned[0]
    assert trained.explained_variance == max(value for _, value in trained.curve)


def test_auxk_turns_a_dead_unit_towards_what_the_others_leave_over_until_it_fires():
    generator = torch.Generator().manual_seed(0)
    atoms = torch.eye(4, 8)
    x = torch.rand(400, 4, generator=generator) @ atoms  # four atoms, three units alive
    revived = {}
    for weight in (0.0, 1 / 32):
        dictionary = TopKDictionary(8, 4, k=4, aux_weight=weight)
        with torch.no_grad():
            dictionary.W_dec.copy_(atoms)
            dictionary.W_dec[3] = normalize(torch.ones(8), dim=0)
            dictionary.W_enc.copy_(dictionary.W_dec)
            dictionary.b_enc[3] = -2  # no input lifts it above 0: at most 4 / √8 comes to it
        optimiser = torch.optim.Adam(dictionary.parameters(), lr=0.02)
        dead = torch.tensor([False, False, False, True])
        for _ in range(600):
            optimiser.zero_grad()
            dictionary.loss(x, dead).total.backward()
            for weights in dictionary.parameters():  # the others stay as they are
                weights.grad[: 3 if len(weights) == 4 else 8] = 0
            dictionary.remove_parallel_gradient()
            optimiser.step()
            dictionary.normalise_rows()
        fires = bool((dictionary.encode(x)[:, 3] > FIRED).any())
        revived[weight] = fires, float(dictionary.W_dec[3].detach() @ atoms[3])
    assert revived[0.0] == (False, pytest.approx(8**-0.5))
    assert revived[1 / 32][0] and revived[1 / 32][1] > 0.99


def test_the_dead_window_fits_the_data():
    options = DictionaryOptions(dead_epochs=1.5)
    assert dead_window(6000, options) == 9000
    assert dead_window(10**9, options) == MOST_DEAD_WINDOW


def test_the_learning_rate_rises_and_falls():
    options = DictionaryOptions(learning_rate=1.0, warm_up=0.1, decay=0.5)
    assert learning_rate_at(0.05, options) == pytest.approx(0.5)
    assert learning_rate_at(0.3, options) == 1.0
    assert learning_rate_at(0.75, options) == pytest.approx(0.5)
    assert learning_rate_at(1.0, options) == 0.0


def test_explained_variance_does_not_depend_on_how_samples_fall_into_blocks(learned):
    trained, x, _, _ = learned
    whole, parts = Reconstruction(), Reconstruction()
    z = trained.dictionary.encode(x)
    made = trained.dictionary.decode(z)
    whole.add(x, made, z)
    order = x.norm(dim=1).argsort()  # blocks of unlike variance
    for block in order.split(700):
        parts.add(x[block], made[block], z[block])
    assert parts.fvu == pytest.approx(whole.fvu, rel=1e-9)
    assert parts.dead_fraction == whole.dead_fraction
    wide = x.double()
    direct = (wide - made.double()).square().sum() / (wide - wide.mean(0)).square().sum()
    assert whole.fvu == pytest.approx(float(direct), rel=1e-9)


def test_explained_variance_survives_a_large_offset():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(5000, 4, generator=generator) + 300
    pooled = Reconstruction()
    for part in x.split(1000):
        pooled.add(part, part + 0.5, part)
    assert pooled.fvu == pytest.approx(0.25, rel=0.05)


def test_loss_recovered_is_one_for_no_cost_and_zero_for_as_bad_as_zero():
    assert loss_recovered(clean=0.5, spliced=0.5, ablated=2.0) == 1
    assert loss_recovered(clean=0.5, spliced=2.0, ablated=2.0) == 0


def test_a_width_below_twice_k_is_told_in_a_sentence():
    with pytest.raises(UserError, match=r"dictionaries.width: expected .* 2 × k = 32; found 20"):
        options_from(DictionaryOptions, {"width": 20, "k": 16}, "dictionaries")


@pytest.mark.parametrize("length", [0.5, 1.0, 1.25])
def test_shrinkage_is_what_reconstructions_are_short_of_about_the_mean(length):
    x = torch.randn(3000, 5, generator=torch.Generator().manual_seed(0)) + 20
    pooled = Reconstruction()
    for part in x.split(700):
        pooled.add(part, x.mean(0) + length * (part - x.mean(0)), part)
    assert pooled.shrinkage == pytest.approx(1 - length, abs=1e-3)


def test_a_priced_architecture_keeps_no_weights_of_its_first_half():
    x, _ = planted(1000)
    options = DictionaryOptions(
        architecture="relu", width=32, k=3, samples=20_000, batch=250, patience=100
    )
    assert train_dictionary(x, x[:200], options, seed=0).epochs >= 10

"""Laws of taking away components of other bases in the place of a dictionary's units."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from glassbox.dictionaries import baselines
from glassbox.dictionaries.activations import HookTrials
from glassbox.dictionaries.topk import TopKDictionary
from glassbox.interventions.ablation import CleanPass, ablated, as_mask
from glassbox.interventions.bases import UNITS, choose_components, components_taken_away
from glassbox.interventions.mediators import mediator_rows
from glassbox.interventions.options import Base, InterventionOptions
from glassbox.interventions.runs import Run
from glassbox.statistics import bootstrap_weights
from glassbox.tensors.splits import SELECTION, TEST
from glassbox.units.options import UnitOptions

N, LATENTS, DIM = 900, 2, 12
TASKS = {"direction": 4, "temporal_frequency": 4}
UNIT_OPTIONS = UnitOptions(permutations=199)
SIGNS = torch.tensor([[-1, -1], [-1, 1], [1, -1], [1, 1]])  # of the two sources of a task, by class
EVERY = tuple(Base.__args__)


class Readout:
    """Two sources of a task, read back from the mean latent, say by their signs which class."""

    tasks = tuple(TASKS)

    def __init__(self, mixing):
        self.inverse = torch.linalg.pinv(mixing)

    def __call__(self, latents, sessions=None, beside=None):
        sources = 4 * latents.mean(1) @ self.inverse
        signs = SIGNS.T.float()
        return {
            "direction": sources[..., :2] @ signs,
            "temporal_frequency": sources[..., 2:4] @ signs,
        }


@pytest.fixture(scope="module")
def planted():
    """Twelve independent sources along directions that are not orthogonal: two of each task, and
    eight that stand for nothing."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(DIM, DIM)) + 0.8 * rng.normal(size=DIM)
    mixing /= np.linalg.norm(mixing, axis=1, keepdims=True)
    labels = {task: rng.integers(n, size=N) for task, n in TASKS.items()}
    sources = rng.laplace(scale=0.15, size=(N, LATENTS, DIM))
    sources[..., 4:] *= 8
    for first, label in zip((0, 2), labels.values(), strict=True):
        sources[..., first : first + 2] += SIGNS.numpy()[label][:, None]
    mixing = torch.from_numpy(mixing).float()
    latents = torch.from_numpy(sources).float() @ mixing
    trials = HookTrials(
        latents,
        np.repeat([0, 1, 2], N // 3).astype(np.int8),
        np.zeros(N, dtype=np.int32),
        np.arange(N),
        np.zeros(N, dtype=np.int32),
        np.zeros(N, dtype=bool),
        labels,
        ("a",),
    )
    return SimpleNamespace(trials=trials, mixing=mixing)


@pytest.fixture(scope="module")
def run(planted):
    dictionary = TopKDictionary(DIM, 32, k=4)
    dictionary.initialise(planted.trials.latents.flatten(0, 1), torch.Generator().manual_seed(0))
    dictionary.requires_grad_(False)
    z = dictionary.encode(planted.trials.latents)
    return Run(
        0,
        0,
        planted.trials,
        dictionary,
        Readout(planted.mixing),
        z.square().mean((0, 1)).numpy().astype(float),
        (z > 1e-3).double().mean((0, 1)).numpy(),
        z.mean(0),
        z.mean(1).numpy(),
    )


@pytest.fixture(scope="module")
def chosen(run):
    target = {task: np.arange(4) for task in TASKS}
    options = InterventionOptions(baseline_samples=1200)
    return choose_components(run, target, options, UNIT_OPTIONS)


@pytest.fixture(scope="module")
def rows(run, chosen):
    doses = {name: {task: (1, 2) for task in TASKS} for name in ("units", "pca", "ica", "raw")}
    some = {name: chosen[name] for name in doses}
    for name, basis in some.items():
        doses[name] = {task: [n for n in (1, 2) if n <= len(basis.order[task])] for task in TASKS}
    lost = components_taken_away(some, run.trials.in_part(TEST), doses, 6, 0)
    weights = bootstrap_weights(N // 3, 0, 200)
    return list(mediator_rows({"seed": 0}, [lost], weights))


def one_row(rows, mediator, variable, measured=None, n=2, metric="accuracy"):
    wanted = mediator, variable, measured or variable, n, metric
    names = "mediator selected_for measured_on n_parts metric".split()
    return next(row for row in rows if tuple(row[name] for name in names) == wanted)


@pytest.fixture(scope="module")
def x(planted):
    return planted.trials.latents


@pytest.mark.parametrize("name", ["pca", "raw"])
def test_splicing_an_orthogonal_basis_without_all_its_components_leaves_the_mean(x, name):
    basis = getattr(baselines, name)(x.flatten(0, 1), DIM)
    clean = CleanPass.of(basis, x, torch.zeros(LATENTS, DIM))
    after = ablated(clean, clean.reconstruction(), as_mask([np.arange(DIM)], DIM), "zero")
    mean = x.flatten(0, 1).mean(0)
    torch.testing.assert_close(after[:, :, 0], mean.expand_as(x), atol=1e-4, rtol=0)


def test_taking_a_principal_component_away_projects_it_out(x):
    basis = baselines.pca(x.flatten(0, 1), DIM)
    clean = CleanPass.of(basis, x, torch.zeros(LATENTS, DIM))
    after = ablated(clean, x, as_mask([np.array([3])], DIM), "zero")[:, :, 0]
    row, centre = basis.W_dec[3], basis.b_dec
    expected = x - ((x - centre) @ row)[..., None] * row
    torch.testing.assert_close(after, expected, atol=1e-4, rtol=0)


def test_spliced_and_error_preserving_agree_where_a_basis_loses_nothing(x):
    basis = baselines.ica(x.flatten(0, 1), DIM, 0)
    clean = CleanPass.of(basis, x, torch.zeros(LATENTS, DIM))
    mask = as_mask([np.array([1, 5])], DIM)
    spliced = ablated(clean, clean.reconstruction(), mask, "zero")
    torch.testing.assert_close(spliced, ablated(clean, x, mask, "zero"), atol=1e-3, rtol=0)


def test_every_basis_is_fitted_and_its_components_are_chosen(chosen, run):
    assert set(chosen) == {UNITS, *EVERY}
    for name, basis in chosen.items():
        for task in TASKS:
            order = basis.order[task]
            assert len(set(order.tolist())) == len(order)
            assert basis.run.alive[order].all(), name
    assert chosen["random"].run.dictionary.width == run.dictionary.width


def test_components_are_chosen_on_selection_trials_alone(run, chosen):
    labels = {task: label.copy() for task, label in run.trials.labels.items()}
    latents = run.trials.latents.clone()
    test = run.trials.part == TEST
    latents[test] = 0
    for label in labels.values():
        label[test] = 0
    blind = HookTrials(**{**run.trials.__dict__, "latents": latents, "labels": labels})
    options = InterventionOptions(baseline_samples=1200, baselines=("pca", "ica"))
    again = choose_components(
        Run(**{**run.__dict__, "trials": blind}), chosen[UNITS].order, options, UNIT_OPTIONS
    )
    for name in options.baselines:
        for task in TASKS:
            np.testing.assert_array_equal(again[name].order[task], chosen[name].order[task])


def test_the_basis_that_holds_a_variable_apart_costs_it_alone(rows):
    right = one_row(rows, "ica", "direction")
    assert right["baseline"] > 0.95 and right["drop"] > 0.5
    assert abs(one_row(rows, "ica", "direction", "temporal_frequency")["drop"]) < 0.1
    for mediator in ("pca", "raw"):
        wrong = one_row(rows, mediator, "direction")
        assert right["selectivity_low"] > wrong["selectivity_high"], mediator


def test_selectivity_is_the_drop_less_the_other_variables(rows):
    for row in rows:
        if row["selected_for"] != row["measured_on"]:
            assert "selectivity" not in row
            continue
        (other,) = set(TASKS) - {row["measured_on"]}
        where = row["mediator"], row["selected_for"], other, row["n_parts"], row["metric"]
        spared = one_row(rows, *where)["drop"]
        assert row["selectivity"] == pytest.approx(row["drop"] - spared, abs=1e-6)
        assert row["selectivity_low"] <= row["selectivity"] <= row["selectivity_high"]


def test_the_share_of_variance_is_that_of_what_is_taken_away(run, chosen, rows):
    test, selection = run.trials.in_part(TEST), run.trials.in_part(SELECTION)
    basis = chosen["pca"]
    components = basis.order["direction"][:2]
    z = basis.run.dictionary.encode(test.latents)[..., components]
    spread = test.latents - selection.latents.mean((0, 1))
    expected = float(z.square().sum() / spread.square().sum())
    found = one_row(rows, "pca", "direction")["variance_share"]
    assert found == pytest.approx(expected, rel=1e-4)


def test_random_sets_are_as_large_and_stand_beside_every_number(rows):
    for row in rows:
        assert row["n_controls"] == 6 and 1 / 7 <= row["p"] <= 1
        assert row["available"] == (DIM if row["mediator"] in ("pca", "ica", "raw") else 32)


def test_where_nothing_is_selective_no_component_is_taken_away(run, chosen):
    doses = {name: {task: () for task in TASKS} for name in chosen}
    lost = components_taken_away(chosen, run.trials.in_part(TEST), doses, 6, 0)
    assert not lost.drop
    assert not list(mediator_rows({"seed": 0}, [lost], bootstrap_weights(N // 3, 0, 200)))


def test_without_a_basis_that_is_wanted_there_are_the_units_alone(run):
    options = InterventionOptions(baselines=())
    target = {task: np.arange(4) for task in TASKS}
    assert set(choose_components(run, target, options, UNIT_OPTIONS)) == {UNITS}

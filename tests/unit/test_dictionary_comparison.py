"""Laws of comparing dictionaries on one decoder's activations, and of the rule that picks one."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from glassbox.dictionaries.activations import HookTrials
from glassbox.dictionaries.comparison import compared
from glassbox.dictionaries.comparison_options import ComparisonOptions
from glassbox.dictionaries.operating_point import operating_point
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.dictionaries.splice_cost import splice_cost
from glassbox.dictionaries.stream import Stream
from glassbox.errors import UserError
from glassbox.options import options_from
from glassbox.tables import COLUMNS
from planted import plant

FEW = ComparisonOptions(
    architectures=("topk", "relu"), widths=(24,), ks=(3, 6), seeds=(0, 1), baseline_samples=200
)


@pytest.fixture(scope="module")
def rows():
    latents = plant("superposition", 480, atoms=16, dim=8, active=2).x.view(120, 4, 8)
    weight = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))

    def readout(x):
        return {"direction": x.mean(1) @ weight}

    labels = {"direction": readout(latents)["direction"].argmax(1).numpy()}
    part = np.repeat([0, 1, 2], [80, 20, 20]).astype(np.int8)
    nothing = np.zeros(120, np.int32)
    trials = HookTrials(latents, part, nothing, np.arange(120), nothing, nothing > 0, labels)
    options = DictionaryOptions(samples=8000, batch=80, compare=FEW)
    read = {"selection": readout, "test": partial(readout)}
    return list(compared(Stream(latents[:80].flatten(0, 1), 320), trials, read, options))


def test_every_dictionary_and_baseline_is_measured_on_both_parts(rows):
    names = {(r["dictionary"], r["width"], r["k"], r["dictionary_seed"], r["part"]) for r in rows}
    assert len(names) == len(rows)
    trained = [r for r in rows if r["dictionary"] in FEW.architectures]
    assert len(trained) == 2 * 1 * 2 * 2 * 2
    assert {r["dictionary"] for r in rows} - set(FEW.architectures) == set(
        "pca pca_leading ica raw nmf semi_nmf random difference_in_means random_decoder".split()
    )
    columns = set(COLUMNS["comparison"])
    assert all(set(r) <= columns and np.isfinite(r["explained_variance"]) for r in rows)


def test_seeds_are_compared_with_the_first_beside_what_chance_would_give(rows):
    for row in rows:
        if row["dictionary"] in FEW.architectures and row["dictionary_seed"] == 1:
            assert 0 < row["agreement"] < 1 and 0 < row["agreement_chance"] < 1
            assert row["agreement_activations"] > row["agreement_activations_chance"] > 0
        else:
            assert row["agreement"] is None and "agreement_activations" not in row


def test_components_explain_as_much_as_is_expected_and_random_rows_are_no_zero(rows):
    by = {(r["dictionary"], r["k"], r["part"], r["dictionary_seed"]): r for r in rows}
    leading = by["pca_leading", 3, "test", 0]["explained_variance"]
    assert by["pca", 3, "test", 0]["explained_variance"] > leading > 0.2
    assert by["random", 6, "test", 0]["explained_variance"] > 0.5


def row(
    name="topk", width=128, k=8, part="selection", ev=0.9, cost=0.01, dead=0.0, error=0.02, l0=0.0
):
    return {
        "dictionary": name,
        "width": width,
        "k": k,
        "part": part,
        "explained_variance": ev,
        "log_probability_change": -cost,
        "log_probability_se": error,
        "dead_fraction": dead,
        "l0": l0 or k,
    }


BASELINE = [row("pca_leading", k, k, ev=0.5 + k / 100) for k in (8, 16, 32)]
KNOWN = ("topk", "relu")


def test_the_smallest_k_and_then_the_smallest_width_that_do_well_are_picked():
    rows = [*BASELINE, row(k=16), row(width=512), row(width=256), row(k=32, ev=0.99)]
    assert operating_point(rows, KNOWN) == ("topk", 256, 8)


@pytest.mark.parametrize("fault", [{"ev": 0.55}, {"cost": 0.031}, {"dead": 0.2}, {"l0": 9}])
def test_one_that_fails_in_any_way_is_not_picked(fault):
    assert operating_point([*BASELINE, row(**fault), row(k=32)], KNOWN) == ("topk", 128, 32)


def test_test_rows_are_never_looked_at():
    rows = [*BASELINE, row(k=16), row(cost=0.5)]
    test = [row(part="test"), row(k=16, part="test", cost=0.9)]
    assert operating_point(rows + test, KNOWN) == operating_point(rows, KNOWN)


def test_where_none_does_well_the_best_is_picked():
    rows = [
        *BASELINE,
        row(cost=0.5, dead=0.2),
        row("relu", cost=0.3, dead=0.2),
        row("random", cost=0.1),
    ]
    assert operating_point(rows, KNOWN) == ("relu", 128, 8)
    assert operating_point(BASELINE, KNOWN) is None


def test_a_seed_that_stands_alone_does_not_decide():
    rows = [*BASELINE, row(cost=0.0), row(cost=0.1), row(k=16)]
    assert operating_point(rows, KNOWN) == ("topk", 128, 16)


def test_what_is_within_one_standard_error_of_the_best_is_as_good():
    best = row(k=32, cost=0.0, error=0.05)
    assert operating_point([*BASELINE, row(cost=0.049, error=0.0), best], KNOWN)[2] == 8
    assert operating_point([*BASELINE, row(cost=0.051, error=9.0), best], KNOWN)[2] == 32


def scores_of(clean, spliced):
    """One metric for both; tasks by name, (trials,)."""
    return {
        (condition, task, metric): np.array(values, float)
        for condition, tasks in (("clean", clean), ("spliced", spliced))
        for task, values in tasks.items()
        for metric in ("accuracy", "log_probability")
    }


def test_a_splice_that_changes_nothing_costs_nothing():
    tasks = {"direction": [0.2, 0.9, 1.0]}
    cost = splice_cost(scores_of(tasks, tasks))
    assert cost["accuracy_change"] == cost["log_probability_change"] == 0
    assert cost["log_probability_se"] == pytest.approx(np.std([0.2, 0.9, 1], ddof=1) / 3**0.5)


def test_a_trial_counts_once_whatever_tasks_it_has_a_label_of():
    clean = {"direction": [1, 1, np.nan], "temporal_frequency": [1, np.nan, np.nan]}
    spliced = {"direction": [0, 1, np.nan], "temporal_frequency": [1, np.nan, np.nan]}
    assert splice_cost(scores_of(clean, spliced))["accuracy_change"] == pytest.approx(-0.25)


def test_without_a_label_no_cost_is_known():
    nothing = {"direction": [np.nan, np.nan]}
    assert all(np.isnan(value) for value in splice_cost(scores_of(nothing, nothing)).values())


def test_widths_too_small_for_the_largest_k_are_told_in_a_sentence():
    with pytest.raises(UserError, match=r"dictionaries.compare.widths: expected .* = 64 units"):
        options_from(
            DictionaryOptions, {"compare": {"widths": [48], "ks": [8, 32]}}, "dictionaries"
        )

"""Laws of the stage: every architecture and baseline goes from options to files."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from glassbox.dictionaries import comparison, stage
from glassbox.dictionaries.architectures import AUTOENCODERS, load_dictionary
from glassbox.dictionaries.comparison_options import Architecture, Baseline, ComparisonOptions
from glassbox.dictionaries.fine_tune_options import FineTuneOptions
from glassbox.dictionaries.options import DictionaryOptions
from tiny_trials import decoded_sessions, trained_decoders

FEW = DictionaryOptions(
    width=24, k=2, samples=2000, batch=100, copies=2, checks=4, noise_draws=1, resamples=20
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return trained_decoders(tmp_path_factory.mktemp("trained"), epochs=5, patience=5)


@pytest.fixture(autouse=True)
def sessions(monkeypatch):
    opened = decoded_sessions()
    for module in (stage, comparison):
        monkeypatch.setattr(module, "open_sessions", lambda *_, **__: opened)


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_the_architectures_of_the_options_are_those_of_the_library():
    assert set(get_args(Architecture)) == set(AUTOENCODERS)


@pytest.mark.parametrize("hook", ["latents", "block0.mlp", "queries"])
@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_every_architecture_is_trained_measured_and_read_back(folder, tmp_path, architecture, hook):
    tune = FineTuneOptions(samples=400, batch_trials=16)
    options = replace(FEW, architecture=architecture, hook=hook, fine_tune=tune)
    stage.train_dictionaries(folder, [], tmp_path, options)
    assert json.loads((tmp_path / "dictionary.json").read_text())["dictionary"] == architecture
    made = load_dictionary(tmp_path / f"{architecture}-seed0-fold0.safetensors")
    assert (made.architecture, made.width, made.k) == (architecture, 24, 2)
    (row,) = rows_of(tmp_path / "dictionaries.csv")
    assert (row["dictionary"], row["hook"], row["width"], row["k"]) == (
        architecture,
        hook,
        "24",
        "2",
    )
    for column in ("explained_variance", "l0", "dead_fraction", "shrinkage", "coherence"):
        assert math.isfinite(float(row[column])), column
    activations = np.load(tmp_path / "activations-seed0-fold0.npz")
    assert activations["unit_activation"].shape[1] == 24
    assert (activations["unit_activation"] >= 0).all()


@pytest.mark.slow
def test_every_architecture_and_baseline_is_compared_with_more_units_active_than_dimensions(
    folder, tmp_path
):
    dim = stage.FittedDecoder.load(folder, 0, 0).options.dim
    wanted = ComparisonOptions(widths=(3 * dim,), ks=(2, dim + 1), seeds=(0,), baseline_samples=100)
    comparison.compare_dictionaries(folder, [], tmp_path, replace(FEW, compare=wanted))
    rows = rows_of(tmp_path / "comparison.csv")
    names = {(row["dictionary"], row["k"]) for row in rows}
    for name in (*get_args(Architecture), *get_args(Baseline)):
        assert (name, "2") in names, name
        assert (name, f"{dim + 1}") in names or name == "difference_in_means", name
    assert (
        json.loads((tmp_path / "operating_point.json").read_text())["architecture"] in AUTOENCODERS
    )
    assert torch.isfinite(torch.tensor([float(row["explained_variance"]) for row in rows])).all()

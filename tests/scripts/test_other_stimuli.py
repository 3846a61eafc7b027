"""Units of a decoder of several stimuli, measured on each variable's own trials."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from glassbox.decoders.fitted import FittedDecoder
from glassbox.dictionaries.activations import hook_trials, open_sessions
from glassbox.dictionaries.architectures import load_dictionary
from glassbox.tables import read_rows
from glassbox.units.activations import DictionaryFolder
from test_any_hook import DICTIONARY, UNITS, call

TASKS = ["direction", "orientation", "spatial_frequency", "phase", "scene", "running_speed"]
OTHERS = {"static_gratings": set(TASKS[1:4]), "natural_scenes": {"scene"}}
SIMULATE = {
    "session_types": ["three_session_A", "three_session_B"],
    "cells_min": 8,
    "cells_max": 10,
    "trials": 210,
    "static_presentations": 1000,
    "scene_presentations": 1190,
}
DECODER = {
    "tasks": TASKS,
    "share_units": True,
    "dim": 16,
    "latents": 4,
    "heads": 2,
    "value_dim": 8,
    "epochs": 3,
    "min_cells": 6,
    "folds": [0],
    "seeds": [0],
}
SESSIONS = ("sim-Cux2-01", "sim-Cux2-01-B")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One mouse in two sessions: its tensors, decoder, dictionary and units."""
    folder, tensors = tmp_path_factory.mktemp("others"), []
    for session in SESSIONS:
        nwb, tensor = folder / f"{session}.nwb", folder / f"{session}.zarr"
        call("simulate_session", "--session", session, "--options", json.dumps(SIMULATE),
             "--out", nwb, "--truth", folder / f"{session}.npz")  # fmt: skip
        call("convert_session", "--nwb", nwb, "--out", tensor,
             "--manifest", tensor.with_suffix(".json"))  # fmt: skip
        tensors.append(tensor)
    decoder, dictionary, units = (folder / name for name in ("decoder", "dictionary", "units"))
    call("train_decoder", "--tensors", *tensors, "--cohort", "mouse-M01", "--level", "mouse",
         "--options", json.dumps(DECODER), "--out", decoder)  # fmt: skip
    call("train_dictionary", "--decoder", decoder, "--tensors", *tensors, "--out", dictionary,
         "--hook", "latents", "--options", json.dumps(DICTIONARY))  # fmt: skip
    call("measure_units", "--cohort", "mouse-M01", "--level", "mouse", "--dictionary", dictionary,
         "--out", units, "--options", json.dumps(UNITS))  # fmt: skip
    return decoder, dictionary, units, tensors


def test_each_variable_is_measured_on_the_trials_of_its_own_stimulus(made):
    _, dictionary, units, _ = made
    folder = DictionaryFolder.open(dictionary)
    assert {name: set(other.classes) for name, other in folder.others.items()} == OTHERS
    alive = folder.selection(0, 0).alive()
    variables = Counter(row["variable"] for row in read_rows(units / "units.csv"))
    assert set(variables) == {*TASKS, "pupil_size"}  # orientation is that of static gratings, once
    assert set(variables.values()) == {len(alive)}
    conditions = {}
    for row in read_rows(units / "tuning.csv"):
        conditions.setdefault(row["variable"], set()).add(row["condition"])
    counts = {variable: len(found) for variable, found in conditions.items()}
    assert counts == {
        "direction": 8,
        "orientation": 6,
        "spatial_frequency": 5,
        "phase": 4,
        "scene": 118,
    }


def test_activations_of_another_stimulus_are_those_of_its_windows(made):
    decoder_folder, dictionary_folder, _, tensors = made
    decoder = FittedDecoder.load(decoder_folder, 0, 0).of_stimulus("static_gratings")
    sessions = open_sessions(decoder, tensors)
    assert [session.data.session for session in sessions] == ["sim-Cux2-01-B"]
    trials = hook_trials(decoder, sessions)
    dictionary = load_dictionary(next(dictionary_folder.glob("topk-*.safetensors")))
    with np.load(dictionary_folder / "activations-seed0-fold0.npz") as stored:
        for name in ("part", "block", "trial_index", "label_phase"):
            own = trials.labels["phase"] if name == "label_phase" else getattr(trials, name)
            np.testing.assert_array_equal(stored[f"static_gratings/{name}"], own)
        found = stored["static_gratings/unit_activation"]
    expected = dictionary.encode(trials.latents).mean(1).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_only_selection_trials_of_the_stimulus_say_what_is_selective(made):
    _, dictionary, _, _ = made
    folder = DictionaryFolder.open(dictionary).others["natural_scenes"]
    seen, unseen = folder.selection(0, 0), folder.unseen(0, 0)
    with np.load(Path(dictionary) / "activations-seed0-fold0.npz") as stored:
        part, label = (stored[f"natural_scenes/{name}"] for name in ("part", "label_scene"))
    assert len(seen.activation) == ((part == 1) & (label >= 0)).sum() > 0
    assert len(unseen.activation) == (np.isin(part, (1, 2)) & (label >= 0)).sum()

"""Laws of the rewriting test."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from glassbox.decoders.identity_keyed import IdentityKeyedDecoder
from glassbox.decoders.options import DecoderOptions
from glassbox.decoders.targets import targets_of
from glassbox.dictionaries.activations import HookTrials
from glassbox.dictionaries.topk import TopKDictionary
from glassbox.interventions.rewriting import rewriting_rows, rewriting_scores
from glassbox.interventions.suffix import Suffix
from glassbox.units.activations import DictionaryFolder
from glassbox.units.descriptions import Curve, describe

CLASSES = {"direction": 4, "temporal_frequency": 2}
CONDITIONS = "clean spliced trial_means condition_means descriptions shuffled mean_ablation".split()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A drawn decoder with a dictionary on trials of a session, and the dictionary's folder."""
    generator = torch.Generator().manual_seed(0)
    rng = np.random.default_rng(0)
    targets = targets_of(DecoderOptions(dim=16, latents=3, heads=2), tuple(CLASSES), CLASSES)
    model = IdentityKeyedDecoder(
        DecoderOptions(dim=16, latents=3, heads=2), {"s": np.arange(4)}, targets
    )
    model.draw(0)
    n = 90
    labels = {task: rng.integers(classes, size=n) for task, classes in CLASSES.items()}
    labels["direction"][-1] = -1
    centres = torch.randn(4, 3, 16, generator=generator)
    latents = centres[labels["direction"]] + 0.3 * torch.randn(n, 3, 16, generator=generator)
    dictionary = TopKDictionary(16, 20, k=4)
    dictionary.initialise(latents.flatten(0, 1), generator)
    dictionary.requires_grad_(False)
    part = np.repeat([0, 1, 2], 30).astype(np.int8)
    z = dictionary.encode(latents)
    folder = tmp_path_factory.mktemp("dictionary")
    about = {
        "hook": "latents",
        "dictionary": "topk",
        "sessions": [{"session": "s", "mouse": "m", "cre_line": "Cux2"}],
        "classes": {"direction": [0, 90, 180, 270], "temporal_frequency": [1, 2]},
    }
    (folder / "dictionary.json").write_text(json.dumps(about))
    np.savez(
        folder / "activations-seed0-fold0.npz",
        unit_activation=z.mean(1).numpy(),
        part=part,
        session_index=np.zeros(n, np.int32),
        **{f"label_{task}": label for task, label in labels.items()},
    )
    trials = HookTrials(
        latents,
        part,
        np.zeros(n, np.int32),
        np.arange(n),
        np.zeros(n, np.int32),
        np.zeros(n, bool),
        labels,
        ("s",),
    )
    run = SimpleNamespace(
        seed=0,
        fold=0,
        trials=trials,
        dictionary=dictionary,
        suffix=Suffix(model.requires_grad_(False), tuple(CLASSES)),
        mean=z[part == 1].mean(0),
    )
    return run, DictionaryFolder.open(folder)


def means(folder):
    with np.load(folder.path / "activations-seed0-fold0.npz") as stored:
        return stored["unit_activation"][stored["part"] == 1].astype(float).mean(0)


def test_every_condition_has_every_task_and_metric_over_the_trials_with_a_class(made):
    run, folder = made
    scores, session = rewriting_scores(run, folder, {}, 0)
    assert list(dict.fromkeys(condition for condition, _, _ in scores)) == CONDITIONS
    assert len(scores) == len(CONDITIONS) * 2 * 3
    assert all(len(values) == len(session) == 29 for values in scores.values())
    assert (scores["clean", "direction", "agreement"] == 1).all()


def test_descriptions_that_say_nothing_are_the_mean_ablation(made):
    run, folder = made
    described = {unit: describe(mean, []) for unit, mean in enumerate(means(folder))}
    scores, _ = rewriting_scores(run, folder, described, 0)
    for task in CLASSES:
        ablated = scores["mean_ablation", task, "log_probability"]
        for condition in ("descriptions", "shuffled"):
            assert scores[condition, task, "log_probability"] == pytest.approx(ablated, abs=1e-5)
        assert np.abs(scores["trial_means", task, "log_probability"] - ablated).max() > 1e-3


def test_units_that_do_what_they_are_said_to_do_give_what_they_give_themselves(made):
    run, folder = made
    usual, rng = means(folder), np.random.default_rng(1)
    levels = rng.choice([0.2, 1.0, 3.0], size=(20, 4))
    levels[:, 0], levels[:, 1], levels[:, 2] = 0.2, 3.0, 1.6
    levels /= levels.mean(1, keepdims=True)
    curves = [
        Curve("direction", ("0", "90", "180", "270"), tuple(row)) for row in levels * usual[:, None]
    ]
    described = {u: describe(usual[u], [curves[u]]) for u in range(20) if usual[u] > 0}
    scores, _ = rewriting_scores(run, folder, described, 0)
    from glassbox.interventions import rewriting

    label = run.trials.labels["direction"]
    known = label >= 0
    exact = np.ones((len(label), 20))
    for unit, about in described.items():
        names = np.array(["0", "90", "180", "270"])[label[known]]
        exact[known, unit] = about.relative({"direction": names})
    test = run.trials.take(np.flatnonzero((run.trials.part == 2) & known))
    activation = (exact * usual)[(run.trials.part == 2) & known]
    said = rewriting._answers(run, test, torch.from_numpy(activation).float())
    for task in CLASSES:
        true = torch.from_numpy(test.labels[task])[:, None]
        expected = said[task].log_softmax(-1).gather(1, true)[:, 0].numpy()
        told = scores["descriptions", task, "log_probability"]
        assert told == pytest.approx(expected, abs=1e-5)
        shuffled = scores["shuffled", task, "log_probability"]
        assert np.abs(shuffled - told).max() > 1e-4


def test_rows_are_means_over_trials_inside_their_intervals(made):
    run, folder = made
    scores, session = rewriting_scores(run, folder, {}, 0)
    rows = rewriting_rows({"cohort": "m"}, scores, session, 0)
    assert len(rows) == len(scores)
    for row in rows:
        values = scores[row["condition"], row["task"], row["metric"]]
        assert row["value"] == pytest.approx(values.mean())
        assert row["ci_low"] - 1e-6 <= row["value"] <= row["ci_high"] + 1e-6
        assert row["n"] == 29

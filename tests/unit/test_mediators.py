"""Laws of taking away attention heads, latents and cells."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from glassbox.decoders.options import DecoderOptions
from glassbox.decoders.poyo_plus_decoder import PoyoPlusDecoder
from glassbox.decoders.poyo_plus_options import PoyoPlusOptions
from glassbox.decoders.targets import targets_of
from glassbox.dictionaries.activations import HookTrials
from glassbox.interventions.mediators import (
    CELLS,
    HEAD,
    LATENT,
    explained,
    heads_of,
    mediated,
    mediator_rows,
    without,
)
from glassbox.interventions.runs import Run
from glassbox.statistics import bootstrap_weights
from small_run import CLASSES, clean, decoder, labels, run  # noqa: F401  (fixtures)

DOSES = {"direction": (1, 2), "temporal_frequency": (2, 99)}


@pytest.fixture(scope="module")
def fitted(decoder):  # noqa: F811
    """The decoder of ten cells as the stage opens it, and its session of 30 trials."""
    stimulus = decoder.targets.stimuli[0]
    front = decoder.fronts[stimulus]
    n_samples = front.patch.shape[0] * front.filters.shape[0]
    windows = np.random.default_rng(3).normal(size=(30, 10, n_samples)).astype(np.float32)
    decoder.scaling("a").fit([windows])
    model = SimpleNamespace(
        model=decoder,
        fold=0,
        tasks={task: np.arange(n) for task, n in CLASSES.items()},
        latents=lambda session, seen: decoder.encode(session, stimulus, seen),
        answers=lambda hook, latents, sessions: decoder.readout(latents),
    )
    return model, windows


@pytest.fixture(scope="module")
def opened(run, fitted, labels):  # noqa: F811
    model, windows = fitted
    part = np.repeat([0, 1, 2], 10).astype(np.int8)
    data = SimpleNamespace(
        session="a", windows=windows, labels=labels, parts=[part], trial=np.arange(30)
    )
    with torch.no_grad():
        latents = model.model.encode("a", model.model.targets.stimuli[0], torch.from_numpy(windows))
    one = np.zeros(30, dtype=np.int32)
    trials = HookTrials(**{**run.trials.__dict__, "latents": latents, "session_index": one})
    return Run(**{**run.__dict__, "trials": trials}), [SimpleNamespace(data=data)]


@pytest.fixture(scope="module")
def lost(opened, fitted):
    run, sessions = opened  # noqa: F811
    return mediated(run, fitted[0], sessions, run.trials.in_part(2), DOSES, 4, 0)


def drop_of(logits, before, labels, task):  # noqa: F811
    """What the log-probability of the true class loses, (trials,)."""
    shares = [said[task].log_softmax(-1).numpy() for said in (before, logits)]
    place = np.arange(len(labels)), labels
    return shares[0][place] - shares[1][place]


def test_a_head_is_away_while_it_is_and_back_behind(decoder):  # noqa: F811
    weights = {name: value.clone() for name, value in decoder.state_dict().items()}
    for head in heads_of(decoder).values():
        with without(head):
            changed = [n for n, v in decoder.state_dict().items() if not torch.equal(v, weights[n])]
            assert len(changed) == len(head)
    for name, value in decoder.state_dict().items():
        assert torch.equal(value, weights[name])


def test_without_all_heads_an_attention_adds_its_bias(decoder):  # noqa: F811
    heads = heads_of(decoder)
    assert list(heads) == [f"{at}.{i}" for at in ("encoder", "block0", "readout") for i in (0, 1)]
    both = [*heads["block0.0"], *heads["block0.1"]]
    block, x = decoder.processor[0], torch.randn(3, 6, 16)
    with without(both):
        heard = block.attention(x)
    torch.testing.assert_close(heard, block.attended.bias.expand(3, 6, 16))


def test_every_head_of_poyo_plus_is_named():
    small = {"dim": 16, "depth": 2, "head_dim": 8, "cross_heads": 2, "self_heads": 4}
    options = DecoderOptions(decoder="poyo_plus", poyo_plus=PoyoPlusOptions(**small))
    targets = targets_of(options, tuple(CLASSES), CLASSES)
    heads = heads_of(PoyoPlusDecoder(options, {"a": np.arange(10)}, targets))
    count = {}
    for name in heads:
        count[name.split(".")[0]] = count.get(name.split(".")[0], 0) + 1
    assert count == {"encoder": 2, "block0": 4, "block1": 4, "readout": 2}


def test_a_latent_taken_away_is_the_readout_of_its_mean(lost, opened, decoder):  # noqa: F811
    run, _ = opened  # noqa: F811
    test, selection = run.trials.in_part(2), run.trials.in_part(1)
    version = test.latents.clone()
    version[:, 4] = selection.latents.mean(0)[4]
    for task in CLASSES:
        after, before = decoder.readout(version), decoder.readout(test.latents)
        expected = drop_of(after, before, test.labels[task], task)
        found = lost.drop[LATENT, "4", 1, ""][task, "log_probability"]
        np.testing.assert_allclose(found, expected, atol=1e-4)


def test_cells_taken_away_are_the_most_tuned_and_show_their_mean(lost, opened, fitted):
    run, sessions = opened  # noqa: F811
    model, windows = fitted
    data, test = sessions[0].data, run.trials.in_part(2)
    tuning = explained(windows[10:20].mean(2), data.labels["direction"][10:20])
    cells = np.argsort(-tuning)[:2]
    shown = torch.from_numpy(windows[20:].copy())
    shown[:, cells] = torch.from_numpy(windows[10:20].mean(0))[cells]
    after = model.answers("latents", model.latents("a", shown), None)
    before = model.answers("latents", test.latents, None)
    expected = drop_of(after, before, test.labels["direction"], "direction")
    found = lost.drop[CELLS, "", 2, "direction"]["direction", "log_probability"]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert (CELLS, "", 99, "temporal_frequency") not in lost.drop  # there are ten
    assert lost.random[CELLS, 2]["direction", "accuracy"].shape == (10, 4)


def test_explained_variance_is_one_of_a_cell_that_follows_its_class_and_none_of_a_constant():
    label = np.array([0, 0, 1, 1, 2, 2, -1])
    response = np.stack([label * 2.0, np.ones(7), [1, -1, 1, -1, 1, -1, 50]], 1)
    np.testing.assert_allclose(explained(response, label), [1, 0, 0], atol=1e-12)


def test_rows_pool_the_folds(lost):
    weights = bootstrap_weights(20, 0, 200)
    rows = list(mediator_rows({"seed": 0}, [lost, lost], weights))
    assert len(rows) == (6 + 6 + 3) * 4
    for row in rows:
        assert row["value"] == pytest.approx(row["baseline"] - row["drop"])
        assert row["ci_low"] <= row["ci_high"]
        assert ("p" in row) == (row["mediator"] == CELLS)
        assert row["n"] == 20
    head = next(r for r in rows if (r["mediator"], r["part"]) == (HEAD, "readout.1"))
    drop = lost.drop[HEAD, "readout.1", 1, ""][head["measured_on"], head["metric"]]
    assert head["drop"] == pytest.approx(drop.mean(), abs=1e-6)

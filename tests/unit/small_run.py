"""A drawn decoder, a dictionary of its latents and 30 trials, small enough for laws of ablation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from glassbox.decoders.identity_keyed import IdentityKeyedDecoder
from glassbox.decoders.options import DecoderOptions
from glassbox.decoders.targets import targets_of
from glassbox.dictionaries.activations import HookTrials
from glassbox.dictionaries.topk import TopKDictionary
from glassbox.interventions.ablation import ABLATIONS, KEEPING, RESAMPLE, CleanPass
from glassbox.interventions.runs import Run
from glassbox.interventions.suffix import Suffix

CLASSES = {"direction": 8, "temporal_frequency": 5}
NOTHING = np.zeros((1, 0), dtype=np.int64)
EVERY = (*ABLATIONS, RESAMPLE, *KEEPING)


@pytest.fixture(scope="module")
def decoder():
    """One whose attention is far from even."""
    options = DecoderOptions(dim=16, latents=6, heads=2)
    targets = targets_of(options, tuple(CLASSES), CLASSES)
    model = IdentityKeyedDecoder(options, {"a": np.arange(10)}, targets)
    model.draw(0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        model.task_query.mul_(100)
        model.norm_latents.weight.copy_(0.5 + torch.rand(16, generator=generator))
        model.norm_latents.bias.copy_(torch.randn(16, generator=generator))
        model.task_value.bias.copy_(torch.randn(16, generator=generator))
        for layer in model.answers:
            layer.weight.mul_(5)
            layer.bias.copy_(torch.randn(layer.bias.shape, generator=generator))
    return model.requires_grad_(False)


@pytest.fixture(scope="module")
def clean():
    """Latents of the trials and a dictionary of 40 units, each trial with a donor."""
    generator = torch.Generator().manual_seed(1)
    latents = 2 * torch.randn(30, 6, 16, generator=generator) + 1
    dictionary = TopKDictionary(16, 40, k=4)
    dictionary.initialise(latents.flatten(0, 1), generator)
    dictionary = dictionary.fold(torch.zeros(16), 1.7).requires_grad_(False)
    made = CleanPass.of(dictionary, latents, dictionary.encode(latents[:10]).mean(0))
    return made.with_donors(made, np.roll(np.arange(30), 7))


@pytest.fixture(scope="module")
def labels():
    """Classes of the trials; one has none."""
    rng = np.random.default_rng(0)
    made = {task: rng.integers(n, size=30) for task, n in CLASSES.items()}
    made["direction"][3] = -1
    return made


@pytest.fixture(scope="module")
def run(decoder, clean, labels):
    """All of it together, as trials of two sessions, ten of each part."""
    z = clean.dictionary.encode(clean.latents)
    trials = HookTrials(
        clean.latents,
        np.repeat([0, 1, 2], 10).astype(np.int8),
        np.tile([0, 1], 15),
        np.arange(30),
        np.zeros(30, dtype=np.int32),
        np.zeros(30, dtype=bool),
        labels,
    )
    return Run(
        0,
        0,
        trials,
        clean.dictionary,
        Suffix(decoder, decoder.tasks),
        z.square().mean((0, 1)).numpy().astype(float),
        (z > 1e-3).double().mean((0, 1)).numpy(),
        clean.mean,
        z.mean(1).numpy(),
    )

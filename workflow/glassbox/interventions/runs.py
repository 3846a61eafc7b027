"""A decoder with its dictionary and the trials on which units are chosen and taken away."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.randomness import numpy_generator
from glassbox.dictionaries.activations import DecodedSession, HookTrials, hook_trials
from glassbox.dictionaries.architectures import load_dictionary
from glassbox.dictionaries.dictionary import Dictionary
from glassbox.errors import UserError
from glassbox.interventions.ablation import CleanPass
from glassbox.interventions.suffixes import AnySuffix, suffix_of
from glassbox.tensors.splits import SELECTION


@dataclass(frozen=True)
class DictionaryFacts:
    """What `dictionary.json` says: names for the tables, sessions and their mice."""

    cohort: str
    level: str
    hook: str
    dictionary: str
    runs: tuple[tuple[int, int], ...]
    sessions: tuple[dict, ...]
    holds_session: bool = False

    @classmethod
    def read(cls, folder: str | Path) -> DictionaryFacts:
        path = Path(folder) / "dictionary.json"
        try:
            facts = json.loads(path.read_text())
        except FileNotFoundError:
            raise UserError(f"{path}: no such file; run the rule train_dictionary first.") from None
        runs = tuple((run["seed"], run["fold"]) for run in facts["runs"])
        names = (facts[key] for key in ("cohort", "level", "hook", "dictionary"))
        confounded = bool(facts.get("holds_session"))
        return cls(*names, runs, tuple(facts["sessions"]), confounded)


@dataclass(frozen=True)
class Run:
    """One decoder (seed and fold) with its dictionary.

    Attributes:
        trials: all usable trials of its sessions, at the hook.
        suffix: the decoder after the hook.
        energy: mean squared activation × squared decoder norm on selection trials, (width,).
        density: share of training latents in which a unit fired, (width,).
        mean: mean activation in each latent over selection trials, (latents, width).
        unit_activation: activation averaged over latents, (trials, width).
    """

    seed: int
    fold: int
    trials: HookTrials
    dictionary: Dictionary
    suffix: AnySuffix
    energy: np.ndarray
    density: np.ndarray
    mean: torch.Tensor
    unit_activation: np.ndarray

    @property
    def alive(self) -> np.ndarray:
        """Units that fired on training trials, (width,) bool."""
        return self.density > 0

    @property
    def tasks(self) -> tuple[str, ...]:
        return self.suffix.tasks

    def clean_pass(self, trials: HookTrials) -> CleanPass:
        """The clean pass of some of the trials."""
        given = trials.latents, self.mean, trials.session, trials.beside
        return CleanPass.of(self.dictionary, *given)


def open_run(
    decoder_folder: str | Path,
    dictionary_folder: str | Path,
    sessions: Sequence[DecodedSession],
    seed: int,
    fold: int,
) -> Run:
    """Load a decoder and its dictionary and run all trials up to the hook."""
    folder = Path(dictionary_folder)
    decoder = FittedDecoder.load(decoder_folder, seed, fold)
    facts = DictionaryFacts.read(folder)
    weights = folder / f"{facts.dictionary}-seed{seed}-fold{fold}.safetensors"
    stored = folder / f"activations-seed{seed}-fold{fold}.npz"
    for path in (weights, stored):
        if not path.exists():
            raise UserError(f"{path}: no such file; run the rule train_dictionary again.")
    dictionary = load_dictionary(weights)
    with np.load(stored) as arrays:
        energy, density = arrays["energy"].astype(float), arrays["density"].astype(float)
        unit_activation = arrays["unit_activation"]
    trials = hook_trials(decoder, sessions, facts.hook)
    if len(trials) != len(unit_activation):
        raise UserError(
            f"{stored}: has {len(unit_activation)} trials, the tensors have {len(trials)}; run the "
            "rule train_dictionary again."
        )
    selection = trials.in_part(SELECTION)
    with torch.no_grad():
        mean = dictionary.encode(selection.latents).mean(0)
    return Run(
        seed,
        fold,
        trials,
        dictionary,
        suffix_of(decoder, facts.hook),
        energy,
        density,
        mean,
        unit_activation,
    )


def capped(trials: HookTrials, most: int, *seed: object) -> HookTrials:
    """At most `most` of the trials (0: all), evenly from the sessions, drawn from the seed."""
    if most == 0 or len(trials) <= most:
        return trials
    rng = numpy_generator("capped", *seed)
    sessions = np.unique(trials.session_index)
    order = {s: rng.permutation(np.flatnonzero(trials.session_index == s)) for s in sessions}
    taken, turn = [], 0
    while len(taken) < most:
        for places in order.values():
            if turn < len(places) and len(taken) < most:
                taken.append(places[turn])
        turn += 1
    return trials.take(np.sort(taken))

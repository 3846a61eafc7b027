"""What the decoder says of each trial after sets of units are taken away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glassbox.dictionaries.splice import scored
from glassbox.interventions.ablation import CleanPass, logits_of_sets
from glassbox.interventions.suffixes import AnySuffix


@dataclass(frozen=True)
class Said:
    """Of each task: was each trial decoded rightly, how probable was its class, what was said.

    Each is (trials, sets); the first two are NaN where the trial has no class of the task.
    """

    accuracy: dict[str, np.ndarray]
    log_probability: dict[str, np.ndarray]
    predicted: dict[str, np.ndarray]

    def metric(self, name: str) -> dict[str, np.ndarray]:
        return {"accuracy": self.accuracy, "log_probability": self.log_probability}[name]

    def take(self, sets: slice) -> Said:
        kept = self.accuracy, self.log_probability, self.predicted
        return Said(*({task: said[:, sets] for task, said in each.items()} for each in kept))


def say(
    clean: CleanPass,
    suffix: AnySuffix,
    labels: Mapping[str, np.ndarray],
    sets: Sequence[np.ndarray],
    intervention: str,
    ablation: str,
    strength: float = 1.0,
) -> Said:
    """Take each set away and read the decoder.

    Args:
        clean: the clean pass of the trials.
        suffix: the decoder after the hook.
        labels: class index by task, (trials,).
        sets: units of each set; a set of none takes nothing away.
        intervention, ablation, strength: see `glassbox.interventions.ablation`.
    """
    shape = (len(clean.latents), len(sets))
    said = Said(
        {task: np.empty(shape, np.float32) for task in suffix.tasks},
        {task: np.empty(shape, np.float32) for task in suffix.tasks},
        {task: np.empty(shape, np.int8) for task in suffix.tasks},
    )
    blocks = logits_of_sets(clean, suffix, sets, intervention, ablation, strength)
    for trials, of_sets, logits in blocks:
        for task in suffix.tasks:
            correct, probable, predicted = scored(logits[task], labels[task][trials])
            said.accuracy[task][trials, of_sets] = correct
            said.log_probability[task][trials, of_sets] = probable
            said.predicted[task][trials, of_sets] = predicted
    return said

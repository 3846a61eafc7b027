"""What a decoder is asked to tell: classes and values, and how far off an answer is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from glassbox.decoders.data import NO_CLASS, TrialSet, is_counted
from glassbox.decoders.options import DecoderOptions
from glassbox.tensors.tasks import EVERY_STIMULUS, stimulus_of_tasks, tasks_named

LEAST_SPREAD = 1e-6  # of a value over training trials; one that never changes is not divided by 0


class Targets(nn.Module):
    """The tasks of a decoder.

    A value is predicted in units of its standard deviation over the training trials, so that the
    loss of a guess (the mean) is 1; the loss of a guess among n classes is ln n. A task's loss is
    divided by that, so tasks with few and with many classes count alike, and then multiplied by
    the task's weight.

    Attributes:
        tasks: names, in the order of the model's queries.
        stimuli: stimuli whose trials carry a task, in the order of the tasks.
        mean, spread: of each task over the training trials; 0 and 1 for classes.
    """

    def __init__(
        self,
        tasks: Sequence[str],
        stimuli: Sequence[str],
        classes: Mapping[str, int],
        weights: Mapping[str, float],
    ):
        super().__init__()
        self.tasks, self.stimuli = tuple(tasks), tuple(stimuli)
        self.classes = dict(classes)
        self.weights = dict(weights)
        self._stimulus = {task.name: task.stimulus for task in tasks_named(self.tasks)}
        self.register_buffer("mean", torch.zeros(len(self.tasks)))
        self.register_buffer("spread", torch.ones(len(self.tasks)))

    def of(self, stimulus: str) -> tuple[str, ...]:
        """The tasks that trials of a stimulus serve."""
        return tuple(t for t in self.tasks if self._stimulus[t] in (stimulus, EVERY_STIMULUS))

    def is_value(self, task: str) -> bool:
        return task not in self.classes

    def width(self, task: str) -> int:
        """Numbers that the model gives for a task."""
        return self.classes.get(task, 1)

    def fit(self, training: Mapping[str, np.ndarray]) -> None:
        """Take mean and spread of the values from the labels of training trials, by task.

        A value that no training trial has keeps mean 0 and spread 1.
        """
        for place, task in enumerate(self.tasks):
            if self.is_value(task) and is_counted(training[task]).any():
                known = training[task][is_counted(training[task])].astype(np.float64)
                self.mean[place] = float(known.mean())
                self.spread[place] = max(float(known.std()), LEAST_SPREAD)

    def answer(self, task: str, output: torch.Tensor) -> torch.Tensor:
        """Logits as they are, values in their own unit, (trials,)."""
        if not self.is_value(task):
            return output
        place = self.tasks.index(task)
        return output[:, 0] * self.spread[place] + self.mean[place]

    def loss(
        self, task: str, answer: torch.Tensor, label: torch.Tensor, smoothing: float
    ) -> torch.Tensor:
        """Sum over the labelled trials of their loss, over the loss of a guess, times the weight.

        Args:
            answer: as the model gave it.
            label: (trials,), class indices or values.
            smoothing: of the labels of classes.
        """
        if self.is_value(task):
            known = torch.isfinite(label)
            off = (answer - torch.where(known, label, answer)) / self.spread[self.tasks.index(task)]
            return self.weights[task] * off.square().sum()
        summed = F.cross_entropy(
            answer, label, ignore_index=NO_CLASS, label_smoothing=smoothing, reduction="sum"
        )
        return self.weights[task] * summed / math.log(self.classes[task])


def targets_of(
    options: DecoderOptions, tasks: Sequence[str], classes: Mapping[str, int]
) -> Targets:
    """What a decoder of these tasks is asked to tell."""
    stimuli = {stimulus_of_tasks(tasks)[task] for task in tasks if task in classes}
    ordered = [stimulus for stimulus in options.stimuli if stimulus in stimuli]
    return Targets(tasks, ordered, classes, {task: options.weight(task) for task in tasks})


def labels_of_training(
    trial_sets: Sequence[TrialSet], fold: int, part: int
) -> dict[str, np.ndarray]:
    """The labels of all trials of a part, by task."""
    found: dict[str, list[np.ndarray]] = {}
    for data in trial_sets:
        for task, label in data.labels.items():
            found.setdefault(task, []).append(label[data.in_part(fold, part)])
    return {task: np.concatenate(labels) for task, labels in found.items()}

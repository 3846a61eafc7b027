"""Training the weights of one decoder: steps, early stopping on the selection block, resuming."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from glassbox.decoders.batches import Batch, batches_of_epoch
from glassbox.decoders.checkpoint import Checkpoint
from glassbox.decoders.data import NO_CLASS, SessionData
from glassbox.decoders.identity_keyed import IdentityKeyedDecoder
from glassbox.decoders.metrics import scores_of
from glassbox.decoders.options import SECTION, DecoderOptions
from glassbox.decoders.predict import log_probabilities
from glassbox.decoders.randomness import torch_generator
from glassbox.decoders.schedule import one_cycle
from glassbox.errors import UserError
from glassbox.tensors.splits import SELECTION, TRAIN

SECOND_MOMENTUM = 0.999
ADAM_STATE = ("step", "exp_avg", "exp_avg_sq")
Report = Callable[[int, str], None]  # epochs done, and how it goes


@dataclass(frozen=True)
class Run:
    """What is fitted, to what, and for how long.

    Attributes:
        name: of the run, 'body' or the session whose unit vectors are fitted.
        seed, fold: of the decoder.
        sessions: sessions whose training trials fit and whose selection trials stop.
        parameters: names of the parameters that are fitted; all others stay.
        epochs: length of the schedule.
    """

    name: str
    seed: int
    fold: int
    sessions: tuple[SessionData, ...]
    parameters: tuple[str, ...]
    epochs: int


@dataclass(frozen=True)
class Fit:
    """How a run went.

    Attributes:
        best_epoch: epoch whose weights were kept, from 0.
        curve: one row for each epoch and task: epoch, loss, task, accuracy and log probability
            on the selection block.
    """

    best_epoch: int
    curve: tuple[dict[str, Any], ...]


class _State:
    """All that changes from epoch to epoch, as tensors and facts that can be kept."""

    def __init__(self, parameters: Mapping[str, nn.Parameter], options: DecoderOptions):
        self.parameters = parameters
        self.optimizer = torch.optim.AdamW(_groups(parameters, options), fused=True)
        self.highest_rates = [group["lr"] for group in self.optimizer.param_groups]
        self.best = {name: p.detach().clone() for name, p in parameters.items()}
        self.epoch, self.best_epoch, self.best_score = 0, -1, -math.inf
        self.curve: list[dict[str, Any]] = []

    def tensors(self) -> dict[str, torch.Tensor]:
        kept = {f"now.{name}": p for name, p in self.parameters.items()}
        kept |= {f"best.{name}": p for name, p in self.best.items()}
        for name, p in self.parameters.items():
            for part in ADAM_STATE:
                kept[f"{part}.{name}"] = self.optimizer.state[p][part]
        return kept

    def facts(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "best_epoch": self.best_epoch,
            "best_score": self.best_score,
            "curve": self.curve,
        }

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> None:
        self.epoch, self.best_epoch = facts["epoch"], facts["best_epoch"]
        self.best_score, self.curve = facts["best_score"], facts["curve"]
        for name, p in self.parameters.items():
            p.copy_(tensors[f"now.{name}"])
            self.best[name].copy_(tensors[f"best.{name}"])
            self.optimizer.state[p] = {
                part: tensors[f"{part}.{name}"].to(p.device) for part in ADAM_STATE
            }

    def keep_best(self, score: float) -> None:
        if score > self.best_score:
            self.best_score, self.best_epoch = score, self.epoch
            for name, p in self.parameters.items():
                self.best[name].copy_(p.detach())


def fit(
    model: IdentityKeyedDecoder,
    run: Run,
    options: DecoderOptions,
    checkpoint: Checkpoint,
    report: Report,
) -> Fit:
    """Fit the parameters of a run; the model ends with those of its best epoch.

    The best epoch has the highest score on the selection blocks (see `selection_score`); test
    trials are never read. The fit ends after `patience` epochs without a better one.

    Raises:
        UserError: the loss is no longer a number.
    """
    parameters = {n: p for n, p in model.named_parameters() if n in set(run.parameters)}
    for name, p in model.named_parameters():
        p.requires_grad_(name in parameters)
    state = _State(parameters, options)
    kept = checkpoint.load()
    if kept is not None:
        state.restore(*kept)
    data = _on_device(run, model)
    report(state.epoch, "taken up" if state.epoch else "started")
    while state.epoch < run.epochs and state.epoch - state.best_epoch <= options.patience:
        loss = _train_epoch(model, run, options, state, data)
        results = _selection_results(model, run, data)
        _note(state, loss, results)
        state.keep_best(selection_score(results))
        state.epoch += 1
        if checkpoint.due():
            checkpoint.save(state.tensors(), state.facts())
        report(1, _how_it_goes(loss, results))
    report(run.epochs - state.epoch, "done")
    if kept is None or state.epoch > kept[1]["epoch"]:
        checkpoint.save(state.tensors(), state.facts())
    with torch.no_grad():
        for name, p in parameters.items():
            p.copy_(state.best[name])
    return Fit(state.best_epoch, tuple(state.curve))


def loss_of(
    logits: Mapping[str, torch.Tensor], labels: Mapping[str, torch.Tensor], smoothing: float
) -> torch.Tensor:
    """Sum over the tasks of the mean cross-entropy of the trials that have a class."""
    total = torch.zeros((), device=next(iter(logits.values())).device)
    for task, table in logits.items():
        summed = F.cross_entropy(
            table,
            labels[task],
            ignore_index=NO_CLASS,
            label_smoothing=smoothing,
            reduction="sum",
        )
        total = total + summed / (labels[task] != NO_CLASS).sum().clamp(min=1)
    return total


def selection_score(results: Mapping[str, tuple[float, float]]) -> float:
    """What early stopping maximises: the mean log probability, averaged over the tasks."""
    return float(np.mean([log_probability for _, log_probability in results.values()]))


@dataclass(frozen=True)
class _Data:
    """Windows and labels of the sessions of a run on the model's device, by session."""

    windows: Mapping[str, torch.Tensor]
    labels: Mapping[str, Mapping[str, torch.Tensor]]


def _on_device(run: Run, model: IdentityKeyedDecoder) -> _Data:
    windows, labels = {}, {}
    for data in run.sessions:
        windows[data.session] = torch.from_numpy(data.windows).to(model.device)
        labels[data.session] = {
            task: torch.from_numpy(values).to(model.device) for task, values in data.labels.items()
        }
    return _Data(windows, labels)


def _train_epoch(
    model: IdentityKeyedDecoder, run: Run, options: DecoderOptions, state: _State, data: _Data
) -> float:
    """One pass over the training trials; the mean loss."""
    steps = _grouped(_batches(run, options, state.epoch), options.batches_per_step)
    noise = torch_generator("noise", run.name, run.seed, run.fold, state.epoch, device=model.device)
    total = torch.zeros((), device=model.device)
    for i, batches in enumerate(steps):
        share = (state.epoch + i / len(steps)) / run.epochs
        rate, momentum = one_cycle(share, options.warm_up)
        for group, highest in zip(state.optimizer.param_groups, state.highest_rates, strict=True):
            group["lr"], group["betas"] = highest * rate, (momentum, SECOND_MOMENTUM)
        loss = _loss_of_step(model, batches, options, data, noise)
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        state.optimizer.step()
        total += loss.detach()
    mean = float(total) / len(steps)
    if not math.isfinite(mean):
        raise UserError(
            f"{SECTION}.learning_rate: the loss was no longer a number in epoch {state.epoch} of "
            f"{run.name}, seed {run.seed}, fold {run.fold}; found a learning rate of "
            f"{options.learning_rate:g}. Choose a lower one."
        )
    return mean


def _batches(run: Run, options: DecoderOptions, epoch: int) -> list[Batch]:
    return batches_of_epoch(
        {data.session: data.in_part(run.fold, TRAIN) for data in run.sessions},
        {data.session: data.n_cells for data in run.sessions},
        options.batch_trials,
        options.min_cells,
        (run.name, run.seed, run.fold, epoch),
    )


def _grouped(batches: Sequence[Batch], size: int) -> list[Sequence[Batch]]:
    return [batches[i : i + size] for i in range(0, len(batches), size)]


def _loss_of_step(
    model: IdentityKeyedDecoder,
    batches: Sequence[Batch],
    options: DecoderOptions,
    data: _Data,
    noise: torch.Generator,
) -> torch.Tensor:
    entering, labels = [], {task: [] for task in model.tasks}
    for batch in batches:
        trials = torch.from_numpy(batch.trials).to(model.device)
        keep = torch.from_numpy(batch.keep).to(model.device)
        windows = data.windows[batch.session].index_select(0, trials)
        entering.append(model.entering(batch.session, windows, keep))
        for task, found in labels.items():
            found.append(data.labels[batch.session][task].index_select(0, trials))
    latents = model.process(torch.cat(entering), noise)
    joined = {task: torch.cat(found) for task, found in labels.items()}
    return loss_of(model.readout(latents, noise), joined, options.label_smoothing)


def _selection_results(
    model: IdentityKeyedDecoder, run: Run, data: _Data
) -> dict[str, tuple[float, float]]:
    """Accuracy and mean log probability by task over the selection trials of all sessions."""
    found: dict[str, list] = {task: [] for task in model.tasks}
    for session in run.sessions:
        places = session.in_part(run.fold, SELECTION)
        windows = data.windows[session.session][torch.from_numpy(places).to(model.device)]
        for task, table in log_probabilities(model, session.session, windows).items():
            part = np.full(len(places), SELECTION)
            found[task].append(scores_of(table, session.labels[task][places], part))
    return {
        task: (
            float(np.concatenate([s.correct for s in scores]).mean()),
            float(np.concatenate([s.log_probability for s in scores]).mean()),
        )
        for task, scores in found.items()
    }


def _note(state: _State, loss: float, results: Mapping[str, tuple[float, float]]) -> None:
    for task, (accuracy, log_probability) in results.items():
        state.curve.append(
            {
                "epoch": state.epoch,
                "loss": loss,
                "task": task,
                "selection_accuracy": accuracy,
                "selection_log_probability": log_probability,
            }
        )


def _how_it_goes(loss: float, results: Mapping[str, tuple[float, float]]) -> str:
    accuracies = (f"{task} {accuracy:.3f}" for task, (accuracy, _) in results.items())
    return f"loss {loss:.3f} · selection {', '.join(accuracies)}"


def _groups(
    parameters: Mapping[str, nn.Parameter], options: DecoderOptions
) -> list[dict[str, Any]]:
    """Body, unit key vectors and unit value vectors, with the learning rate and decay of each.

    Decay would pull the value vectors, which scale what is said, towards silence.
    """
    groups: dict[str, list[nn.Parameter]] = {"body": [], "key": [], "value": []}
    for name, parameter in parameters.items():
        own = name.startswith("sessions.")
        groups[name.rsplit(".", 1)[1] if own else "body"].append(parameter)
    return [
        {
            "params": members,
            "lr": options.learning_rate if kind == "body" else options.unit_learning_rate,
            "weight_decay": 0.0 if kind == "value" else options.weight_decay,
        }
        for kind, members in groups.items()
        if members
    ]

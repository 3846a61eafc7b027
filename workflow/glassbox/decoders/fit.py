"""Training the weights of one decoder: steps, early stopping on the selection block, resuming."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from glassbox.decoders.batches import Batch, batches_of_epoch
from glassbox.decoders.checkpoint import Checkpoint
from glassbox.decoders.data import TrialSet, is_counted
from glassbox.decoders.devices import sum_gradients
from glassbox.decoders.layers import Noise
from glassbox.decoders.metrics import r2
from glassbox.decoders.model import OWN, Decoder
from glassbox.decoders.options import SECTION, DecoderOptions
from glassbox.decoders.pieces import Piece
from glassbox.decoders.predict import predicted
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
        trial_sets: whose training trials fit and whose selection trials stop.
        parameters: names of the parameters that are fitted; all others stay.
        epochs: length of the schedule.
        stop_early: keep the epoch that selection trials like best; otherwise the last one.
    """

    name: str
    seed: int
    fold: int
    trial_sets: tuple[TrialSet, ...]
    parameters: tuple[str, ...]
    epochs: int
    stop_early: bool = True


@dataclass(frozen=True)
class Fit:
    """How a run went.

    Attributes:
        best_epoch: epoch whose weights were kept, from 0.
        curve: one row for each epoch and task: epoch, loss, task, and on the selection block the
            accuracy and the mean log probability of classes, the r2 of values.
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
            # A parameter that no trial has needed yet has no state.
            for part, tensor in self.optimizer.state.get(p, {}).items():
                kept[f"{part}.{name}"] = tensor
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
            if f"{ADAM_STATE[0]}.{name}" in tensors:
                self.optimizer.state[p] = {
                    part: tensors[f"{part}.{name}"].to(p.device) for part in ADAM_STATE
                }

    def keep_best(self, score: float) -> None:
        if score > self.best_score:
            self.best_score, self.best_epoch = score, self.epoch
            for name, p in self.parameters.items():
                self.best[name].copy_(p.detach())


def fit(
    model: Decoder,
    run: Run,
    options: DecoderOptions,
    checkpoint: Checkpoint,
    report: Report,
    fabric: Fabric,
) -> Fit:
    """Fit the parameters of a run; the model ends with those of its best epoch.

    The best epoch has the highest score on the selection blocks (see `selection_score`), or is the
    last where the run says so; test trials are never read. The fit ends after `patience` epochs
    without a better one.

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
    patience = options.patience if run.stop_early else run.epochs
    while state.epoch < run.epochs and state.epoch - state.best_epoch <= patience:
        loss = _train_epoch(model, run, options, state, data, fabric)
        results = _selection_results(model, run, data)
        _note(state, loss, results)
        _log(fabric, run, state.epoch, loss, results)
        state.keep_best(selection_score(results) if run.stop_early else state.epoch)
        state.epoch += 1
        if fabric.is_global_zero and checkpoint.due():
            checkpoint.save(state.tensors(), state.facts())
        report(1, _how_it_goes(loss, results))
    report(run.epochs - state.epoch, "done")
    if fabric.is_global_zero and (kept is None or state.epoch > kept[1]["epoch"]):
        checkpoint.save(state.tensors(), state.facts())
    with torch.no_grad():
        for name, p in parameters.items():
            p.copy_(state.best[name])
    return Fit(state.best_epoch, tuple(state.curve))


def loss_of(
    model: Decoder,
    answers: Sequence[Mapping[str, torch.Tensor]],
    labels: Sequence[Mapping[str, torch.Tensor]],
    counts: Mapping[str, int],
    smoothing: float,
) -> torch.Tensor:
    """Sum over the tasks of the mean loss of their labelled trials (see `Targets.loss`).

    Args:
        model: whose targets say what a loss is.
        answers, labels: by task, for each piece.
        counts: labelled trials of each task in the whole step.
        smoothing: of the labels of classes.
    """
    total = torch.zeros((), device=model.device)
    for answer, label in zip(answers, labels, strict=True):
        for task, given in answer.items():
            if counts[task]:
                summed = model.targets.loss(task, given.float(), label[task], smoothing)
                total = total + summed / counts[task]
    return total


@dataclass(frozen=True)
class Result:
    """How well a task is decoded on selection trials.

    Attributes:
        metrics: by name, for the curve.
        skill: share of the loss of a guess that is avoided; 1 is perfect, 0 a guess.
    """

    metrics: Mapping[str, float]
    skill: float


def selection_score(results: Mapping[str, Result]) -> float:
    """What early stopping maximises: the skill, averaged over the tasks."""
    return float(np.mean([result.skill for result in results.values()]))


@dataclass(frozen=True)
class _Data:
    """Windows and labels of the trial sets of a run on the model's device."""

    sets: Mapping[tuple[str, str], TrialSet]
    windows: Mapping[tuple[str, str], torch.Tensor]
    labels: Mapping[tuple[str, str], Mapping[str, torch.Tensor]]


def _on_device(run: Run, model: Decoder) -> _Data:
    windows, labels = {}, {}
    for data in run.trial_sets:
        windows[data.key] = torch.from_numpy(data.windows).to(model.device)
        labels[data.key] = {
            task: torch.from_numpy(values).to(model.device) for task, values in data.labels.items()
        }
    return _Data({data.key: data for data in run.trial_sets}, windows, labels)


def _train_epoch(
    model: Decoder,
    run: Run,
    options: DecoderOptions,
    state: _State,
    data: _Data,
    fabric: Fabric,
) -> float:
    """One pass over the training trials; the mean loss."""
    steps = _grouped(_batches(run, options, state.epoch), options.batches_per_step)
    total = torch.zeros((), device=model.device)
    for i, batches in enumerate(steps):
        share = (state.epoch + i / len(steps)) / run.epochs
        rate, momentum = one_cycle(share, options.warm_up)
        for group, highest in zip(state.optimizer.param_groups, state.highest_rates, strict=True):
            group["lr"], group["betas"] = highest * rate, (momentum, SECOND_MOMENTUM)
        noise = [
            torch_generator(
                "noise", run.name, run.seed, run.fold, state.epoch, i, place, device=model.device
            )
            for place in range(len(batches))
        ]
        state.optimizer.zero_grad(set_to_none=True)
        mine = range(fabric.global_rank, len(batches), fabric.world_size)
        if mine:
            with fabric.autocast():
                loss = _loss_of_step(model, batches, mine, options, data, noise)
            fabric.backward(loss)
            total += loss.detach()
        sum_gradients(fabric, state.parameters.values())
        state.optimizer.step()
    if fabric.world_size > 1:
        total = fabric.all_reduce(total, reduce_op="sum")
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
        {data.key: data.in_part(run.fold, TRAIN) for data in run.trial_sets},
        {data.key: data.n_cells for data in run.trial_sets},
        options.batch_trials,
        options.min_cells,
        (run.name, run.seed, run.fold, epoch),
    )


def _grouped(batches: Sequence[Batch], size: int) -> list[Sequence[Batch]]:
    return [batches[i : i + size] for i in range(0, len(batches), size)]


def _loss_of_step(
    model: Decoder,
    batches: Sequence[Batch],
    mine: Sequence[int],
    options: DecoderOptions,
    data: _Data,
    noise: Sequence[torch.Generator],
) -> torch.Tensor:
    """The part of the loss of a step that this process's batches make."""
    counts = dict.fromkeys(model.tasks, 0)
    for batch in batches:
        for task, label in data.sets[batch.key].labels.items():
            counts[task] = counts.get(task, 0) + int(is_counted(label[batch.trials]).sum())
    pieces, labels = [], []
    for place in mine:
        batch = batches[place]
        trials = torch.from_numpy(batch.trials).to(model.device)
        keep = torch.from_numpy(batch.keep).to(model.device)
        windows = data.windows[batch.key].index_select(0, trials)
        pieces.append(Piece(*batch.key, windows, keep))
        known = data.labels[batch.key].items()
        labels.append({task: label.index_select(0, trials) for task, label in known})
    rows = [len(piece.windows) for piece in pieces]
    answers = model(pieces, Noise([noise[place] for place in mine], rows))
    return loss_of(model, answers, labels, counts, options.label_smoothing)


def _selection_results(model: Decoder, run: Run, data: _Data) -> dict[str, Result]:
    """How well each task is decoded on the selection trials of all sessions together."""
    answers: dict[str, list[np.ndarray]] = {task: [] for task in model.tasks}
    truths: dict[str, list[np.ndarray]] = {task: [] for task in model.tasks}
    for key, trials in data.sets.items():
        places = trials.in_part(run.fold, SELECTION)
        windows = data.windows[key][torch.from_numpy(places).to(model.device)]
        for task, table in predicted(model, *key, windows).items():
            if task not in trials.labels:
                continue  # simulated trials that a decoder is shown have no behaviour
            label = trials.labels[task][places]
            known = is_counted(label)
            answers[task].append(table[known])
            truths[task].append(label[known])
    found = {}
    for task in model.tasks:
        if sum(map(len, truths[task])):
            answer, truth = np.concatenate(answers[task]), np.concatenate(truths[task])
            values = model.targets.is_value(task)
            found[task] = _value_result(answer, truth) if values else _class_result(answer, truth)
    return found


def _class_result(log_probability: np.ndarray, truth: np.ndarray) -> Result:
    chosen = log_probability[np.arange(len(truth)), truth].astype(np.float64)
    accuracy = float((log_probability.argmax(axis=1) == truth).mean())
    mean = float(chosen.mean())
    skill = 1 + mean / math.log(log_probability.shape[1])
    return Result({"accuracy": accuracy, "log_probability": mean}, skill)


def _value_result(answer: np.ndarray, truth: np.ndarray) -> Result:
    share = r2(answer, truth)
    return Result({"r2": share}, share)


def _note(state: _State, loss: float, results: Mapping[str, Result]) -> None:
    for task, result in results.items():
        row = {"epoch": state.epoch, "loss": loss, "task": task}
        state.curve.append(row | {f"selection_{k}": v for k, v in result.metrics.items()})


def _log(fabric: Fabric, run: Run, epoch: int, loss: float, results: Mapping[str, Result]) -> None:
    """To the loggers, where there are any: one group for each run."""
    where = f"seed{run.seed}-fold{run.fold}/{run.name}"
    metrics = {f"{where}/loss": loss}
    for task, result in results.items():
        metrics |= {f"{where}/{task} {name}": value for name, value in result.metrics.items()}
    fabric.log_dict(metrics, step=epoch)


def _how_it_goes(loss: float, results: Mapping[str, Result]) -> str:
    known = [f"{t} {next(iter(r.metrics.values())):.3f}" for t, r in results.items()]
    return f"loss {loss:.3f} · selection {', '.join(known)}"


def _groups(
    parameters: Mapping[str, nn.Parameter], options: DecoderOptions
) -> list[dict[str, Any]]:
    """Body, unit value vectors and other vectors of units, with the rate and decay of each.

    Decay would pull the value vectors, which scale what is said, towards silence.
    """
    groups: dict[str, list[nn.Parameter]] = {"body": [], "key": [], "value": []}
    for name, parameter in parameters.items():
        of_unit = "value" if name.endswith(".value") else "key"
        groups[of_unit if name.startswith(OWN) else "body"].append(parameter)
    return [
        {
            "params": members,
            "lr": options.learning_rate if kind == "body" else options.unit_learning_rate,
            "weight_decay": 0.0 if kind == "value" else options.weight_decay,
        }
        for kind, members in groups.items()
        if members
    ]

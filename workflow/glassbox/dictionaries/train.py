"""Learning dictionaries from one stream of activations, read once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import torch

from glassbox.decoders.checkpoint import Checkpoint
from glassbox.dictionaries.architectures import new_dictionary
from glassbox.dictionaries.dictionary import Dictionary
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.dictionaries.stream import Stream
from glassbox.dictionaries.training import Trained, Training, Wanted

TOGETHER = 32  # batches that one dictionary learns from before it is the next one's turn
Progress = Callable[[int, str], None]


def train_together(
    stream: Stream,
    selection: torch.Tensor,
    wanted: Sequence[Wanted],
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
    device: str | torch.device = "cpu",
) -> list[Trained]:
    """Learn dictionaries, each with the weights that explain the selection block best.

    All see the same samples in the same order, which the first one's seed decides; another seed
    changes the first weights. Whatever is trained beside it, the first one is the same.

    Args:
        stream: activations of training trials, raw.
        selection: clean activations of the selection block, (m, dim) float32, raw.
        wanted: what is trained; all with the same `samples` and `batch`.
        progress: called with the number of activations of some steps and a short note.
        checkpoint: keeps the state, so that a killed training goes on where it was.
        device: where it is computed.

    Returns:
        The dictionaries with centre and scale folded into their weights, so that they take raw
        activations.
    """
    lengths = {(one.options.samples, one.options.batch) for one in wanted}
    if len(lengths) != 1:
        raise ValueError(f"expected one number of samples and one batch, found {lengths}")
    device = torch.device(device)
    samples, batch = lengths.pop()
    batch = min(batch, stream.largest_batch)
    steps = max(1, samples // batch)
    centre, scale = stream.centre_and_scale()
    sample = (stream.sample() - centre) / scale
    trainings = [Training(one, sample, len(stream), batch, steps, device) for one in wanted]
    del sample
    at = _taken_up(trainings, checkpoint)
    if at and progress is not None:
        progress(at * batch * len(trainings), "taken up")
    selection = ((selection - centre) / scale).to(device)
    batches = stream.batches(batch, trainings[0].generator, skip=at)
    started = at
    while not all(training.ended for training in trainings):
        several = [
            ((x - centre) / scale).to(device) for x in islice(batches, min(TOGETHER, steps - at))
        ]
        at += len(several)
        for training in trainings:
            if not training.ended:
                _learn(training, several, selection, progress)
        if checkpoint is not None and checkpoint.due():
            _keep(trainings, at, checkpoint)
    if checkpoint is not None and at > started:
        _keep(trainings, at, checkpoint)
    return [training.trained(centre, scale) for training in trainings]


def train_dictionary(
    train: torch.Tensor | Stream,
    selection: torch.Tensor,
    options: DictionaryOptions,
    seed: int,
    progress: Progress | None = None,
    new: Callable[[int, DictionaryOptions], Dictionary] = new_dictionary,
    checkpoint: Checkpoint | None = None,
    device: str | torch.device = "cpu",
) -> Trained:
    """Learn one dictionary; see `train_together`.

    Args:
        train: activations of training trials, raw: a stream, or (n, dim) float32 in memory.
        selection: clean activations of the selection block, (m, dim) float32, raw.
        options: widths, lengths, rates.
        seed: of the first weights and of the order of samples.
        progress, checkpoint, device: as there.
        new: makes the dictionary that is trained, from the size of an activation and the options.
    """
    stream = train if isinstance(train, Stream) else Stream(train, len(train))
    wanted = [Wanted(options, seed, new)]
    return train_together(stream, selection, wanted, progress, checkpoint, device)[0]


def _learn(
    training: Training,
    batches: Sequence[torch.Tensor],
    selection: torch.Tensor,
    progress: Progress | None,
) -> None:
    """Some steps of one training; what is left of it counts as done where it ends early."""
    before, note = training.done, ""
    for x in batches:
        training.step(x)
        if training.look_is_due:
            note = f"explained variance {training.look(selection):.3f}"
        if training.ended:
            break
    until = training.steps if training.ended else training.done
    if progress is not None:
        note = note or (f"explained variance {training.curve[-1][1]:.3f}" if training.curve else "")
        progress((until - before) * training.batch, note)


def _keep(trainings: Sequence[Training], at: int, checkpoint: Checkpoint) -> None:
    tensors = {
        f"{i}.{name}": value
        for i, training in enumerate(trainings)
        for name, value in training.tensors().items()
    }
    facts = {"at": at, "of": [training.facts() for training in trainings]}
    checkpoint.save(tensors, facts)


def _taken_up(trainings: Sequence[Training], checkpoint: Checkpoint | None) -> int:
    """Batches that were learned from before; 0 where there is no state."""
    kept = checkpoint.load() if checkpoint is not None else None
    if kept is None:
        return 0
    tensors, facts = kept
    for i, (training, its) in enumerate(zip(trainings, facts["of"], strict=True)):
        start = f"{i}."
        own = {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}
        training.restore(own, its)
    return facts["at"]

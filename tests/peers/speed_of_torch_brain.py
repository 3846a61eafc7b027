"""Train torch_brain's CalciumPOYOPlus for a while and say how fast it was.

.venv-torch_brain/bin/python tests/peers/speed_of_torch_brain.py TRIALS.npz '{"measure": "train"}'

TRIALS.npz has `value` (trials, cells, samples), z-scored dF/F of 1 s around the midpoint of each
trial; `rate` (samples a second); `part` (0 training, 1 selection); and the class of each task as
`label/NAME`. Sizes, unit dropout, optimiser and batch are those of its configuration for a single
session. Tokens are made before the clock starts; what is timed is putting them together, the loss,
its gradient and the step. The last line of the output is JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch_brain
from torch_brain.data import collate, pad8, track_mask8
from torch_brain.models import CalciumPOYOPlus
from torch_brain.optim import SparseLamb
from torch_brain.registry import DataType, ModalitySpec
from torch_brain.transforms.unit_dropout import TriangleDistribution
from torch_brain.utils import create_linspace_latent_tokens

SIZES = dict(
    sequence_length=1.0,
    latent_step=0.125,
    num_latents_per_step=16,
    dim=64,
    dim_head=64,
    depth=6,
    cross_heads=2,
    self_heads=8,
    ffn_dropout=0.2,
    lin_dropout=0.4,
    atn_dropout=0.2,
)
UNIT_DROPOUT = dict(min_units=10, mode_units=50, max_units=300, tail_right=100)
BATCH = 64
LEARNING_RATE = 3.125e-5 * BATCH
CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}


class Trials:
    """The trials, and batches of them as the model takes them."""

    def __init__(self, path: str):
        with np.load(path) as arrays:
            self.value, self.part = arrays["value"], arrays["part"]
            self.rate = float(arrays["rate"])
            self.label = {
                key.split("/")[1]: torch.from_numpy(arrays[key]).long()
                for key in arrays
                if key.startswith("label/")
            }
        self.n_cells, n_samples = self.value.shape[1:]
        self.time = ((np.arange(n_samples) + 0.5) / self.rate).astype(np.float32)
        latent, latent_time = create_linspace_latent_tokens(
            0, 1.0, step=SIZES["latent_step"], num_latents_per_step=SIZES["num_latents_per_step"]
        )
        self.latent, self.latent_time = latent, latent_time.astype(np.float32)
        self.dropout = TriangleDistribution(**UNIT_DROPOUT, seed=0)
        self.rng = np.random.default_rng(0)

    def model(self) -> CalciumPOYOPlus:
        specs = {
            task: ModalitySpec(
                id=number,
                dim=int(label.max()) + 1,
                type=DataType.MULTINOMIAL,
                timestamp_key="-",
                value_key="-",
                loss_fn=torch_brain.nn.loss.CrossEntropyLoss(),
            )
            for number, (task, label) in enumerate(self.label.items(), start=1)
        }
        model = CalciumPOYOPlus(readout_specs=specs, **SIZES)
        model.unit_emb.initialize_vocab([str(cell) for cell in range(self.n_cells)])
        model.session_emb.initialize_vocab(["session"])
        return model

    def tokens(self, trial: int, dropout: bool) -> dict[str, object]:
        """One trial as its tokeniser makes it, time by time and cell by cell."""
        cells = np.arange(self.n_cells)
        if dropout:
            kept = int(self.dropout.sample(self.n_cells))
            cells = np.sort(self.rng.permutation(self.n_cells)[:kept])
        unit = np.tile(cells + 1, len(self.time))
        n_tasks = len(self.label)
        return {
            "input_unit_index": pad8(torch.from_numpy(unit)),
            "input_timestamps": pad8(torch.from_numpy(np.repeat(self.time, len(cells)))),
            "input_values": pad8(torch.from_numpy(self.value[trial, cells].T.reshape(-1, 1))),
            "input_mask": track_mask8(unit),
            "latent_index": self.latent,
            "latent_timestamps": self.latent_time,
            "output_session_index": pad8(torch.ones(n_tasks, dtype=torch.int64)),
            "output_timestamps": pad8(torch.full((n_tasks,), 0.5)),
            "output_decoder_index": pad8(torch.arange(1, n_tasks + 1)),
        }

    def of(self, trials: np.ndarray, dropout: bool) -> list[dict[str, object]]:
        return [self.tokens(trial, dropout) for trial in trials]


def training_step(model: CalciumPOYOPlus, optimiser, trials: Trials, batch: np.ndarray, tokens):
    optimiser.zero_grad()
    outputs = model(**collate(tokens))
    loss = sum(
        model.readout_specs[task].loss_fn(outputs[task], trials.label[task][batch])
        for task in trials.label
    )
    loss.backward()
    optimiser.step()


def optimiser_of(model: CalciumPOYOPlus) -> SparseLamb:
    sparse = [*model.unit_emb.parameters(), *model.session_emb.parameters()]
    known = {id(weight) for weight in sparse}
    rest = [weight for weight in model.parameters() if id(weight) not in known]
    groups = [{"params": sparse, "sparse": True}, {"params": rest}]
    return SparseLamb(groups, lr=LEARNING_RATE, weight_decay=1e-4)


@torch.no_grad()
def selection_accuracy(model: CalciumPOYOPlus, trials: Trials) -> float:
    """Accuracy on the selection trials, averaged over the tasks."""
    model.eval()
    chosen = np.flatnonzero(trials.part == 1)
    right = {task: 0 for task in trials.label}
    for first in range(0, len(chosen), BATCH):
        batch = chosen[first : first + BATCH]
        outputs = model(**collate(trials.of(batch, False)))
        for task in right:
            right[task] += int((outputs[task].argmax(1) == trials.label[task][batch]).sum())
    model.train()
    return float(np.mean([count / len(chosen) for count in right.values()]))


def main(path: str, wanted: str) -> None:
    given = {"threads": 1, "clock": "cpu", "steps": 1, "seconds": 60} | json.loads(wanted)
    torch.set_num_threads(given["threads"])
    torch.manual_seed(0)
    np.random.seed(0)
    clock = CLOCKS[given["clock"]]
    trials = Trials(path)
    model = trials.model().train()
    optimiser = optimiser_of(model)
    training = np.flatnonzero(trials.part == 0)
    found: dict[str, float] = {}
    if given["measure"] == "train":
        batches = [trials.rng.permutation(training)[:BATCH] for _ in range(given["steps"] + 1)]
        tokens = [trials.of(batch, True) for batch in batches]
        began = 0.0
        for place, (batch, made) in enumerate(zip(batches, tokens, strict=True)):
            if place == 1:  # the first step warms up
                began = clock()
            training_step(model, optimiser, trials, batch, made)
        found["trials_per_s"] = given["steps"] * BATCH / (clock() - began)
    elif given["measure"] == "infer":
        model.eval()
        tokens = [trials.of(training[:BATCH], False) for _ in range(given["steps"] + 1)]
        with torch.no_grad():
            model(**collate(tokens[0]))
            began = clock()
            for made in tokens[1:]:
                model(**collate(made))
        found["trials_per_s"] = given["steps"] * BATCH / (clock() - began)
    else:  # seconds of training until it decodes so well, looked at after each pass
        spent, accuracy = 0.0, 0.0
        while spent < given["seconds"] and accuracy < given["accuracy"]:
            order = trials.rng.permutation(training)
            for first in range(0, len(order) - BATCH + 1, BATCH):
                batch = order[first : first + BATCH]
                made = trials.of(batch, True)
                began = clock()
                training_step(model, optimiser, trials, batch, made)
                spent += clock() - began
                if spent >= given["seconds"]:
                    break
            accuracy = selection_accuracy(model, trials)
        found |= {"seconds": spent, "best": accuracy}
    status = Path("/proc/self/status").read_text()
    found["peak_mb"] = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps(found | {"version": torch_brain.__version__}))


if __name__ == "__main__":
    main(*sys.argv[1:])

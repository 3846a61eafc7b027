"""Run torch_brain's CalciumPOYOPlus on random inputs and write all that went in and came out.

.venv-torch_brain/bin/python tests/peers/poyo_plus_of_torch_brain.py OUT.npz [tiny | single_session]

Weights, inputs with padding, what passes the hook points and the outputs are drawn from a fixed
seed. The everyday tests' reference arrays were made with
.venv-torch_brain/bin/python tests/peers/poyo_plus_of_torch_brain.py tests/unit/data/poyo_plus.npz
"""

from __future__ import annotations

import sys

import numpy as np
import torch
import torch_brain
from torch_brain.models import CalciumPOYOPlus
from torch_brain.registry import DataType, ModalitySpec

SIZES = {
    "tiny": dict(
        sequence_length=1.0,
        latent_step=0.25,
        num_latents_per_step=2,
        dim=8,
        dim_head=8,
        depth=2,
        cross_heads=2,
        self_heads=3,
    ),
    "single_session": dict(
        sequence_length=1.0,
        latent_step=0.125,
        num_latents_per_step=16,
        dim=64,
        dim_head=64,
        depth=6,
        cross_heads=2,
        self_heads=8,
    ),
}
WIDTHS = {"direction": 8, "temporal_frequency": 5, "running_speed": 1}
UNITS = {"a": 6, "b": 4, "c": 5}  # cells by session
TRIALS = (("a", 7), ("b", 5), ("a", 3), ("c", 4))  # session and samples: rows differ in length
# What each trial is asked: task and time; some ask twice, some fewer than others.
ASKED = (
    (("direction", 0.5), ("temporal_frequency", 0.5)),
    (("direction", 0.31), ("running_speed", 0.1), ("running_speed", 0.9)),
    (("running_speed", 0.77),),
    (("temporal_frequency", 0.02), ("direction", 0.98)),
)


def model_of(size: str) -> CalciumPOYOPlus:
    specs = {
        name: ModalitySpec(
            id=number,
            dim=width,
            type=DataType.MULTINOMIAL,
            timestamp_key="-",
            value_key="-",
            loss_fn=torch_brain.nn.loss.MSELoss(),
        )
        for number, (name, width) in enumerate(WIDTHS.items(), start=1)
    }
    model = CalciumPOYOPlus(readout_specs=specs, **SIZES[size])
    model.unit_emb.initialize_vocab([f"{s}/{i}" for s, n in UNITS.items() for i in range(n)])
    model.session_emb.initialize_vocab(list(UNITS))
    noise = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            # Attention far from uniform and answers of the order of 1, so that a fault shows.
            scale = 1.0 if "emb" in name or weight.ndim == 1 else 1.5 / weight.shape[1] ** 0.5
            weight.copy_(torch.randn(weight.shape, generator=noise) * scale)
    return model.eval()


def inputs_of(model: CalciumPOYOPlus, size: str) -> dict[str, torch.Tensor]:
    """A batch of trials, rows filled up with zeros."""
    rng = np.random.default_rng(1)
    rows: list[dict[str, np.ndarray]] = []
    for (session, samples), asked in zip(TRIALS, ASKED, strict=True):
        cells = UNITS[session]
        units = model.unit_emb.tokenizer([f"{session}/{i}" for i in range(cells)])
        task, time = zip(*asked, strict=True)
        rows.append(
            {
                "input_unit_index": np.tile(np.asarray(units), samples),
                "input_timestamps": np.repeat((np.arange(samples) + 0.5) / samples, cells),
                "input_values": rng.normal(size=(samples * cells, 1)) * 2,
                "input_mask": np.ones(samples * cells, dtype=bool),
                "output_session_index": np.full(len(task), model.session_emb.tokenizer(session)),
                "output_timestamps": np.asarray(time),
                "output_decoder_index": np.asarray([1 + list(WIDTHS).index(name) for name in task]),
            }
        )
    inputs = {name: padded([row[name] for row in rows]) for name in rows[0]}
    sizes = SIZES[size]
    step, per_step = sizes["latent_step"], sizes["num_latents_per_step"]
    middle = np.arange(0, sizes["sequence_length"], step) + step / 2
    inputs["latent_index"] = repeated(np.tile(np.arange(per_step), len(middle)))
    inputs["latent_timestamps"] = repeated(np.repeat(middle, per_step).astype(np.float32))
    return inputs


def padded(rows: list[np.ndarray]) -> torch.Tensor:
    rows = [row.astype(np.float32) if row.dtype == np.float64 else row for row in rows]
    tensors = [torch.from_numpy(row) for row in rows]
    return torch.nn.utils.rnn.pad_sequence(tensors, batch_first=True)


def repeated(row: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(row).expand(len(TRIALS), -1)


def watch(model: CalciumPOYOPlus) -> dict[str, torch.Tensor]:
    """What passes the places that are our hook points, by our names; filled by a forward pass."""
    seen: dict[str, torch.Tensor] = {}

    def keep_output(place: str):
        return lambda module, given, output: seen.__setitem__(place, output)

    model.enc_atn.register_forward_hook(keep_output("encoder.attention"))
    model.dec_atn.register_forward_hook(keep_output("queries.attention"))
    for i, (attention, _) in enumerate(model.proc_layers):
        attention.register_forward_hook(keep_output(f"block{i}.attention"))
        # What enters a block is what left the one before.
        before = f"block{i - 1}" if i else "encoder"
        attention.register_forward_pre_hook(
            lambda module, given, place=before: seen.__setitem__(place, given[0])
        )
    model.dec_atn.register_forward_pre_hook(
        lambda module, given: seen.__setitem__("latents", given[1])
    )
    model.readout.register_forward_pre_hook(
        lambda module, given, named: seen.__setitem__("queries", named["output_embs"]),
        with_kwargs=True,
    )
    return seen


@torch.no_grad()
def main(out: str, size: str = "tiny") -> None:
    torch.set_num_threads(1)
    model = model_of(size)
    inputs = inputs_of(model, size)
    seen = watch(model)
    outputs = model(**inputs)
    state = {k: v for k, v in model.state_dict().items() if isinstance(v, torch.Tensor)}
    groups = {"weights": state, "inputs": inputs, "hooks": seen, "outputs": outputs}
    arrays = {
        f"{group}/{name}": tensor.numpy()
        for group, tensors in groups.items()
        for name, tensor in tensors.items()
    }
    np.savez_compressed(out, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])

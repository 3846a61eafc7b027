"""The device, the precision and the processes of training, through Lightning Fabric."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable
from pathlib import Path

import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers import TensorBoardLogger
from torch import nn

from glassbox.decoders.options import SECTION, DecoderOptions
from glassbox.errors import UserError


def device_of(options: DecoderOptions) -> torch.device:
    """The device that the options ask for; `auto` is CUDA where there is any."""
    if options.device == "cuda" and not torch.cuda.is_available():
        raise UserError(
            f"{SECTION}.device: found cuda, but PyTorch sees no CUDA device here; "
            "choose auto or cpu."
        )
    wanted = options.device
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(wanted)


def launched(options: DecoderOptions, logs: str | Path | None = None) -> Fabric:
    """Fabric on the devices of the options, its processes started.

    With several devices this process goes on as the first of them; the others run the same
    command and come here too.

    Args:
        options: of the decoders.
        logs: folder of TensorBoard events, where the options ask for them.
    """
    device = device_of(options)
    if device.type == "cuda" and options.devices > torch.cuda.device_count():
        raise UserError(
            f"{SECTION}.devices: found {options.devices}, but PyTorch sees "
            f"{torch.cuda.device_count()} CUDA devices here; choose at most so many."
        )
    fabric = local(device, options, logs if options.tensorboard else None)
    fabric.launch()
    return fabric


def local(
    device: torch.device, options: DecoderOptions | None = None, logs: str | Path | None = None
) -> Fabric:
    """Fabric on one device, or on those of the options."""
    devices = 1 if options is None else options.devices
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # It advises bf16 on CPUs of some kinds; what is computed in is the user's choice.
        warnings.simplefilter("ignore")
        return Fabric(
            accelerator=device.type,
            devices=devices,
            strategy="ddp" if devices > 1 else "auto",
            precision="32-true" if options is None else options.precision,
            loggers=[] if logs is None else [TensorBoardLogger(logs, name="", version="")],
        )


@torch.no_grad()
def sum_gradients(fabric: Fabric, parameters: Iterable[nn.Parameter]) -> None:
    """Add the gradients of all processes, each of which holds a part of the loss.

    One message for all of them. A parameter without a gradient in one process may have one in
    another: it counts as zero there, and one that has none anywhere keeps none.
    """
    if fabric.world_size == 1:
        return
    parameters = list(parameters)
    parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    has = torch.tensor([float(p.grad is not None) for p in parameters], device=parts[0].device)
    message = torch.cat([has, *(part.flatten() for part in parts)])
    message = fabric.all_reduce(message, reduce_op="sum")
    anywhere, at = message[: len(parameters)] > 0, len(parameters)
    for parameter, known in zip(parameters, anywhere.tolist(), strict=True):
        total = message[at : at + parameter.numel()].view_as(parameter)
        parameter.grad = total.clone() if known else None
        at += parameter.numel()

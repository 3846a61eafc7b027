"""What each latent of an identity-keyed decoder hears: of which cells, when, and with which sign.

What enters a latent is linear in the scaled dF/F of a trial, so the encoder has an exact receptive
field: a vector of the latent's space for each cell and sample. It is written as a sum of
components, the singular value decomposition of the field: a map over cells and time, signed, times
a direction in the latent's space. A latent that has one component hears one weighted sum of the
recording.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr

from glassbox.decoders.fitted import FittedDecoder, read_description
from glassbox.errors import UserError
from glassbox.files import replacing_file, replacing_folder
from glassbox.tables import write_rows

COLUMNS = tuple(
    "cohort session stimulus seed fold latent share cell cell_specimen_id time_s weight".split()
)
COMPONENTS = 3
CELLS_SHOWN = 20  # in the table, the strongest of each latent; the store has all


@dataclass(frozen=True)
class Components:
    """The strongest components of the receptive field of each latent.

    Attributes:
        weight: (components, latents, cells, samples); the largest in size is positive.
        direction: of unit length, (components, latents, dim).
        share: of the squared field that a component makes, (components, latents).
    """

    weight: np.ndarray
    direction: np.ndarray
    share: np.ndarray


def components_of(field: torch.Tensor, n: int) -> Components:
    """The `n` strongest components of a field, (cells, samples, latents, dim).

    All of them, one for each dimension, add up to the field.
    """
    cells, samples, latents, dim = field.shape
    flat = field.permute(2, 0, 1, 3).reshape(latents, cells * samples, dim).double()
    energy, basis = torch.linalg.eigh(flat.transpose(1, 2) @ flat)  # ascending
    direction = basis[:, :, -n:].flip(2)
    weight = (flat @ direction).transpose(1, 2)  # (latents, n, cells · samples)
    largest = weight.abs().argmax(2, keepdim=True)
    sign = torch.where(weight.gather(2, largest) < 0, -1.0, 1.0).double()
    whole = energy.sum(1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
    share = energy[:, -n:].flip(1).clamp_min(0) / whole
    shaped = (weight * sign).unflatten(2, (cells, samples)).transpose(0, 1)
    pointed = (direction.transpose(1, 2) * sign).transpose(0, 1)
    return Components(shaped.numpy(), pointed.numpy(), share.T.numpy())


def export_receptive_fields(decoder_folder: str | Path, out: str | Path, csv: str | Path) -> None:
    """Write the receptive fields of every decoder and session of a cohort.

    Args:
        decoder_folder: `results/decoders/{cohort}`.
        out: Zarr store to make, one group `seed{S}-fold{F}/{session}/{stimulus}` each, with the
            arrays of `Components`.
        csv: table of the first component of the first decoder and session, of each latent's
            strongest cells.

    Raises:
        UserError: the decoder's encoder is not linear, so that it has no receptive field.
    """
    about = read_description(decoder_folder)
    if about["model"] != "identity_keyed":
        raise UserError(
            f"{decoder_folder}: found a decoder of the kind {about['model']}; expected "
            "identity_keyed, the one whose encoder has exact receptive fields."
        )
    rows: list[dict[str, Any]] = []
    with replacing_folder(out) as folder:
        for seed in about["seeds"]:
            for fold in about["folds"]:
                decoder = FittedDecoder.load(decoder_folder, seed, fold)
                for name, session in decoder.sessions.items():
                    for stimulus in session.stimuli:
                        field = decoder.receptive_fields(name, stimulus)
                        found = components_of(field, COMPONENTS)
                        times = _times(decoder, stimulus)
                        data = _dataset(found, session.cells, times, decoder, name, stimulus)
                        group = f"seed{seed}-fold{fold}/{name}/{stimulus}"
                        data.to_zarr(
                            folder, group=group, mode="a", zarr_format=3, consolidated=False
                        )
                        rows = rows or list(_rows(found, session.cells, times, decoder, name))
    with replacing_file(csv) as partial:
        write_rows(partial, COLUMNS, rows)


def _times(decoder: FittedDecoder, stimulus: str) -> np.ndarray:
    """Middle of each sample from the onset, s, (samples,)."""
    window = decoder.options.window(stimulus)
    return window.start_s + (np.arange(window.n_samples) + 0.5) / window.samples_per_s


def _dataset(
    found: Components,
    cells: np.ndarray,
    times: np.ndarray,
    decoder: FittedDecoder,
    session: str,
    stimulus: str,
) -> xr.Dataset:
    return xr.Dataset(
        {
            "weight": (
                ("component", "latent", "cell", "time"),
                found.weight.astype(np.float32),
                {"long_name": "what one standard deviation of dF/F adds along the direction"},
            ),
            "direction": (("component", "latent", "dim"), found.direction.astype(np.float32)),
            "share": (
                ("component", "latent"),
                found.share,
                {"long_name": "share of the squared receptive field"},
            ),
        },
        coords={
            "cell": ("cell", cells, {"long_name": "cell specimen id"}),
            "time": ("time", times, {"units": "s", "long_name": "time from the onset"}),
        },
        attrs={
            "cohort": decoder.cohort,
            "session": session,
            "stimulus": stimulus,
            "seed": decoder.seed,
            "fold": decoder.fold,
        },
    )


def _rows(
    found: Components, cells: np.ndarray, times: np.ndarray, decoder: FittedDecoder, session: str
) -> Iterator[dict[str, Any]]:
    """The first component of each latent at its strongest cells, the strongest first."""
    for latent, weight in enumerate(found.weight[0]):
        strongest = np.argsort(-np.linalg.norm(weight, axis=1), kind="stable")[:CELLS_SHOWN]
        for cell in strongest:
            for time, value in zip(times, weight[cell], strict=True):
                yield {
                    "cohort": decoder.cohort,
                    "session": session,
                    "stimulus": decoder.stimulus,
                    "seed": decoder.seed,
                    "fold": decoder.fold,
                    "latent": latent,
                    "share": found.share[0, latent],
                    "cell": int(cell),
                    "cell_specimen_id": int(cells[cell]),
                    "time_s": time,
                    "weight": value,
                }

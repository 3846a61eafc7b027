"""A trained decoder, opened again for the stages after it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from glassbox.decoders.identity_keyed import IdentityKeyedDecoder
from glassbox.decoders.options import SECTION, DecoderOptions
from glassbox.decoders.predict import piece_of
from glassbox.errors import UserError
from glassbox.options import options_from


@dataclass(frozen=True)
class FittedSession:
    """What a decoder knows of one of its sessions; `store` is the name of the tensor's folder."""

    session: str
    mouse: str
    cre_line: str
    n_cells: int
    store: str
    held_out: bool


@dataclass(frozen=True)
class FittedDecoder:
    """One trained decoder.

    Attributes:
        cohort, level: of the decoder.
        seed, fold, split: which one it is.
        options: as it was trained.
        stimulus: the stimulus whose trials it decodes.
        tasks: class values by task, (classes,), f8; class index i of a label is value i.
        sessions: by name, those of the body first, then held-out ones.
        model: the network, in evaluation: no method draws random numbers.
    """

    cohort: str
    level: str
    seed: int
    fold: int
    split: str
    options: DecoderOptions
    stimulus: str
    tasks: Mapping[str, np.ndarray]
    sessions: Mapping[str, FittedSession]
    model: IdentityKeyedDecoder

    @classmethod
    def load(
        cls, folder: str | Path, seed: int, fold: int, device: str | torch.device = "cpu"
    ) -> FittedDecoder:
        """Open one decoder of `results/decoders/{cohort}`.

        Raises:
            UserError: there is no such decoder, or a file of it is damaged.
        """
        folder = Path(folder)
        about = read_description(folder)
        tasks = {task: np.asarray(values) for task, values in about["tasks"].items()}
        options = options_from(DecoderOptions, about["options"], SECTION)
        tasks = {task: tasks[task] for task in options.tasks}
        sessions = {entry["session"]: FittedSession(**entry) for entry in about["sessions"]}
        model = IdentityKeyedDecoder(
            options,
            {name: session.n_cells for name, session in sessions.items()},
            {task: len(values) for task, values in tasks.items()},
        )
        path = folder / f"seed{seed}-fold{fold}.safetensors"
        if not path.exists():
            raise UserError(
                f"{path}: no such decoder; {folder.name} has the seeds {about['seeds']} and the "
                f"folds {about['folds']}."
            )
        try:
            model.load_state_dict(load_file(path))
        except (SafetensorError, RuntimeError):
            raise UserError(
                f"{path}: the weights are damaged or of another model; delete {folder} and run "
                "the rule train_decoder again."
            ) from None
        model.to(device).requires_grad_(False)
        return cls(
            cohort=about["cohort"],
            level=about["level"],
            seed=seed,
            fold=fold,
            split=about["split"],
            options=options,
            stimulus=about["stimulus"],
            tasks=tasks,
            sessions=sessions,
            model=model,
        )

    @torch.inference_mode()
    def latents(
        self, session: str, windows: np.ndarray | torch.Tensor, keep: np.ndarray | None = None
    ) -> torch.Tensor:
        """Activations at the hook point `latents`, (trials, latents, dim), f4.

        Args:
            session: whose cells the windows are of.
            windows: raw dF/F, (trials, cells, samples), f4; scaling happens inside.
            keep: indices of the cells to use; None: all.
        """
        self._check(session, windows)
        windows = torch.as_tensor(windows, dtype=torch.float32)
        kept = None if keep is None else torch.as_tensor(keep).to(self.model.device)
        pieces = windows.split(piece_of(self.model, windows.shape[1]))
        return torch.cat(
            [self.model.encode(session, p.to(self.model.device), kept) for p in pieces]
        )

    @torch.inference_mode()
    def readout(self, latents: torch.Tensor) -> dict[str, torch.Tensor]:
        """Logits by task, (trials, classes), from activations at the hook point."""
        return self.model.readout(latents)

    @torch.inference_mode()
    def receptive_fields(self, session: str) -> torch.Tensor:
        """What enters each latent for one unit of scaled dF/F, (cells, samples, latents, dim).

        Exact: the encoder is linear in the scaled dF/F of a trial.
        """
        model = self.model
        pattern = model.attention_pattern(session)
        heads, latents, _ = pattern.shape
        value = model.cells_of(session).value
        per_cell = pattern.view(heads, latents, len(value), -1)
        projection = model.value.weight.unflatten(0, (heads, -1))
        output = model.attended.weight.unflatten(1, (heads, -1))
        weight = torch.einsum("oha,hae->ohe", output, projection)
        field = torch.einsum("hlcp,ce,se,ohe->cpslo", per_cell, value, model.filters, weight)
        return field.flatten(1, 2) * len(value) ** 0.5

    def _check(self, session: str, windows: np.ndarray | torch.Tensor) -> None:
        if session not in self.sessions:
            raise UserError(
                f"{self.cohort}: the decoder does not know the session {session}; it knows "
                f"{', '.join(self.sessions)}."
            )
        expected = (self.sessions[session].n_cells, self.options.n_samples)
        if tuple(windows.shape[1:]) != expected:
            raise UserError(
                f"{session}: expected windows of {expected[0]} cells × {expected[1]} samples; "
                f"found {' × '.join(map(str, windows.shape[1:]))}."
            )


def read_description(folder: str | Path) -> dict[str, Any]:
    """The content of `decoder.json`."""
    path = Path(folder) / "decoder.json"
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run the rule train_decoder first.") from None
    except ValueError:
        raise UserError(
            f"{path}: no JSON; delete {folder} and run the rule train_decoder again."
        ) from None

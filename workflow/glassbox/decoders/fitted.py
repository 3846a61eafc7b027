"""A trained decoder, opened again for the stages after it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from glassbox.decoders.hook_names import check_hook
from glassbox.decoders.identity_keyed import IdentityKeyedDecoder
from glassbox.decoders.model import Decoder, new_decoder
from glassbox.decoders.options import SECTION, DecoderOptions
from glassbox.decoders.predict import piece_of
from glassbox.decoders.resume import Passed, answers_from, passed
from glassbox.decoders.targets import targets_of
from glassbox.errors import UserError
from glassbox.options import options_from


@dataclass(frozen=True)
class FittedSession:
    """What a decoder knows of one of its sessions.

    Attributes:
        session, mouse, cre_line: texts.
        cells: identity of each cell over sessions, (cells,), i8.
        stimuli: those whose trials were decoded.
        store: name of the tensor's folder.
        held_out: the body was trained without it.
    """

    session: str
    mouse: str
    cre_line: str
    cells: np.ndarray = field(repr=False)
    stimuli: tuple[str, ...]
    store: str
    held_out: bool

    @property
    def n_cells(self) -> int:
        return len(self.cells)


@dataclass(frozen=True)
class FittedDecoder:
    """One trained decoder.

    Attributes:
        cohort, level: of the decoder.
        seed, fold, split: which one it is.
        options: as it was trained.
        stimulus: the stimulus whose trials the stages after it look at, that of its first task.
        tasks: class values by task of that stimulus, (classes,), f8; class index i of a label is
            value i.
        sessions: by name, those of the body first, then held-out ones.
        model: the network, in evaluation: no method draws random numbers.
        classes: class values of every task that has classes, whatever its stimulus.
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
    model: Decoder
    classes: Mapping[str, np.ndarray] = field(default_factory=dict, repr=False)

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
        options = options_from(DecoderOptions, about["options"], SECTION)
        classes = {
            t: np.asarray(about["classes"][t]) for t in about["tasks"] if t in about["classes"]
        }
        sessions = {
            entry["session"]: FittedSession(
                **entry | {"cells": np.asarray(entry["cells"]), "stimuli": tuple(entry["stimuli"])}
            )
            for entry in about["sessions"]
        }
        targets = targets_of(options, about["tasks"], {t: len(v) for t, v in classes.items()})
        cells = {name: session.cells for name, session in sessions.items()}
        body = [name for name, session in sessions.items() if not session.held_out]
        model = new_decoder(options, cells, targets, body if options.share_units else ())
        stimulus = targets.stimuli[0]
        tasks = {task: classes[task] for task in targets.of(stimulus) if task in classes}
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
            stimulus=stimulus,
            tasks=tasks,
            sessions=sessions,
            model=model,
            classes=classes,
        )

    @property
    def other_stimuli(self) -> tuple[str, ...]:
        """Stimuli beside the first whose trials have classes to tell."""
        targets = self.model.targets
        return tuple(
            stimulus
            for stimulus in targets.stimuli
            if stimulus != self.stimulus and any(t in self.classes for t in targets.of(stimulus))
        )

    def of_stimulus(self, stimulus: str) -> FittedDecoder:
        """The same decoder, as one that looks at the trials of another of its stimuli."""
        tasks = [task for task in self.model.targets.of(stimulus) if task in self.classes]
        return replace(self, stimulus=stimulus, tasks={t: self.classes[t] for t in tasks})

    @torch.inference_mode()
    def at(
        self,
        hook: str,
        session: str,
        windows: np.ndarray | torch.Tensor,
        keep: np.ndarray | None = None,
        stimulus: str | None = None,
    ) -> Passed:
        """Activations at a hook point, (trials, positions, dim), f4.

        Args:
            hook: one of `model.hooks`.
            session, windows, keep, stimulus: as `latents` takes them.

        Raises:
            UserError: the decoder has no such hook point.
        """
        check_hook(hook, self.options)
        stimulus = stimulus or self.stimulus
        self._check(session, stimulus, windows)
        windows = torch.as_tensor(windows, dtype=torch.float32)
        kept = None if keep is None else torch.as_tensor(keep).to(self.model.device)
        device, tasks = self.model.device, tuple(self.tasks)
        parts = [
            passed(self.model, hook, tasks, session, stimulus, piece.to(device), kept)
            for piece in windows.split(piece_of(self.model, stimulus, windows.shape[1]))
        ]
        beside = [part.beside for part in parts if part.beside is not None]
        return Passed(
            torch.cat([part.value for part in parts]), torch.cat(beside) if beside else None
        )

    @torch.inference_mode()
    def answers(
        self,
        hook: str,
        value: torch.Tensor,
        sessions: Sequence[str] | None = None,
        beside: torch.Tensor | None = None,
    ) -> dict[str, torch.Tensor]:
        """Logits by task, (trials, classes), from activations at a hook point.

        Args:
            hook: one of `model.hooks`.
            value, beside: (trials, positions, dim), as `at` gives them.
            sessions: of each trial, (trials,); only `poyo_plus` asks for them.
        """
        return answers_from(self.model, hook, value, tuple(self.tasks), sessions, beside)

    @torch.inference_mode()
    def latents(
        self,
        session: str,
        windows: np.ndarray | torch.Tensor,
        keep: np.ndarray | None = None,
        stimulus: str | None = None,
    ) -> torch.Tensor:
        """Activations at the hook point `latents`, (trials, latents, dim), f4.

        Args:
            session: whose cells the windows are of.
            windows: raw dF/F, (trials, cells, samples), f4; scaling happens inside.
            keep: indices of the cells to use; None: all.
            stimulus: whose trials the windows are of; None: the decoder's first.
        """
        return self.at("latents", session, windows, keep, stimulus).value

    @torch.inference_mode()
    def readout(
        self, latents: torch.Tensor, sessions: Sequence[str] | None = None
    ) -> dict[str, torch.Tensor]:
        """Logits by task, (trials, classes), from activations at the hook point.

        Args:
            latents: (trials, latents, dim).
            sessions: of each trial, (trials,); only the readout of `poyo_plus` asks for them.
        """
        return self.answers("latents", latents, sessions)

    @torch.inference_mode()
    def receptive_fields(self, session: str, stimulus: str | None = None) -> torch.Tensor:
        """What enters each latent for one unit of scaled dF/F, (cells, samples, latents, dim).

        Exact: the encoder is linear in the scaled dF/F of a trial.
        """
        model, stimulus = self.model, stimulus or self.stimulus
        if not isinstance(model, IdentityKeyedDecoder):
            raise UserError(
                f"{self.cohort}: its decoders are {self.options.decoder}, whose latents have no "
                "receptive fields: what enters them depends on the trial. Those of identity_keyed "
                "have."
            )
        pattern = model.attention_pattern(session, stimulus)
        heads, latents, _ = pattern.shape
        _, value = model.unit_vectors(session)
        per_cell = pattern.view(heads, latents, len(value), -1)
        projection = model.value.weight.unflatten(0, (heads, -1))
        output = model.attended.weight.unflatten(1, (heads, -1))
        weight = torch.einsum("oha,hae->ohe", output, projection)
        filters = model.fronts[stimulus].filters
        field = torch.einsum("hlcp,ce,se,ohe->cpslo", per_cell, value, filters, weight)
        return field.flatten(1, 2) * len(value) ** 0.5

    def _check(self, session: str, stimulus: str, windows: np.ndarray | torch.Tensor) -> None:
        if session not in self.sessions:
            raise UserError(
                f"{self.cohort}: the decoder does not know the session {session}; it knows "
                f"{', '.join(self.sessions)}."
            )
        expected = (self.sessions[session].n_cells, self.options.n_samples(stimulus))
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

"""The dictionaries of one cohort, one for each decoder (seed and fold)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from glassbox.decoders.fitted import FittedDecoder, read_description
from glassbox.decoders.hook_names import holds_session
from glassbox.decoders.randomness import seed_of, torch_generator
from glassbox.dictionaries.activations import (
    DecodedSession,
    HookTrials,
    hook_trials,
    open_sessions,
    training_cache,
)
from glassbox.dictionaries.agreement import coherence
from glassbox.dictionaries.dictionary import FIRED, Dictionary
from glassbox.dictionaries.metrics import reconstruct
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.dictionaries.rows import (
    DIFFERENCE,
    dictionary_row,
    insertion_rows,
    together,
    with_difference,
)
from glassbox.dictionaries.splice import insertion_scores
from glassbox.dictionaries.train import train_dictionary
from glassbox.files import replacing_file
from glassbox.options import to_json
from glassbox.progress import Progress
from glassbox.tables import write_table
from glassbox.tensors.splits import SELECTION, TEST, TRAIN


@dataclass(frozen=True)
class UnitActivity:
    """What the units of a dictionary do in all trials.

    Attributes:
        mean: activation averaged over latents, (trials, width) f4.
        density: share of training latents in which a unit fired, (width,) f8.
        session_density: share of a session's training latents in which a unit fired, (sessions,
            width) f4; NaN for a session held out.
        energy: mean squared activation on selection trials × squared decoder norm, (width,) f8.
    """

    mean: np.ndarray
    density: np.ndarray
    energy: np.ndarray
    session_density: np.ndarray


def train_dictionaries(
    decoder_folder: str | Path,
    tensors: Sequence[str | Path],
    out: str | Path,
    options: DictionaryOptions,
) -> None:
    """Train, measure and write the dictionaries of a cohort's decoders into the folder `out`."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    runs = runs_of(decoder_folder)
    progress = Progress(len(runs) * options.samples, "train_dictionary", "activation")
    table, scores_of_seed, sessions, decoder = [], {}, None, None
    for seed, fold in runs:
        decoder = FittedDecoder.load(decoder_folder, seed, fold)
        sessions = sessions or open_sessions(decoder, tensors)
        about = _about(decoder, options)
        trials = hook_trials(decoder, sessions, options.hook)
        selection = trials.in_part(SELECTION).latents.flatten(0, 1)
        trained = train_dictionary(
            training_cache(decoder, sessions, options),
            selection,
            options,
            seed_of("dictionary", options.seed, seed, fold),
            progress.step,
        )
        dictionary = trained.dictionary
        activity = activity_of(dictionary, trials)
        test = trials.in_part(TEST, held_out=None)
        noise = torch_generator("noise", options.seed, seed, fold)
        scores = insertion_scores(
            dictionary,
            test.latents,
            test.labels,
            test.readout(decoder),
            options.noise_draws,
            noise,
            trials.in_part(TRAIN).latents.mean(0),
        )
        body_test = trials.in_part(TEST).latents.flatten(0, 1)
        table.append(
            dictionary_row(
                about,
                fold,
                reconstruct(dictionary, body_test),
                float((activity.density == 0).mean()),
                scores,
                trained.epochs,
                coherence(dictionary.W_dec)[0],
            )
        )
        scores_of_seed.setdefault(seed, []).append((scores, test.session_index))
        _write_run(out, seed, fold, dictionary, trials, activity)
    progress.close()
    names = [s.data.session for s in sessions]
    insertion = _insertion(scores_of_seed, names, _about(decoder, options), options)
    write_table("dictionaries", out / "dictionaries.csv", table)
    write_table("insertion", out / "insertion.csv", insertion)
    _write_facts(out, decoder, sessions, runs, options)


def runs_of(decoder_folder: str | Path) -> tuple[tuple[int, int], ...]:
    """Every (seed, fold) of a folder of decoders."""
    about = read_description(decoder_folder)
    return tuple((seed, fold) for seed in about["seeds"] for fold in about["folds"])


@torch.no_grad()
def activity_of(dictionary: Dictionary, trials: HookTrials, block: int = 512) -> UnitActivity:
    """Encode all trials once; density and energy are of the body's sessions."""
    mean, squared = [], torch.zeros(dictionary.width).double()
    n_sessions = int(trials.session_index.max(initial=0)) + 1
    fired = torch.zeros(n_sessions, dictionary.width).double()
    shown = torch.zeros(n_sessions, 1).double()
    n_selection = 0
    for first in range(0, len(trials), block):
        places = slice(first, first + block)
        z = dictionary.encode(trials.latents[places])
        mean.append(z.mean(1).numpy())
        body = ~trials.held_out[places]
        of_train = torch.from_numpy((trials.part[places] == TRAIN) & body)
        of_selection = torch.from_numpy((trials.part[places] == SELECTION) & body)
        session = torch.from_numpy(trials.session_index[places]).long()[of_train]
        fired.index_add_(0, session, (z[of_train] > FIRED).double().sum(1))
        shown.index_add_(0, session, torch.full((len(session), 1), z.shape[1]).double())
        squared += z[of_selection].double().square().sum((0, 1))
        n_selection += int(of_selection.sum()) * z.shape[1]
    norm = dictionary.W_dec.double().square().sum(1)
    return UnitActivity(
        mean=np.concatenate(mean),
        density=(fired.sum(0) / shown.sum().clamp_min(1)).numpy(),
        energy=(squared / max(n_selection, 1) * norm).numpy(),
        session_density=(fired / shown).float().numpy(),
    )


def _about(decoder: FittedDecoder, options: DictionaryOptions) -> dict[str, Any]:
    return {
        "cohort": decoder.cohort,
        "level": decoder.level,
        "seed": decoder.seed,
        "hook": options.hook,
        "dictionary": options.architecture,
        "width": options.width,
        "k": options.k,
    }


def _insertion(scores_of_seed, names, about, options) -> list[dict[str, Any]]:
    """Rows of every seed with folds pooled, and the paired difference as a mean over seeds."""
    rows, differences = [], []
    for seed, folds in scores_of_seed.items():
        scores = with_difference(together([scores for scores, _ in folds]))
        session_index = np.concatenate([index for _, index in folds])
        draw = seed_of("insertion", options.seed)
        rows += insertion_rows(
            about | {"seed": seed}, scores, session_index, names, options.resamples, draw
        )
        differences.append(scores)
    if len(differences) > 1:
        # The same trials in the same order for every seed: a mean over seeds, trial by trial.
        mean = {key: np.mean([s[key] for s in differences], axis=0) for key in differences[0]}
        rows += insertion_rows(
            about | {"seed": None},
            mean,
            session_index,
            names,
            options.resamples,
            draw,
            conditions=(DIFFERENCE,),
        )
    return rows


def _write_run(
    out: Path,
    seed: int,
    fold: int,
    dictionary: Dictionary,
    trials: HookTrials,
    activity: UnitActivity,
) -> None:
    with replacing_file(
        out / f"{dictionary.architecture}-seed{seed}-fold{fold}.safetensors"
    ) as partial:
        dictionary.save(partial)
    with (
        replacing_file(out / f"activations-seed{seed}-fold{fold}.npz") as partial,
        open(partial, "wb") as handle,
    ):
        np.savez(
            handle,
            unit_activation=activity.mean,
            part=trials.part,
            session_index=trials.session_index,
            trial_index=trials.trial_index,
            block=trials.block,
            density=activity.density.astype(np.float32),
            session_density=activity.session_density,
            energy=activity.energy.astype(np.float32),
            latent_mean=trials.latents.mean(1).numpy(),
            **{f"label_{task}": label for task, label in trials.labels.items()},
        )


def _write_facts(
    out: Path,
    decoder: FittedDecoder,
    sessions: Sequence[DecodedSession],
    runs: Sequence[tuple[int, int]],
    options: DictionaryOptions,
) -> None:
    about = json.loads(to_json(options))
    del about["compare"]  # of another rule
    facts = {
        "cohort": decoder.cohort,
        "level": decoder.level,
        "hook": options.hook,
        "holds_session": holds_session(options.hook, decoder.options.decoder),
        "dictionary": options.architecture,
        "options": about,
        "runs": [{"seed": seed, "fold": fold} for seed, fold in runs],
        "classes": {task: [float(v) for v in values] for task, values in decoder.tasks.items()},
        "sessions": [
            {
                "session": s.data.session,
                "mouse": s.data.mouse,
                "cre_line": s.data.cre_line,
                "n_cells": s.data.n_cells,
                "held_out": s.held_out,
            }
            for s in sessions
        ],
    }
    with replacing_file(out / "dictionary.json") as partial:
        partial.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")

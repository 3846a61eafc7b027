"""The dictionaries of one cohort, one for each decoder (seed and fold)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glassbox.decoders.fitted import FittedDecoder, read_description
from glassbox.decoders.hook_names import holds_session
from glassbox.decoders.randomness import seed_of
from glassbox.dictionaries.activations import DecodedSession, open_sessions
from glassbox.dictionaries.agreement import activation_agreement, coherence
from glassbox.dictionaries.beside import behaviour_of
from glassbox.dictionaries.cached import activations_of
from glassbox.dictionaries.dictionary import Dictionary
from glassbox.dictionaries.fine_tune import fine_tuned
from glassbox.dictionaries.keeping import checkpoint_of, device_of, room_of
from glassbox.dictionaries.measure import Measured, measure
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.dictionaries.other_stimuli import Sessions, activity_in_others, open_others
from glassbox.dictionaries.rows import (
    DIFFERENCE,
    dictionary_row,
    insertion_rows,
    session_rows,
    together,
    with_difference,
)
from glassbox.dictionaries.splice_cost import splice_cost
from glassbox.dictionaries.train import train_dictionary
from glassbox.files import replacing_file
from glassbox.options import to_json
from glassbox.progress import Progress
from glassbox.tables import write_table


def train_dictionaries(
    decoder_folder: str | Path,
    tensors: Sequence[str | Path],
    out: str | Path,
    options: DictionaryOptions,
    cache: str | Path | None = None,
) -> None:
    """Train, measure and write the dictionaries of a cohort's decoders.

    Args:
        decoder_folder: of the decoders.
        tensors: stores of their sessions.
        out: folder to write into.
        options: what is trained and how.
        cache: folder of activations that memory has no room for, and of the state of trainings;
            None: nothing is kept there.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    runs, device = runs_of(decoder_folder), device_of(options)
    samples = options.samples + options.fine_tune.samples
    progress = Progress(len(runs) * samples, "train_dictionary", "activation")
    table, by_session, scores_of_seed, first_of_fold = [], [], {}, {}
    sessions = decoder = others = None
    for seed, fold in runs:
        decoder = FittedDecoder.load(decoder_folder, seed, fold)
        sessions = sessions or open_sessions(decoder, tensors, room=room_of(decoder, cache))
        weights = Path(decoder_folder) / f"seed{seed}-fold{fold}.safetensors"
        seen = activations_of(decoder, sessions, options, cache, weights)
        trained = train_dictionary(
            seen.stream,
            seen.selection(),
            options,
            seed_of("dictionary", options.seed, seed, fold),
            progress.step,
            checkpoint=checkpoint_of(cache, seen, options, options.architecture),
            device=device,
        )
        dictionary, about = trained.dictionary, _about(decoder, options)
        if options.fine_tune.samples:
            drawn = seed_of("fine-tuned", options.seed, seed, fold)
            dictionary = fine_tuned(dictionary, seen, options, drawn, progress.step)
        measured = measure(dictionary, seen, options)
        row = dictionary_row(
            about | splice_cost(measured.scores),
            fold,
            measured.test,
            float((measured.activity.density == 0).mean()),
            measured.scores,
            trained.epochs,
            coherence(dictionary.W_dec)[0],
        )
        del row["log_probability_se"]
        answers = measured.test_activation
        table.append(row | _alike(first_of_fold.setdefault(fold, answers), answers))
        by_session += session_rows(about | {"fold": fold}, sessions, measured.sessions)
        scores_of_seed.setdefault(seed, []).append((measured.scores, measured.test_session))
        beside = behaviour_of(sessions, decoder)
        if others is None:
            others = open_others(decoder, tensors, room_of(decoder, cache))
        beside |= activity_in_others(decoder, others, dictionary, options.hook)
        _write_run(out, seed, fold, dictionary, measured, beside)
    progress.close()
    names = [s.data.session for s in sessions]
    insertion = _insertion(scores_of_seed, names, _about(decoder, options), options)
    write_table("dictionaries", out / "dictionaries.csv", table)
    write_table("dictionary_sessions", out / "dictionary_sessions.csv", by_session)
    write_table("insertion", out / "insertion.csv", insertion)
    _write_facts(out, decoder, sessions, others, runs, options)


def runs_of(decoder_folder: str | Path) -> tuple[tuple[int, int], ...]:
    """Every (seed, fold) of a folder of decoders."""
    about = read_description(decoder_folder)
    return tuple((seed, fold) for seed in about["seeds"] for fold in about["folds"])


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


def _alike(first: np.ndarray, this: np.ndarray) -> dict[str, float]:
    """How alike units of the first decoder seed and of this one answer to the same trials."""
    if first is this:
        return {}
    return {
        "agreement_activations": activation_agreement(first, this).matched_cosine,
        "agreement_activations_chance": activation_agreement(
            first, this, shuffled=0
        ).matched_cosine,
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
    measured: Measured,
    beside: dict[str, np.ndarray],
) -> None:
    with replacing_file(
        out / f"{dictionary.architecture}-seed{seed}-fold{fold}.safetensors"
    ) as partial:
        dictionary.save(partial)
    activity = measured.activity
    with (
        replacing_file(out / f"activations-seed{seed}-fold{fold}.npz") as partial,
        open(partial, "wb") as handle,
    ):
        np.savez(
            handle,
            unit_activation=activity.mean,
            density=activity.density.astype(np.float32),
            session_density=activity.session_density,
            energy=activity.energy.astype(np.float32),
            **measured.trials,
            **beside,
        )


def _write_facts(
    out: Path,
    decoder: FittedDecoder,
    sessions: Sequence[DecodedSession],
    others: Sessions,
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
        **_of_stimulus(decoder, sessions),
        "others": {
            stimulus: _of_stimulus(decoder.of_stimulus(stimulus), of_one)
            for stimulus, of_one in others.items()
        },
    }
    with replacing_file(out / "dictionary.json") as partial:
        partial.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")


def _of_stimulus(decoder: FittedDecoder, sessions: Sequence[DecodedSession]) -> dict[str, Any]:
    """Classes of the stimulus that the decoder looks at, and the sessions that have it."""
    return {
        "classes": {task: [float(v) for v in values] for task, values in decoder.tasks.items()},
        "sessions": [
            {
                "session": s.data.session,
                "mouse": s.data.mouse,
                "cre_line": s.data.cre_line,
                "n_cells": s.data.n_cells,
                "held_out": s.held_out,
                **_place(s),
            }
            for s in sessions
        ],
    }


def _place(session: DecodedSession) -> dict[str, Any]:
    """Where a session was recorded, as far as its tensor is known and says it."""
    if session.tensor is None:
        return {}
    depth = session.tensor.depth_um
    return {"area": session.tensor.area, "depth_um": depth if np.isfinite(depth) else None}

"""Many dictionaries and baselines over the activations of one decoder, read and run once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.randomness import seed_of, torch_generator
from glassbox.dictionaries import baselines
from glassbox.dictionaries.activations import (
    HookTrials,
    hook_trials,
    open_sessions,
    training_cache,
)
from glassbox.dictionaries.agreement import agreement, coherence, random_agreement
from glassbox.dictionaries.comparison_options import ComparisonOptions
from glassbox.dictionaries.dictionary import Dictionary
from glassbox.dictionaries.metrics import reconstruct
from glassbox.dictionaries.operating_point import operating_point
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.dictionaries.rows import dictionary_row
from glassbox.dictionaries.splice import insertion_scores
from glassbox.dictionaries.splice_cost import splice_cost
from glassbox.dictionaries.stage import runs_of
from glassbox.dictionaries.train import train_dictionary
from glassbox.files import replacing_file
from glassbox.progress import Progress
from glassbox.tables import write_table
from glassbox.tensors.splits import SELECTION, TEST, TRAIN

PARTS = {"selection": SELECTION, "test": TEST}
Row = dict[str, Any]


def compare_dictionaries(
    decoder_folder: str | Path,
    tensors: Sequence[str | Path],
    out: str | Path,
    options: DictionaryOptions,
) -> None:
    """Write comparison.csv and operating_point.json of a cohort's decoders into `out`."""
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    runs, wanted = runs_of(decoder_folder), options.compare
    trained = len(wanted.architectures) * len(wanted.widths) * len(wanted.ks) * len(wanted.seeds)
    progress = Progress(len(runs) * trained * options.samples, "compare_dictionaries", "activation")
    rows: list[Row] = []
    sessions = None
    for seed, fold in runs:
        decoder = FittedDecoder.load(decoder_folder, seed, fold)
        sessions = sessions or open_sessions(decoder, tensors)
        trials = hook_trials(decoder, sessions)
        about = {
            "cohort": decoder.cohort,
            "level": decoder.level,
            "seed": seed,
            "fold": fold,
            "hook": options.hook,
        }
        cache = training_cache(decoder, sessions, options)
        readout = {
            name: partial(decoder.readout, sessions=trials.in_part(part).session)
            for name, part in PARTS.items()
        }
        for row in compared(cache, trials, readout, options, progress.step):
            rows.append(about | row)
    progress.close()
    picked = operating_point(rows, wanted.architectures)
    for row in rows:
        row["chosen"] = (row["dictionary"], row["width"], row["k"]) == picked
    write_table("comparison", out / "comparison.csv", rows)
    facts = dict(zip(("architecture", "width", "k"), picked, strict=True))
    with replacing_file(out / "operating_point.json") as path:
        path.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")


def compared(
    cache: torch.Tensor,
    trials: HookTrials,
    readout: dict[str, Callable],
    options: DictionaryOptions,
    progress: Callable[[int, str], None] | None = None,
) -> Iterator[Row]:
    """Rows of every dictionary and baseline of one decoder, on its selection and test trials.

    Args:
        cache: activations of training trials, (n, dim).
        trials: activations of all trials.
        readout: from latents of the part's trials to logits, by part.
        options: of the training; architecture, width, k and seed are those of `compare`.
    """
    wanted = options.compare
    selection = trials.in_part(SELECTION).latents.flatten(0, 1)
    for architecture in wanted.architectures:
        for width in wanted.widths:
            for k in wanted.ks:
                first = None
                for seed in wanted.seeds:
                    one = replace(options, architecture=architecture, width=width, k=k)
                    drawn = seed_of("comparison", seed, width, k)
                    made = train_dictionary(cache, selection, one, drawn, progress).dictionary
                    first = first if first is not None else made.W_dec
                    yield from _rows(made, trials, readout, seed, k, first)
    for seed in wanted.seeds:
        for k in wanted.ks:
            for made in of_baselines(cache, trials, k, min(wanted.widths), seed, wanted):
                yield from _rows(made, trials, readout, seed, k, None)


def of_baselines(
    cache: torch.Tensor,
    trials: HookTrials,
    k: int,
    width: int,
    seed: int,
    wanted: ComparisonOptions,
) -> Iterator[Dictionary]:
    """The baselines; those without randomness once, for the first seed."""
    factors = min(width, 2 * cache.shape[1])  # their codes are found by iteration: more cost much
    some = torch_generator("baselines", seed)
    few = cache[torch.randperm(len(cache), generator=some)[: wanted.baseline_samples]]
    yield baselines.ica(few, k, seed)
    yield baselines.semi_nmf(few, k, factors, seed)
    yield baselines.random_dictionary(cache, k, width, seed)
    if seed == wanted.seeds[0]:
        yield baselines.leading_pca(cache, k)
        yield baselines.pca(cache, k)
        yield baselines.raw(cache, k)
        yield baselines.nmf(few, k, factors, seed)
        if k == wanted.ks[0]:  # as many directions as classes, whatever k is
            train = trials.in_part(TRAIN)
            latents = train.latents.shape[1]
            labels = {task: label.repeat(latents) for task, label in train.labels.items()}
            yield baselines.difference_in_means(train.latents.flatten(0, 1), labels)


def _rows(
    made: Dictionary,
    trials: HookTrials,
    readout: dict[str, Callable],
    seed: int,
    k: int,
    first: torch.Tensor | None,
) -> Iterator[Row]:
    train = trials.in_part(TRAIN).latents
    dead = reconstruct(made, train.flatten(0, 1), block=2048).dead_fraction
    alike = by_chance = None
    if first is not None and first is not made.W_dec:
        alike = agreement(first, made.W_dec).matched_cosine
        by_chance = random_agreement(made.width, made.width, made.dim, seed).matched_cosine
    for name, part in PARTS.items():
        shown = trials.in_part(part)
        scores = insertion_scores(
            made, shown.latents, shown.labels, readout[name], 1, torch_generator(0), train.mean(0)
        )
        seen = reconstruct(made, shown.latents.flatten(0, 1), block=2048)
        about = {
            "dictionary": made.architecture,
            "width": made.width,
            "k": k,
            "dictionary_seed": seed,
            "part": name,
            "agreement": alike,
            "agreement_chance": by_chance,
            "explained_variance": seen.explained_variance,
            **splice_cost(scores),
        }
        row = dictionary_row(about, "", seen, dead, scores, 0.0, coherence(made.W_dec)[0])
        yield {name: value for name, value in row.items() if name not in ("fold", "fvu", "epochs")}

"""Many dictionaries and baselines over the activations of one decoder, read and run once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.randomness import seed_of, torch_generator
from glassbox.decoders.untrained import untrained
from glassbox.dictionaries import baselines
from glassbox.dictionaries.activations import (
    HookTrials,
    hook_trials,
    open_sessions,
    training_cache,
)
from glassbox.dictionaries.comparison_options import ComparisonOptions
from glassbox.dictionaries.comparison_rows import PARTS, Row, rows_of
from glassbox.dictionaries.dictionary import Dictionary
from glassbox.dictionaries.operating_point import operating_point
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.dictionaries.random_decoder import new_random_decoder
from glassbox.dictionaries.raw_cells import cell_activity, raw_cells
from glassbox.dictionaries.stage import runs_of
from glassbox.dictionaries.train import train_dictionary
from glassbox.files import replacing_file
from glassbox.progress import Progress
from glassbox.tables import write_table
from glassbox.tensors.splits import SELECTION, TRAIN


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
    sizes = len(wanted.widths) * len(wanted.ks)
    trained = sizes * (len(wanted.architectures) * len(wanted.seeds) + 2)  # 2 baselines, one seed
    progress = Progress(len(runs) * trained * options.samples, "compare_dictionaries", "activation")
    rows: list[Row] = []
    sessions = None
    for seed, fold in runs:
        decoder = FittedDecoder.load(decoder_folder, seed, fold)
        sessions = sessions or open_sessions(decoder, tensors)
        trials = hook_trials(decoder, sessions, options.hook)
        about = {
            "cohort": decoder.cohort,
            "level": decoder.level,
            "seed": seed,
            "fold": fold,
            "hook": options.hook,
        }
        cache = training_cache(decoder, sessions, options)
        readout = {name: trials.in_part(part).readout(decoder) for name, part in PARTS.items()}
        for row in compared(cache, trials, readout, options, progress.step):
            rows.append(about | row)
        clip = decoder.options.clip_low, decoder.options.clip_high
        for row in of_cells(trials, cell_activity(sessions, fold, clip), readout, wanted):
            rows.append(about | row)
        before = untrained(decoder, seed)
        cache = training_cache(before, sessions, options)
        trials = hook_trials(before, sessions, options.hook)
        for row in of_untrained(cache, trials, options, progress.step):
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
                    yield from rows_of(made, trials, readout, seed, k, first)
    for seed in wanted.seeds:
        for k in wanted.ks:
            for made in of_baselines(cache, trials, k, seed, wanted):
                yield from rows_of(made, trials, readout, seed, k)
    for one, seed in _sizes(options):
        made = train_dictionary(cache, selection, one, seed, progress, new_random_decoder)
        yield from rows_of(made.dictionary, trials, readout, wanted.seeds[0], one.k)


def of_untrained(
    cache: torch.Tensor,
    trials: HookTrials,
    options: DictionaryOptions,
    progress: Callable[[int, str], None] | None = None,
) -> Iterator[Row]:
    """Rows of TopK dictionaries of the latents of an untrained decoder, measured on the same.

    It answers by chance, so there is nothing that a splice could cost.
    """
    selection = trials.in_part(SELECTION).latents.flatten(0, 1)
    for one, seed in _sizes(options):
        made = train_dictionary(cache, selection, one, seed, progress).dictionary
        made.architecture = "untrained_decoder"
        yield from rows_of(made, trials, None, options.compare.seeds[0], one.k)


def _sizes(options: DictionaryOptions) -> Iterator[tuple[DictionaryOptions, int]]:
    """TopK of every width and k, and what its training is drawn from, for the first seed."""
    wanted = options.compare
    for width in wanted.widths:
        for k in wanted.ks:
            one = replace(options, architecture="topk", width=width, k=k)
            yield one, seed_of("comparison", wanted.seeds[0], width, k)


def of_cells(
    trials: HookTrials,
    cells: torch.Tensor,
    readout: dict[str, Callable],
    wanted: ComparisonOptions,
) -> Iterator[Row]:
    """Rows of raw cells, whose activity in all trials is given, (trials, cells)."""
    for k in wanted.ks:
        yield from rows_of(
            raw_cells(trials, cells, k), trials, readout, wanted.seeds[0], k, cells=cells
        )


def of_baselines(
    cache: torch.Tensor,
    trials: HookTrials,
    k: int,
    seed: int,
    wanted: ComparisonOptions,
) -> Iterator[Dictionary]:
    """The baselines; those without randomness once, for the first seed."""
    factors = min(
        *wanted.widths, 2 * cache.shape[1]
    )  # their codes are found by iteration: more cost much
    some = torch_generator("baselines", seed)
    few = cache[torch.randperm(len(cache), generator=some)[: wanted.baseline_samples]]
    yield baselines.ica(few, k, seed)
    yield baselines.semi_nmf(few, k, factors, seed)
    for width in wanted.widths:
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

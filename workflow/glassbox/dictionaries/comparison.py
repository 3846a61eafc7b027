"""Many dictionaries and baselines over the activations of one decoder, read and run once."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch

from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.randomness import seed_of, torch_generator
from glassbox.decoders.untrained import untrained
from glassbox.dictionaries import baselines
from glassbox.dictionaries.activations import DecodedSession, HookTrials, open_sessions
from glassbox.dictionaries.cached import activations_of
from glassbox.dictionaries.comparison_options import ComparisonOptions
from glassbox.dictionaries.comparison_rows import PARTS, Note, Row, rows_of
from glassbox.dictionaries.dictionary import Dictionary
from glassbox.dictionaries.keeping import checkpoint_of, device_of, room_of
from glassbox.dictionaries.operating_point import operating_point
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.dictionaries.random_decoder import new_random_decoder
from glassbox.dictionaries.raw_cells import cell_activity, raw_cells
from glassbox.dictionaries.splice_changes import SpliceChanges
from glassbox.dictionaries.stage import runs_of
from glassbox.dictionaries.stream import MOST_SAMPLED, Stream, spread
from glassbox.dictionaries.train import train_together
from glassbox.dictionaries.training import Trained, Wanted
from glassbox.files import replacing_file
from glassbox.progress import Progress
from glassbox.tables import write_table
from glassbox.tensors.splits import SELECTION, TEST, TRAIN

# Baselines that are trained, or told more than the latents.
FROZEN, UNTRAINED, RAW_CELLS = "random_decoder", "untrained_decoder", "raw_cells"
Learn = Callable[[Stream, torch.Tensor, Sequence[Wanted]], list[Trained]]


def compare_dictionaries(
    decoder_folder: str | Path,
    tensors: Sequence[str | Path],
    out: str | Path,
    options: DictionaryOptions,
    cache: str | Path | None = None,
) -> None:
    """Write comparison.csv, insertion.csv and operating_point.json of a cohort's decoders.

    Args:
        decoder_folder: of the decoders.
        tensors: stores of their sessions.
        out: folder to write into.
        options: what is compared, and how it is trained.
        cache: folder of activations that memory has no room for, and of the state of trainings;
            None: nothing is kept there.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    runs, wanted, device = runs_of(decoder_folder), options.compare, device_of(options)
    sizes = len(wanted.widths) * len(wanted.ks)
    learned = sum(name in wanted.baselines for name in (FROZEN, UNTRAINED))  # of one seed
    trained = sizes * (len(wanted.architectures) * len(wanted.seeds) + learned)
    progress = Progress(len(runs) * trained * options.samples, "compare_dictionaries", "activation")
    rows: list[Row] = []
    changes, sessions = SpliceChanges(), None
    for seed, fold in runs:
        decoder = FittedDecoder.load(decoder_folder, seed, fold)
        sessions = sessions or open_sessions(decoder, tensors, room=room_of(decoder, cache))
        weights = Path(decoder_folder) / f"seed{seed}-fold{fold}.safetensors"
        seen = activations_of(decoder, sessions, options, cache, weights)
        measured_on, trials = seen.some_trials()
        about = {
            "cohort": decoder.cohort,
            "level": decoder.level,
            "seed": seed,
            "fold": fold,
            "hook": options.hook,
        }
        readout = {name: trials.in_part(part).readout(decoder) for name, part in PARTS.items()}
        chosen = asdict(wanted)
        kept = checkpoint_of(cache, seen, options, "comparison", chosen)
        learn = partial(train_together, progress=progress.step, checkpoint=kept, device=device)
        note = partial(changes.add, seed, fold)
        changes.of_decoder(seed, fold, trials.in_part(TEST).session_index)
        for row in compared(seen.stream, trials, readout, options, learn, note):
            rows.append(about | row)
        if RAW_CELLS in wanted.baselines and _cells_fit(measured_on, options):
            clip = decoder.options.clip_low, decoder.options.clip_high
            cells = cell_activity(measured_on, fold, clip)
            for row in of_cells(trials, cells, readout, wanted, note):
                rows.append(about | row)
        if UNTRAINED not in wanted.baselines:
            continue
        before = untrained(decoder, seed)
        seen = activations_of(before, sessions, options, cache, weights, "untrained")
        kept = checkpoint_of(cache, seen, options, "comparison-untrained", chosen)
        learn = partial(train_together, progress=progress.step, checkpoint=kept, device=device)
        for row in of_untrained(seen.stream, seen.some_trials()[1], options, learn):
            rows.append(about | row)
    progress.close()
    picked = operating_point(rows, wanted.architectures)
    for row in rows:
        row["chosen"] = (row["dictionary"], row["width"], row["k"]) == picked
    write_table("comparison", out / "comparison.csv", rows)
    about = {name: rows[0][name] for name in ("cohort", "level", "hook")}
    names = [session.data.session for session in sessions]
    changed = changes.rows(about, names, options.resamples, options.seed)
    write_table("insertion", out / "insertion.csv", changed)
    facts = dict(zip(("architecture", "width", "k"), picked, strict=True))
    with replacing_file(out / "operating_point.json") as path:
        path.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n")


def compared(
    stream: Stream,
    trials: HookTrials,
    readout: dict[str, Callable],
    options: DictionaryOptions,
    learn: Learn = train_together,
    note: Note | None = None,
) -> Iterator[Row]:
    """Rows of every dictionary and baseline of one decoder, on its selection and test trials.

    Args:
        stream: activations of training trials; read once for all that is trained.
        trials: activations of all trials.
        readout: from latents of the part's trials to logits, by part.
        options: of the training; architecture, width, k and seed are those of `compare`.
        learn: trains them, given the stream, the selection trials and what is wanted.
        note: takes each dictionary, k and the scores of its splice in test trials.
    """
    wanted = options.compare
    named = [
        (seed, replace(options, architecture=architecture, width=width, k=k))
        for architecture in wanted.architectures
        for width in wanted.widths
        for k in wanted.ks
        for seed in wanted.seeds
    ]
    several = [Wanted(one, seed_of("comparison", seed, one.width, one.k)) for seed, one in named]
    if FROZEN in wanted.baselines:
        several += [Wanted(one, drawn, new_random_decoder) for one, drawn in _sizes(options)]
    trained = [each.dictionary for each in learn(stream, _selection(trials), several)]
    first = trained[0]
    for (seed, one), made in zip(named, trained, strict=False):
        first = made if seed == wanted.seeds[0] else first
        yield from rows_of(made, trials, readout, seed, one.k, first, note=note)
    cache = stream.sample()
    for seed in wanted.seeds:
        for k in wanted.ks:
            for made in of_baselines(cache, trials, k, seed, wanted):
                yield from rows_of(made, trials, readout, seed, k, note=note)
    for made in trained[len(named) :]:
        yield from rows_of(made, trials, readout, wanted.seeds[0], made.k, note=note)


def of_untrained(
    stream: Stream,
    trials: HookTrials,
    options: DictionaryOptions,
    learn: Learn = train_together,
) -> Iterator[Row]:
    """Rows of TopK dictionaries of the latents of an untrained decoder, measured on the same.

    It answers by chance, so there is nothing that a splice could cost.
    """
    several = [Wanted(one, seed) for one, seed in _sizes(options)]
    for trained in learn(stream, _selection(trials), several):
        made = trained.dictionary
        made.architecture = UNTRAINED
        yield from rows_of(made, trials, None, options.compare.seeds[0], made.k)


def _selection(trials: HookTrials) -> torch.Tensor:
    """Activations of selection trials, (m, dim), as many as stand for all."""
    flat = trials.in_part(SELECTION).latents.flatten(0, 1)
    return flat[torch.from_numpy(spread(len(flat), MOST_SAMPLED))]


def _cells_fit(sessions: Sequence[DecodedSession], options: DictionaryOptions) -> bool:
    """Whether each trial's activity of all cells fits in memory; says so where it does not."""
    trials = sum(len(s.data.trial) for s in sessions)
    size_mb = 4 * trials * sum(s.data.n_cells for s in sessions) >> 20
    if size_mb > options.memory_mb:
        print(
            f"compare_dictionaries: no baseline of raw cells: they take {size_mb:,} MB, "
            f"dictionaries.memory_mb allows {options.memory_mb:,}.",
            file=sys.stderr,
        )
    return size_mb <= options.memory_mb


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
    note: Note | None = None,
) -> Iterator[Row]:
    """Rows of raw cells, whose activity in all trials is given, (trials, cells)."""
    for k in wanted.ks:
        made = raw_cells(trials, cells, k)
        yield from rows_of(made, trials, readout, wanted.seeds[0], k, cells=cells, note=note)


def of_baselines(
    cache: torch.Tensor,
    trials: HookTrials,
    k: int,
    seed: int,
    wanted: ComparisonOptions,
) -> Iterator[Dictionary]:
    """The baselines that are wanted; those without randomness once, for the first seed."""
    asked = set(wanted.baselines)
    factors = min(
        *wanted.widths, 2 * cache.shape[1]
    )  # their codes are found by iteration: more cost much
    some = torch_generator("baselines", seed)
    few = cache[torch.randperm(len(cache), generator=some)[: wanted.baseline_samples]]
    if "ica" in asked:
        yield baselines.ica(few, k, seed)
    if "semi_nmf" in asked:
        yield baselines.semi_nmf(few, k, factors, seed)
    for width in wanted.widths if "random" in asked else ():
        yield baselines.random_dictionary(cache, k, width, seed)
    if seed == wanted.seeds[0]:
        if "pca_leading" in asked:
            yield baselines.leading_pca(cache, k)
        if "pca" in asked:
            yield baselines.pca(cache, k)
        if "raw" in asked:
            yield baselines.raw(cache, k)
        if "nmf" in asked:
            yield baselines.nmf(few, k, factors, seed)
        if (
            "difference_in_means" in asked and k == wanted.ks[0]
        ):  # as many directions as classes, whatever k is
            train = trials.in_part(TRAIN)
            latents = train.latents.shape[1]
            labels = {task: label.repeat(latents) for task, label in train.labels.items()}
            yield baselines.difference_in_means(train.latents.flatten(0, 1), labels)

"""What training dictionaries on through the decoder does to the cost of their splice.

    python tests/benchmarks/dictionary_fine_tuning.py --decoder results/decoders/COHORT \\
        --tensors results/tensors/*.zarr [--ks 8 16] [--weights 0.1 1 10] [--seeds 0 1] [--runs 5]

For each decoder (seed and fold) and k a dictionary is trained on reconstruction (`as trained`),
then on through the decoder with each weight of its own loss. Its control never sees an answer: `its
own loss`, the same further steps without the divergence. Rows are means over decoders and
dictionary seeds: the divergence of the answers on selection trials, by which a weight is chosen,
then on test trials the divergence, spliced − clean accuracy and log-probability (a trial of several
tasks with their mean) and explained variance. The second table has what each is above `its own
loss`, trial by trial. After ± stands half of a 95% interval over trials, each with its mean over
decoder and dictionary seeds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[2] / "workflow"))

if TYPE_CHECKING:
    from glassbox.dictionaries.dictionary import Dictionary

CONTROL = "its own loss"


def main(argv: list[str] | None = None) -> int:
    cli = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cli.add_argument("--decoder", type=Path, required=True)
    cli.add_argument("--tensors", type=Path, nargs="+", required=True)
    cli.add_argument("--hook", default="latents")
    cli.add_argument("--width", type=int, default=512)
    cli.add_argument("--ks", type=int, nargs="+", default=[16])
    cli.add_argument("--weights", type=float, nargs="+", default=[0.1, 1.0, 10.0])
    cli.add_argument("--seeds", type=int, nargs="+", default=[0])
    cli.add_argument("--runs", type=int, default=0, help="decoders looked at, 0: all")
    cli.add_argument("--samples", type=int, default=600_000)
    cli.add_argument("--fine-tune-samples", type=int, default=600_000)
    args = cli.parse_args(argv)

    import torch
    from glassbox.decoders.fitted import FittedDecoder
    from glassbox.dictionaries.activations import open_sessions
    from glassbox.dictionaries.cached import activations_of
    from glassbox.dictionaries.fine_tune import Shown, cost, divergences
    from glassbox.dictionaries.options import DictionaryOptions
    from glassbox.dictionaries.splice import insertion_scores
    from glassbox.dictionaries.stage import runs_of
    from glassbox.tensors.splits import SELECTION, TEST

    torch.set_num_threads(1)
    rows: dict[tuple[int, str], list[list[float]]] = {}
    by_trial: dict[tuple[int, str], dict[int, list[np.ndarray]]] = {}
    runs = runs_of(args.decoder)
    sessions = None
    for seed, fold in runs[: args.runs or len(runs)]:
        decoder = FittedDecoder.load(args.decoder, seed, fold)
        sessions = sessions or open_sessions(decoder, args.tensors)
        options = DictionaryOptions(hook=args.hook, width=args.width, samples=args.samples)
        seen = activations_of(decoder, sessions, options, None, "")
        selection, test = (seen.whole.in_part(part) for part in (SELECTION, TEST))
        shown = {name: Shown.of_trials(decoder, t) for name, t in (("s", selection), ("t", test))}
        for k, drawn in product(args.ks, args.seeds):
            one = replace(options, k=k, seed=drawn)
            for name, dictionary in made_of(seen, one, args.fine_tune_samples, args.weights):
                _, on_selection, _ = cost(dictionary, decoder, shown["s"], 1.0, 0.0)
                fvu, _, _ = cost(dictionary, decoder, shown["t"], 1.0, 1.0)
                with torch.no_grad():
                    diverged = divergences(dictionary, decoder, shown["t"], 1.0).numpy()
                scores = insertion_scores(
                    dictionary, test.latents, test.labels, test.readout(decoder), 1,
                    torch.Generator().manual_seed(0),
                )  # fmt: skip
                each = np.vstack([diverged, changes(scores)])
                row = [on_selection, 1 - fvu + float(diverged.mean())]
                rows.setdefault((k, name), []).append(row)
                by_trial.setdefault((k, name), {}).setdefault(fold, []).append(each)
                said = " ".join(f"{value:.4f}" for value in (*row, *np.nanmean(each, 1)))
                print(
                    f"seed {seed}, fold {fold}, k {k}, drawn {drawn}, {name}: {said}",
                    file=sys.stderr,
                )
    trials = {
        key: np.concatenate([np.mean(of_fold, 0) for of_fold in folds.values()], axis=1)
        for key, folds in by_trial.items()
    }
    print(
        "| k | dictionary | selection KL | KL | accuracy | log-probability | explained variance |"
    )
    print("|---|---|---|---|---|---|---|")
    for (k, name), values in rows.items():
        chosen, explained = np.mean(values, 0)
        print(f"| {k} | {name} | {chosen:.4f} | {said_of(trials[k, name])} | {explained:.3f} |")
    print(f"\n| k | dictionary, less `{CONTROL}` | KL | accuracy | log-probability |")
    print("|---|---|---|---|---|")
    for (k, name), values in trials.items():
        if name != CONTROL:
            print(f"| {k} | {name} | {said_of(values - trials[k, CONTROL])} |")
    return 0


def made_of(seen, options, more: int, weights: Sequence[float]) -> Iterator[tuple[str, Dictionary]]:
    """The dictionary as trained, its control, and through the decoder with each weight."""
    from glassbox.dictionaries.fine_tune import fine_tuned
    from glassbox.dictionaries.fine_tune_options import FineTuneOptions
    from glassbox.dictionaries.train import train_dictionary

    drawn = options.seed
    first = train_dictionary(seen.stream, seen.selection(), options, drawn).dictionary
    yield "as trained", first
    alone = replace(options, fine_tune=FineTuneOptions(more, answers=False))
    yield CONTROL, fine_tuned(first, seen, alone, drawn)
    for weight in weights:
        tune = replace(options, fine_tune=FineTuneOptions(more, weight))
        yield f"answers, weight {weight:g}", fine_tuned(first, seen, tune, drawn)


def said_of(values: np.ndarray) -> str:
    """Mean over trials ± half of its 95% interval of each measure, (measures, trials)."""
    half = 1.96 * np.nanstd(values, axis=1) / np.sqrt(np.isfinite(values).sum(1))
    means = zip(np.nanmean(values, 1), half, strict=True)
    return " | ".join(f"{mean:+.4f} ± {width:.4f}" for mean, width in means)


def changes(scores) -> np.ndarray:
    """Spliced − clean accuracy and log-probability of each trial, mean over tasks, (2, trials)."""
    tasks = sorted({task for _, task, _ in scores})
    return np.array(
        [
            np.nanmean([scores["spliced", t, m] - scores["clean", t, m] for t in tasks], axis=0)
            for m in ("accuracy", "log_probability")
        ]
    )


if __name__ == "__main__":
    sys.exit(main())

"""What training dictionaries on through the decoder does to the cost of their splice.

    python tests/benchmarks/dictionary_fine_tuning.py --decoder results/decoders/COHORT \\
        --tensors results/tensors/*.zarr [--ks 8 16] [--weights 0.1 1 10] [--seeds 0 1] [--runs 5]

For each decoder (seed and fold) and k a dictionary is trained on reconstruction, then on through
the decoder with each weight of its own loss; a weight of `off` is the dictionary before. Rows are
means over decoders and dictionary seeds: the divergence of the answers on selection trials, by
which a weight is chosen, then on test trials the divergence, spliced − clean accuracy and
log-probability (a trial of several tasks with their mean; after ±, half of a 95% interval over
trials, each with its mean over decoders and seeds), and explained variance.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[2] / "workflow"))


def main(argv: list[str] | None = None) -> int:
    cli = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cli.add_argument("--decoder", type=Path, required=True)
    cli.add_argument("--tensors", type=Path, nargs="+", required=True)
    cli.add_argument("--hook", default="latents")
    cli.add_argument("--width", type=int, default=512)
    cli.add_argument("--ks", type=int, nargs="+", default=[8])
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
    from glassbox.dictionaries.fine_tune import Shown, cost, fine_tuned
    from glassbox.dictionaries.fine_tune_options import FineTuneOptions
    from glassbox.dictionaries.options import DictionaryOptions
    from glassbox.dictionaries.splice import insertion_scores
    from glassbox.dictionaries.stage import runs_of
    from glassbox.dictionaries.train import train_dictionary
    from glassbox.tensors.splits import SELECTION, TEST

    torch.set_num_threads(1)
    found: dict[tuple[int, str], list[np.ndarray]] = {}
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
        for k in args.ks:
            for drawn in args.seeds:
                one = replace(options, k=k, seed=drawn)
                first = train_dictionary(seen.stream, seen.selection(), one, drawn).dictionary
                made = {"off": first}
                for weight in args.weights:
                    tune = FineTuneOptions(args.fine_tune_samples, weight)
                    made[f"{weight:g}"] = fine_tuned(
                        first, seen, replace(one, fine_tune=tune), drawn
                    )
                for name, dictionary in made.items():
                    _, on_selection, _ = cost(dictionary, decoder, shown["s"], 1.0, 0.0)
                    on_test, diverged, _ = cost(dictionary, decoder, shown["t"], 1.0, 1.0)
                    scores = insertion_scores(
                        dictionary, test.latents, test.labels, test.readout(decoder), 1,
                        torch.Generator().manual_seed(0),
                    )  # fmt: skip
                    change = changes(scores)
                    row = [on_selection, diverged, *np.nanmean(change, 1), 1 - on_test + diverged]
                    found.setdefault((k, name), []).append(np.array(row))
                    of_fold = by_trial.setdefault((k, name), {}).setdefault(fold, [])
                    of_fold.append(change)
                    said = " ".join(f"{value:.4f}" for value in row)
                    print(f"seed {seed}, fold {fold}, k {k}, {name}: {said}", file=sys.stderr)
    print(
        "| k | weight | selection KL | test KL | accuracy | log-probability | explained variance |"
    )
    print("|---|---|---|---|---|---|---|")
    for (k, name), values in found.items():
        chosen, diverged, accuracy, probable, explained = np.mean(values, 0)
        means = [np.mean(of_fold, 0) for of_fold in by_trial[k, name].values()]
        every = np.concatenate(means, axis=1)
        half = 1.96 * np.nanstd(every, axis=1) / np.sqrt(np.isfinite(every).sum(1))
        print(
            f"| {k} | {name} | {chosen:.4f} | {diverged:.4f} | {accuracy:+.4f} ± {half[0]:.4f} | "
            f"{probable:+.4f} ± {half[1]:.4f} | {explained:.3f} |"
        )
    return 0


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

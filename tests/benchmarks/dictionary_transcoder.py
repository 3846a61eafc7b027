"""What stands in for a block's linear layers: a transcoder, beside what else could.

    python tests/benchmarks/dictionary_transcoder.py --decoder results/decoders/COHORT \\
        --tensors results/tensors/*.zarr [--hook block0.mlp] [--k 16] [--seeds 0 1 2] [--runs 5]

A transcoder makes what the layers add from what enters them. Beside it stand ridge regression from
the same (what no sparse code is needed for), TopK of what the layers add (which reads what it
writes), its mean over training trials, and nothing at all in its place. Explained variance, L0
and dead units are means over decoders and seeds, on test trials (dead units: on training trials);
the divergence of the answers from the clean ones, and accuracy and log-probability with the
stand-in − clean, have after ± half of a 95% interval over trials, each with its mean over seeds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[2] / "workflow"))
from dictionary_fine_tuning import changes, said_of


def main(argv: list[str] | None = None) -> int:
    cli = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cli.add_argument("--decoder", type=Path, required=True)
    cli.add_argument("--tensors", type=Path, nargs="+", required=True)
    cli.add_argument("--hook", default="block0.mlp")
    cli.add_argument("--width", type=int, default=512)
    cli.add_argument("--k", type=int, default=16)
    cli.add_argument("--seeds", type=int, nargs="+", default=[0])
    cli.add_argument("--runs", type=int, default=0, help="decoders looked at, 0: all")
    cli.add_argument("--samples", type=int, default=600_000)
    args = cli.parse_args(argv)

    import torch
    from glassbox.decoders.fitted import FittedDecoder
    from glassbox.dictionaries.activations import open_sessions
    from glassbox.dictionaries.cached import activations_of
    from glassbox.dictionaries.options import DictionaryOptions
    from glassbox.dictionaries.splice import insertion_scores
    from glassbox.dictionaries.stage import runs_of
    from glassbox.tensors.splits import TEST

    torch.set_num_threads(1)
    rows: dict[str, list[list[float]]] = {}
    by_trial: dict[str, dict[int, list[np.ndarray]]] = {}
    runs = runs_of(args.decoder)
    sessions = None
    for seed, fold in runs[: args.runs or len(runs)]:
        decoder = FittedDecoder.load(args.decoder, seed, fold)
        sessions = sessions or open_sessions(decoder, args.tensors)
        options = DictionaryOptions(args.hook, width=args.width, k=args.k, samples=args.samples)
        seen = activations_of(decoder, sessions, options, None, "")
        test = seen.whole.in_part(TEST)
        readout = test.readout(decoder)
        clean = readout(test.latents)
        for drawn in args.seeds:
            for name, made, sizes in stand_ins(
                seen, replace(options, seed=drawn), drawn == args.seeds[0]
            ):
                written = made(test)
                left = (written - test.latents).double().square().sum()
                about = test.latents.flatten(0, 1).double()
                explained = 1 - float(left / (about - about.mean(0)).square().sum())
                scores = insertion_scores(
                    lambda _, written=written: written, test.latents, test.labels, readout, 1,
                    torch.Generator().manual_seed(0),
                )  # fmt: skip
                each = np.vstack([divergence(clean, readout(written)), changes(scores)])
                rows.setdefault(name, []).append([explained, *sizes])
                by_trial.setdefault(name, {}).setdefault(fold, []).append(each)
                said = " ".join(f"{value:.4f}" for value in (explained, *np.nanmean(each, 1)))
                print(f"seed {seed}, fold {fold}, drawn {drawn}, {name}: {said}", file=sys.stderr)
    print("| stand-in | explained variance | L0 | dead | KL | accuracy | log-probability |")
    print("|---|---|---|---|---|---|---|")
    for name, values in rows.items():
        explained, l0, dead = np.mean(values, 0)
        sizes = "– | –" if np.isnan(l0) else f"{l0:.1f} | {dead:.1%}"
        of_folds = [np.mean(of_fold, 0) for of_fold in by_trial[name].values()]
        measured = said_of(np.concatenate(of_folds, axis=1))
        print(f"| {name} | {explained:.3f} | {sizes} | {measured} |")
    return 0


def stand_ins(
    seen, options, drawn_first: bool
) -> Iterator[tuple[str, Callable, tuple[float, float]]]:
    """Name, what makes values at the hook from trials, and L0 and dead fraction."""
    import torch
    from glassbox.dictionaries.train import train_dictionary
    from glassbox.dictionaries.transcoding import train_transcoder
    from glassbox.tensors.splits import TRAIN

    train = seen.whole.in_part(TRAIN)
    none = (float("nan"), float("nan"))
    coder = train_transcoder(seen.decoder, seen.sessions, seen.whole, options, options.seed)
    coder = coder.dictionary
    sizes = sizes_of(coder, train.beside)
    yield "transcoder", lambda trials: coder(trials.beside), sizes
    made = train_dictionary(seen.stream, seen.selection(), options, options.seed).dictionary
    yield (
        "TopK of what is added",
        lambda trials: made(trials.latents),
        sizes_of(made, train.latents),
    )
    if not drawn_first:
        return  # nothing is drawn in the others
    entering, added = train.beside.flatten(0, 1).double(), train.latents.flatten(0, 1).double()
    centre, mean = entering.mean(0), added.mean(0)
    gram = (entering - centre).T @ (entering - centre)
    gram.diagonal().add_(1e-3 * float(gram.diagonal().mean()))
    weights = torch.linalg.solve(gram, (entering - centre).T @ (added - mean))
    yield (
        "ridge regression",
        lambda t: ((t.beside.double() - centre) @ weights + mean).float(),
        none,
    )
    average = train.latents.mean(0)
    yield "mean", lambda trials: average.expand_as(trials.latents), none
    yield "nothing", lambda trials: torch.zeros_like(trials.latents), none


def sizes_of(made, inputs) -> tuple[float, float]:
    """L0 and the fraction of units that never fire, of inputs (trials, latents, dim)."""
    from glassbox.dictionaries.dictionary import FIRED

    fired = made.encode(inputs.flatten(0, 1)) > FIRED
    return float(fired.sum(1).double().mean()), float((~fired.any(0)).double().mean())


def divergence(clean, spliced) -> np.ndarray:
    """KL(clean ‖ spliced) of each trial, nats, a mean over tasks, (trials,)."""
    of_tasks = [
        (was.softmax(-1) * (was.log_softmax(-1) - spliced[task].log_softmax(-1))).sum(-1).numpy()
        for task, was in clean.items()
    ]
    return np.mean(of_tasks, 0)


if __name__ == "__main__":
    sys.exit(main())

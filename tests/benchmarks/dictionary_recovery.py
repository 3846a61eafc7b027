"""Which dictionaries find the atoms that activations were made of.

    PYTHONPATH=workflow python tests/benchmarks/dictionary_recovery.py \\
        [--kind superposition ...] [--architecture topk ...] [--samples 100000] [--width 128]

128 atoms in 64 dimensions, about 6 in a sample (tests/unit/planted.py); k = 6. Printed as a
Markdown table: mean cosine of atoms and units matched one to one, share of atoms with a unit within
a cosine of 0.9, explained variance and L0 on 5,000 fresh samples, and how well the units of two
seeds agree (matched cosine), beside what random directions would reach.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit"))

import torch
from glassbox.dictionaries.agreement import agreement, random_agreement
from glassbox.dictionaries.architectures import AUTOENCODERS
from glassbox.dictionaries.metrics import reconstruct
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.dictionaries.train import train_dictionary
from planted import KINDS, plant

COLUMNS = (
    "data | samples | width | architecture | matched cosine | recall | explained variance | L0 | "
    "seeds agree (chance)"
)


def main(argv: list[str] | None = None) -> int:
    cli = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    cli.add_argument("--kind", nargs="+", choices=KINDS, default=list(KINDS))
    cli.add_argument("--architecture", nargs="+", default=list(AUTOENCODERS))
    cli.add_argument("--samples", type=int, default=100_000)
    cli.add_argument("--width", type=int, nargs="+", default=[128])
    cli.add_argument("--drawn", type=int, default=600_000, help="activations in training")
    cli.add_argument("--seeds", type=int, default=2)
    args = cli.parse_args(argv)
    torch.set_num_threads(1)
    print(f"| {COLUMNS} |", "|---" * len(COLUMNS.split(" | ")) + "|", sep="\n")
    for kind in args.kind:
        data, fresh = plant(kind, args.samples), plant(kind, 5000, seed=1)
        for width in args.width:
            chance = random_agreement(width, width, 64, seed=0).matched_cosine
            for name in args.architecture:
                options = DictionaryOptions(
                    architecture=name,
                    width=width,
                    k=6,
                    samples=args.drawn,
                    batch=min(1024, args.samples // 8),
                    learning_rate=5e-3,
                )
                learned = [
                    train_dictionary(data.x, fresh.x, options, seed).dictionary
                    for seed in range(args.seeds)
                ]
                found = [agreement(data.atoms, d.W_dec) for d in learned]
                seen = [reconstruct(d, fresh.x) for d in learned]
                alike = agreement(learned[0].W_dec, learned[-1].W_dec).matched_cosine
                cells = (
                    kind,
                    f"{args.samples:,}",
                    width,
                    name,
                    f"{mean(f.matched_cosine for f in found):.3f}",
                    f"{mean(f.recall for f in found):.2f}",
                    f"{mean(s.explained_variance for s in seen):.3f}",
                    f"{mean(s.l0 for s in seen):.1f}",
                    f"{alike:.2f} ({chance:.2f})",
                )
                print("|", " | ".join(str(c) for c in cells), "|", flush=True)
    return 0


def mean(values) -> float:
    values = list(values)
    return sum(values) / len(values)


if __name__ == "__main__":
    sys.exit(main())

"""Fit a trained decoder to few trials of held-out mice, and say how well each number does."""

from __future__ import annotations

import argparse
import sys

from glassbox.cli import parser
from glassbox.errors import user_errors
from glassbox.options import options_from


def parse(argv: list[str] | None) -> argparse.Namespace:
    made = parser(__doc__, threads=True)
    made.add_argument("--decoder", required=True, metavar="DIR", help="decoders of the body")
    made.add_argument("--tensors", nargs="+", required=True, help="Zarr stores of held-out mice")
    made.add_argument("--out", required=True, metavar="CSV", help="table to write")
    made.add_argument("--options", default="{}", help="section `decoders` as JSON")
    return made.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    with user_errors():
        import torch
        from glassbox.decoders.data import read_trials
        from glassbox.decoders.few_trials import COLUMNS, rows_of_few_trials
        from glassbox.decoders.fitted import FittedDecoder, read_description
        from glassbox.decoders.options import SECTION, DecoderOptions
        from glassbox.progress import Progress
        from glassbox.tables import write_rows
        from glassbox.tensors.store import open_session

        torch.set_num_threads(args.threads)
        options = options_from(DecoderOptions, args.options, SECTION)
        about = read_description(args.decoder)
        runs = [(seed, fold) for seed in about["seeds"] for fold in about["folds"]]
        progress = Progress(len(args.tensors) * len(runs), "fit_few_trials", "session")
        rows = []
        for path in args.tensors:
            tensor = open_session(path)
            for seed, fold in runs:
                decoder = FittedDecoder.load(args.decoder, seed, fold)
                data = read_trials(tensor, decoder.stimulus, decoder.options, decoder.tasks)
                rows += rows_of_few_trials(decoder, data, options.few_trials)
                progress.step(1, tensor.session)
        progress.close()
        write_rows(args.out, COLUMNS, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())

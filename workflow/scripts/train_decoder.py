"""Train the decoders of one cohort, one for each seed and fold."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import nullcontext

from glassbox.cli import parser
from glassbox.errors import user_errors
from glassbox.options import options_from


def parse(argv: list[str] | None) -> argparse.Namespace:
    made = parser(__doc__, threads=True)
    made.add_argument("--tensors", nargs="+", required=True, help="Zarr stores of the body")
    made.add_argument("--held-out", nargs="*", default=[], help="Zarr stores of held-out mice")
    made.add_argument("--cohort", required=True, help="name of the cohort")
    made.add_argument("--level", required=True, help="mouse, genotype, all or heldout")
    made.add_argument("--out", required=True, help="folder to make")
    made.add_argument("--cache", default=None, help="folder of checkpoints")
    made.add_argument("--logs", default=None, help="folder of TensorBoard events")
    made.add_argument("--options", default="{}", help="section `decoders` as JSON")
    return made.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    with user_errors():
        from glassbox.decoders.data import open_cohort
        from glassbox.decoders.options import SECTION, DecoderOptions
        from glassbox.decoders.train import CohortName, train_cohort
        from glassbox.files import sole_writer

        options = options_from(DecoderOptions, args.options, SECTION)
        # Of several processes that train together, the first one holds the lock for all.
        first = os.environ.get("LOCAL_RANK", "0") == "0"
        with sole_writer(args.cache or args.out) if first else nullcontext():
            data = open_cohort(args.tensors, args.held_out, options, args.cache)
            name = CohortName(args.cohort, args.level)
            train_cohort(name, data, options, args.out, args.cache, args.threads, args.logs)
    return 0


if __name__ == "__main__":
    sys.exit(main())

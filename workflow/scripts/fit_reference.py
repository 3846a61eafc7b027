"""Fit the baselines of one session: what a decoder of it is held against."""

from __future__ import annotations

import argparse
import sys

from glassbox.cli import parser
from glassbox.errors import user_errors
from glassbox.options import options_from


def parse(argv: list[str] | None) -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--tensor", required=True, help="Zarr store of the session")
    made.add_argument("--out", required=True, help="table to make")
    made.add_argument("--predictions", required=True, help="answers to each trial to make, .npz")
    made.add_argument("--choices", required=True, help="chosen settings to make, .json")
    made.add_argument("--options", default="{}", help="section `decoders` as JSON")
    return made.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    with user_errors():
        from glassbox.decoders.data import open_cohort
        from glassbox.decoders.options import SECTION, DecoderOptions
        from glassbox.decoders.reference import fit_reference
        from glassbox.tensors.store import open_session

        options = options_from(DecoderOptions, args.options, SECTION)
        data = open_cohort([args.tensor], [], options)
        tensor = open_session(args.tensor, verify=False)  # opening the cohort has
        fit_reference(data, tensor, options, args.out, args.predictions, args.choices)
    return 0


if __name__ == "__main__":
    sys.exit(main())

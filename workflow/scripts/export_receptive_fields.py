"""Write which cells each latent of a cohort's decoders hears, when, and with which sign."""

from __future__ import annotations

import sys

from glassbox.cli import parser
from glassbox.errors import user_errors


def main(argv: list[str] | None = None) -> int:
    arguments = parser(__doc__)
    arguments.add_argument("--decoder", required=True, metavar="DIR", help="a cohort's decoders")
    arguments.add_argument("--out", required=True, metavar="ZARR", help="store to make")
    arguments.add_argument("--csv", required=True, metavar="FILE", help="table to write")
    args = arguments.parse_args(argv)
    with user_errors():
        from glassbox.decoders.receptive_fields import export_receptive_fields

        export_receptive_fields(args.decoder, args.out, args.csv)
    return 0


if __name__ == "__main__":
    sys.exit(main())

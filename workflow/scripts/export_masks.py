"""Write where the cells of a session lie, from the masks of its NWB file."""

from __future__ import annotations

import sys

from glassbox.cli import parser
from glassbox.errors import user_errors


def main(argv: list[str] | None = None) -> int:
    arguments = parser(__doc__)
    arguments.add_argument("--nwb", required=True, metavar="FILE", help="NWB v1 file")
    arguments.add_argument("--out", required=True, metavar="CSV", help="table to write")
    args = arguments.parse_args(argv)
    with user_errors():
        from glassbox.sessions.masks import export_masks

        print(f"{export_masks(args.nwb, args.out)} masks")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Fetch the events of one session of Allen Visual Coding; a whole file is left as it is."""

from __future__ import annotations

import sys
from pathlib import Path

from glassbox.cli import parser
from glassbox.errors import user_errors
from glassbox.files import sole_writer


def main(argv: list[str] | None = None) -> int:
    parse = parser(__doc__)
    parse.add_argument("--link", required=True, help="address of the file")
    parse.add_argument("--out", required=True, help="npz file to make")
    args = parse.parse_args(argv)
    with user_errors():
        from glassbox.sessions.download import download
        from glassbox.sessions.patience import Patience
        from glassbox.sessions.whole_file import damage_of_npz

        def check(path: Path) -> str | None:
            return damage_of_npz(path, "ev")

        with sole_writer(args.out):
            download(args.link, args.out, check, Patience())
        print(f"{args.out}: {Path(args.out).stat().st_size:,} bytes, whole")
    return 0


if __name__ == "__main__":
    sys.exit(main())

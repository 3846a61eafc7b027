"""Fetch the NWB file of one session of Allen Visual Coding; a whole one is left as it is."""

from __future__ import annotations

import sys
from pathlib import Path

from glassbox.cli import parser
from glassbox.errors import user_errors
from glassbox.files import sole_writer


def main(argv: list[str] | None = None) -> int:
    parse = parser(__doc__)
    parse.add_argument("--session", required=True, help="id of the session")
    parse.add_argument("--link", required=True, help="address of its file")
    parse.add_argument("--out", required=True, help="NWB file to make")
    argv = sys.argv[1:] if argv is None else argv
    args = parse.parse_args(argv)
    with user_errors():
        from glassbox.sessions.allensdk_python import go_on_with_allensdk

        go_on_with_allensdk(argv)
        from glassbox.sessions.allen_file import damage_of_session
        from glassbox.sessions.download import download
        from glassbox.sessions.patience import Patience

        def check(path: Path) -> str | None:
            return damage_of_session(path, args.session)

        with sole_writer(args.out):
            download(args.link, args.out, check, Patience())
        print(f"{args.session}: {Path(args.out).stat().st_size:,} bytes, whole")
    return 0


if __name__ == "__main__":
    sys.exit(main())

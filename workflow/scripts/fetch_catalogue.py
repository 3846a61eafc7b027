"""Ask the Allen API, or a folder of allensdk's, which sessions there are, and keep the answer."""

from __future__ import annotations

import sys

from glassbox.cli import parser
from glassbox.errors import user_errors


def main(argv: list[str] | None = None) -> int:
    parse = parser(__doc__)
    parse.add_argument("--asked", default="", help="address of the API; empty: allensdk's own")
    parse.add_argument("--manifest", default="", help="manifest file of allensdk, asked instead")
    parse.add_argument("--out", required=True, help="catalogue to write, tab-separated")
    argv = sys.argv[1:] if argv is None else argv
    args = parse.parse_args(argv)
    with user_errors():
        from glassbox.sessions.allensdk_python import go_on_with_allensdk

        go_on_with_allensdk(argv)
        from glassbox.sessions.allen_catalogue import write_allen_catalogue
        from glassbox.sessions.allen_server import sessions_of_manifest, sessions_of_server
        from glassbox.sessions.patience import Patience

        if args.manifest:
            sessions = sessions_of_manifest(args.manifest, args.asked)
        else:
            sessions = sessions_of_server(args.asked, Patience())
        write_allen_catalogue(args.out, sessions)
        print(f"{args.out}: {len(sessions):,} sessions")
    return 0


if __name__ == "__main__":
    sys.exit(main())

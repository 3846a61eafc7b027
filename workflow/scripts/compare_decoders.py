"""Compare the decoders of all cohorts with the baselines of their sessions, trial by trial.

Lists of paths may stand in a text file, one a line, given as `@LIST`.
"""

from __future__ import annotations

import sys

from glassbox.cli import parser
from glassbox.errors import user_errors


def main(argv: list[str] | None = None) -> int:
    arguments = parser(__doc__)
    arguments.fromfile_prefix_chars = "@"
    for name, what in (
        ("decoders", "decoder.json of each cohort, predictions.npz beside it"),
        ("references", "predictions of the baselines, one file a session"),
    ):
        arguments.add_argument(
            f"--{name}", nargs="*", action="extend", default=[], metavar="PATH", help=what
        )
    arguments.add_argument("--comparisons", required=True, metavar="CSV", help="table to make")
    arguments.add_argument(
        "--summaries", required=True, metavar="CSV", help="rows of decoding.csv to make"
    )
    args = arguments.parse_args(argv)
    with user_errors():
        from glassbox.decoders.compare import compare_decoders

        compare_decoders(args.decoders, args.references, args.comparisons, args.summaries)
    return 0


if __name__ == "__main__":
    sys.exit(main())

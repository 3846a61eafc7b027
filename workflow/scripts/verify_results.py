"""Hash sources, tensors, tables and figures again, and say what no longer matches the record.

The exit status is 0 where all is as recorded, 1 where something is not.
"""

from __future__ import annotations

from glassbox.cli import parser
from glassbox.errors import user_errors
from glassbox.provenance.verify import verify, verify_figure


def main(argv: list[str] | None = None) -> int:
    arguments = parser(__doc__)
    arguments.add_argument("--results", default="results", help="the results folder")
    arguments.add_argument("--sources", help="folder where the sources are now, if they moved")
    arguments.add_argument(
        "--figure", help="check only whether this PDF or PNG was drawn from the results' tables"
    )
    args = arguments.parse_args(argv)
    with user_errors():
        if args.figure:
            fault = verify_figure(args.figure, args.results)
            faults = [fault] if fault else []
            well = f"{args.figure} was drawn from the tables of {args.results}."
        else:
            verdict = verify(args.results, args.sources)
            faults = list(verdict.faults)
            well = f"All {verdict.checked} hashes of {args.results} are as recorded."
    print("\n".join(faults) if faults else well)
    return int(bool(faults))


if __name__ == "__main__":
    raise SystemExit(main())

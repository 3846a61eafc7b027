"""Join the rows that all stages wrote into the tables that figures and readers use.

Each option takes CSV files, folders that hold a CSV of the table's name, or `@LIST`, a text file
with one path a line. Every table is written; one without a source has its header alone.
"""

from __future__ import annotations

from glassbox.cli import parser
from glassbox.errors import user_errors
from glassbox.figures.assemble import TABLES, assemble_tables


def main(argv: list[str] | None = None) -> int:
    arguments = parser(__doc__)
    arguments.fromfile_prefix_chars = "@"
    for table in TABLES:
        arguments.add_argument(
            f"--{table.replace('_', '-')}",
            dest=table,
            nargs="*",
            action="extend",
            default=[],
            metavar="PATH",
            help=f"files or folders with rows of {table}.csv",
        )
    arguments.add_argument("--out", required=True, metavar="DIR", help="folder of the tables")
    args = arguments.parse_args(argv)
    with user_errors():
        counts = assemble_tables({table: getattr(args, table) for table in TABLES}, args.out)
    print(", ".join(f"{table} {rows:,}" for table, rows in counts.items()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

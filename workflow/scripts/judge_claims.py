"""Judge the primary claims by the tables: holds, fails, or not testable with these data."""

from __future__ import annotations

from glassbox.cli import parser
from glassbox.errors import user_errors


def main(argv: list[str] | None = None) -> int:
    arguments = parser(__doc__)
    for table in ("comparisons", "insertion", "units", "ablation", "steering", "genotype"):
        arguments.add_argument(
            f"--{table}", required=True, metavar="CSV", help=f"the table {table}.csv"
        )
    arguments.add_argument("--out", required=True, metavar="JSON", help="claims to write")
    arguments.add_argument("--options", default="{}", metavar="JSON", help="section `claims`")
    arguments.add_argument("--figures", default="{}", metavar="JSON", help="section `figures`")
    args = arguments.parse_args(argv)
    with user_errors():
        from glassbox.claims.judge import TABLES, judge, write_claims
        from glassbox.claims.options import ClaimOptions
        from glassbox.figures.options import FiguresOptions
        from glassbox.figures.read import read_table
        from glassbox.options import options_from

        options = options_from(ClaimOptions, args.options, "claims")
        figures = options_from(FiguresOptions, args.figures, "figures")
        tables = {table: read_table(table, getattr(args, table)) for table in TABLES}
        claims = judge(tables, options, figures)
        write_claims(args.out, claims, options)
        for claim in claims:
            print(f"{claim.verdict:>12}  {claim.claim}: {claim.why}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Draw whether a variable's units are needed, whether they suffice, and how much must go."""

from __future__ import annotations

from glassbox.errors import user_errors
from glassbox.figures.arguments import figure_arguments


def main(argv: list[str] | None = None) -> int:
    arguments = figure_arguments(__doc__)
    tables = ("ablation", "mediators", "confusion")
    for table in tables:
        arguments.add_argument(f"--{table}", required=True, metavar="CSV", help=f"{table}.csv")
    args = arguments.parse_args(argv)
    with user_errors():
        from glassbox.figures import necessity, necessity_panels
        from glassbox.figures.options import FiguresOptions
        from glassbox.figures.output import write_figure
        from glassbox.figures.read import read_table
        from glassbox.options import options_from

        options = options_from(FiguresOptions, args.options, "figures")
        sources = [getattr(args, table) for table in tables]
        read = [read_table(*of_one) for of_one in zip(tables, sources, strict=True)]
        numbers = necessity.numbers(*read, options)
        paths = args.pdf, args.png, args.csv
        write_figure("necessity", numbers, necessity_panels.draw, *paths, options, sources)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

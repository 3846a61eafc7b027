"""Draw whether the same units are found again from another seed."""

from __future__ import annotations

from glassbox.errors import user_errors
from glassbox.figures.arguments import figure_arguments


def main(argv: list[str] | None = None) -> int:
    arguments = figure_arguments(__doc__)
    arguments.add_argument("--units", required=True, metavar="CSV", help="the table units.csv")
    args = arguments.parse_args(argv)
    with user_errors():
        from glassbox.figures import agreement
        from glassbox.figures.options import FiguresOptions
        from glassbox.figures.output import write_figure
        from glassbox.figures.read import read_table
        from glassbox.options import options_from

        options = options_from(FiguresOptions, args.options, "figures")
        numbers = agreement.numbers(read_table("units", args.units), options)
        paths = args.pdf, args.png, args.csv
        write_figure("agreement", numbers, agreement.draw, *paths, options, [args.units])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

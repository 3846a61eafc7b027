"""Draw what the dictionary's units respond to (claim 2)."""

from __future__ import annotations

from glassbox.errors import user_errors
from glassbox.figures.arguments import figure_arguments


def main(argv: list[str] | None = None) -> int:
    arguments = figure_arguments(__doc__)
    arguments.add_argument("--units", required=True, metavar="CSV", help="the table units.csv")
    arguments.add_argument("--tuning", required=True, metavar="CSV", help="the table tuning.csv")
    args = arguments.parse_args(argv)
    with user_errors():
        from glassbox.figures import units
        from glassbox.figures.options import FiguresOptions
        from glassbox.figures.output import write_figure
        from glassbox.figures.read import read_table
        from glassbox.options import options_from

        options = options_from(FiguresOptions, args.options, "figures")
        numbers = units.numbers(
            read_table("units", args.units),
            read_table("tuning", args.tuning),
            options,
        )
        paths, inputs = (args.pdf, args.png, args.csv), (args.units, args.tuning)
        write_figure("units", numbers, units.draw, *paths, options, inputs)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Draw where in the decoder a variable is readable, and by how few features."""

from __future__ import annotations

from glassbox.errors import user_errors
from glassbox.figures.arguments import figure_arguments


def main(argv: list[str] | None = None) -> int:
    arguments = figure_arguments(__doc__)
    arguments.add_argument(
        "--tables", nargs="*", default=[], metavar="CSV", help="tables probes.csv"
    )
    args = arguments.parse_args(argv)
    with user_errors():
        from glassbox.figures import readability
        from glassbox.figures.options import FiguresOptions
        from glassbox.figures.output import write_figure
        from glassbox.options import options_from

        options = options_from(FiguresOptions, args.options, "figures")
        numbers = readability.numbers(readability.read(args.tables), options)
        drawn = readability.draw
        paths = args.pdf, args.png, args.csv
        write_figure("readability", numbers, drawn, *paths, options, args.tables)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

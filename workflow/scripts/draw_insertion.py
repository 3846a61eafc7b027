"""Draw what splicing the dictionary into the decoder costs (claim 1)."""

from __future__ import annotations

from glassbox.errors import user_errors
from glassbox.figures.arguments import figure_arguments


def main(argv: list[str] | None = None) -> int:
    arguments = figure_arguments(__doc__)
    arguments.add_argument(
        "--insertion", required=True, metavar="CSV", help="the table insertion.csv"
    )
    arguments.add_argument(
        "--decoding", required=True, metavar="CSV", help="the table decoding.csv"
    )
    args = arguments.parse_args(argv)
    with user_errors():
        from glassbox.figures import insertion
        from glassbox.figures.options import FiguresOptions
        from glassbox.figures.output import write_figure
        from glassbox.figures.read import read_table
        from glassbox.options import options_from

        options = options_from(FiguresOptions, args.options, "figures")
        numbers = insertion.numbers(
            read_table("insertion", args.insertion),
            read_table("decoding", args.decoding),
            options,
        )
        paths, inputs = (args.pdf, args.png, args.csv), (args.insertion, args.decoding)
        write_figure("insertion", numbers, insertion.draw, *paths, options, inputs)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

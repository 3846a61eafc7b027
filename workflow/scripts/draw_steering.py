"""Draw what the decoder says when units are clamped, beside what they stand for."""

from __future__ import annotations

from glassbox.errors import user_errors
from glassbox.figures.arguments import figure_arguments


def main(argv: list[str] | None = None) -> int:
    arguments = figure_arguments(__doc__)
    arguments.add_argument("--steering", required=True, metavar="CSV", help="table steering.csv")
    args = arguments.parse_args(argv)
    with user_errors():
        from glassbox.figures import steering, steering_panels
        from glassbox.figures.options import FiguresOptions
        from glassbox.figures.output import write_figure
        from glassbox.figures.read import read_table
        from glassbox.options import options_from

        options = options_from(FiguresOptions, args.options, "figures")
        numbers = steering.numbers(read_table("steering", args.steering), options)
        paths = args.pdf, args.png, args.csv
        write_figure("steering", numbers, steering_panels.draw, *paths, options, [args.steering])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

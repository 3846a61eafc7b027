"""Draw how many trials of a new mouse a trained decoder needs."""

from __future__ import annotations

from glassbox.errors import user_errors
from glassbox.figures.arguments import figure_arguments


def main(argv: list[str] | None = None) -> int:
    arguments = figure_arguments(__doc__)
    arguments.add_argument(
        "--tables", nargs="*", default=[], metavar="CSV", help="tables few_trials.csv"
    )
    args = arguments.parse_args(argv)
    with user_errors():
        from glassbox.figures import few_trials
        from glassbox.figures.options import FiguresOptions
        from glassbox.figures.output import write_figure
        from glassbox.options import options_from

        options = options_from(FiguresOptions, args.options, "figures")
        numbers = few_trials.numbers(few_trials.read(args.tables), options)
        drawn = few_trials.draw
        paths = args.pdf, args.png, args.csv
        write_figure("few_trials", numbers, drawn, *paths, options, args.tables)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

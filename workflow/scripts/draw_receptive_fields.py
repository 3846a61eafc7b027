"""Draw which cells the decoder's latents hear, when, and with which sign."""

from __future__ import annotations

from glassbox.errors import user_errors
from glassbox.figures.arguments import figure_arguments


def main(argv: list[str] | None = None) -> int:
    arguments = figure_arguments(__doc__)
    arguments.add_argument(
        "--fields", required=True, metavar="CSV", help="the table receptive_fields.csv of a cohort"
    )
    args = arguments.parse_args(argv)
    with user_errors():
        from glassbox.figures import receptive_fields
        from glassbox.figures.options import FiguresOptions
        from glassbox.figures.output import write_figure
        from glassbox.options import options_from

        options = options_from(FiguresOptions, args.options, "figures")
        numbers = receptive_fields.numbers(receptive_fields.read(args.fields))
        drawn = receptive_fields.draw
        paths = args.pdf, args.png, args.csv
        write_figure("receptive_fields", numbers, drawn, *paths, options, [args.fields])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

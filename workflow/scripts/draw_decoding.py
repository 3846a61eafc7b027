"""Draw how well each mouse's stimuli are decoded, against chance and every baseline."""

from __future__ import annotations

from glassbox.errors import user_errors
from glassbox.figures.arguments import figure_arguments


def main(argv: list[str] | None = None) -> int:
    arguments = figure_arguments(__doc__)
    arguments.add_argument(
        "--decoding", required=True, metavar="CSV", help="the table decoding.csv"
    )
    arguments.add_argument(
        "--comparisons", required=True, metavar="CSV", help="the table comparisons.csv"
    )
    args = arguments.parse_args(argv)
    with user_errors():
        from glassbox.figures import decoding, decoding_panels
        from glassbox.figures.options import FiguresOptions
        from glassbox.figures.output import write_figure
        from glassbox.figures.read import read_table
        from glassbox.options import options_from

        options = options_from(FiguresOptions, args.options, "figures")
        numbers = decoding.numbers(
            read_table("decoding", args.decoding),
            read_table("comparisons", args.comparisons),
            options,
        )
        paths, inputs = (args.pdf, args.png, args.csv), (args.decoding, args.comparisons)
        write_figure("decoding", numbers, decoding_panels.draw, *paths, options, inputs)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

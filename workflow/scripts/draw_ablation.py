"""Draw what the decoder loses without the units of a variable (claim 3)."""

from __future__ import annotations

from glassbox.errors import user_errors
from glassbox.figures.arguments import figure_arguments


def main(argv: list[str] | None = None) -> int:
    arguments = figure_arguments(__doc__)
    arguments.add_argument(
        "--ablation", required=True, metavar="CSV", help="the table ablation.csv"
    )
    arguments.add_argument(
        "--confusion", required=True, metavar="CSV", help="the table confusion.csv"
    )
    args = arguments.parse_args(argv)
    with user_errors():
        from glassbox.figures import ablation, ablation_panels
        from glassbox.figures.options import FiguresOptions
        from glassbox.figures.output import write_figure
        from glassbox.figures.read import read_table
        from glassbox.options import options_from

        options = options_from(FiguresOptions, args.options, "figures")
        numbers = ablation.numbers(
            read_table("ablation", args.ablation),
            read_table("confusion", args.confusion),
            options,
        )
        paths, inputs = (args.pdf, args.png, args.csv), (args.ablation, args.confusion)
        write_figure("ablation", numbers, ablation_panels.draw, *paths, options, inputs)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

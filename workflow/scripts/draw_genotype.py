"""Draw what tells the genotype of held-out mice: hidden units, latents, and identity alone."""

from __future__ import annotations

from glassbox.errors import user_errors
from glassbox.figures.arguments import figure_arguments


def main(argv: list[str] | None = None) -> int:
    arguments = figure_arguments(__doc__)
    arguments.add_argument(
        "--genotype", required=True, metavar="CSV", help="the table genotype.csv"
    )
    args = arguments.parse_args(argv)
    with user_errors():
        from glassbox.figures import genotype
        from glassbox.figures.options import FiguresOptions
        from glassbox.figures.output import write_figure
        from glassbox.figures.read import read_table
        from glassbox.options import options_from

        options = options_from(FiguresOptions, args.options, "figures")
        numbers = genotype.numbers(read_table("genotype", args.genotype), options)
        paths = args.pdf, args.png, args.csv
        write_figure("genotype", numbers, genotype.draw, *paths, options, [args.genotype])
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

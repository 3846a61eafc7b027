"""Draw which cells the most selective units hear, and what they lose without them."""

from __future__ import annotations

from glassbox.errors import user_errors
from glassbox.figures.arguments import figure_arguments


def main(argv: list[str] | None = None) -> int:
    arguments = figure_arguments(__doc__)
    for name, what in (
        ("attribution", "the table attribution.csv"),
        ("check", "the table attribution_check.csv"),
        ("tuning", "tuning.csv of the rule explain_units"),
        ("masks", "the table of masks of the session that is shown"),
    ):
        arguments.add_argument(f"--{name}", required=True, metavar="CSV", help=what)
    args = arguments.parse_args(argv)
    with user_errors():
        from glassbox.figures import attribution
        from glassbox.figures.options import FiguresOptions
        from glassbox.figures.output import write_figure
        from glassbox.figures.read import read_table
        from glassbox.options import options_from

        options = options_from(FiguresOptions, args.options, "figures")
        rows = attribution.numbers(
            read_table("attribution", args.attribution),
            read_table("attribution_check", args.check),
            attribution.read_plain(args.tuning, attribution.TUNING, "explain_units"),
            attribution.read_plain(args.masks, attribution.MASKS, "export_masks"),
            options,
        )
        inputs = (args.attribution, args.check, args.tuning, args.masks)
        paths = (args.pdf, args.png, args.csv)
        write_figure("attribution", rows, attribution.draw, *paths, options, inputs)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Draw every control of the ablations beside the target."""

from __future__ import annotations

from glassbox.errors import user_errors
from glassbox.figures.arguments import figure_arguments


def main(argv: list[str] | None = None) -> int:
    arguments = figure_arguments(__doc__)
    arguments.add_argument("--ablation", required=True, metavar="CSV", help="ablation.csv")
    arguments.add_argument(
        "--sets", nargs="*", default=[], metavar="CSV", help="tables controls.csv of stage 6"
    )
    args = arguments.parse_args(argv)
    with user_errors():
        from glassbox.figures import controls, controls_panels
        from glassbox.figures.options import FiguresOptions
        from glassbox.figures.output import write_figure
        from glassbox.figures.read import read_table
        from glassbox.options import options_from

        options = options_from(FiguresOptions, args.options, "figures")
        sets = controls.read_controls(args.sets)
        numbers = controls.numbers(read_table("ablation", args.ablation), sets, options)
        paths, sources = (args.pdf, args.png, args.csv), [args.ablation, *args.sets]
        write_figure("controls", numbers, controls_panels.draw, *paths, options, sources)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""The drawing of the necessity figure: accuracy by number of units above, by share below."""

from __future__ import annotations

import pandas as pd

from glassbox.figures.necessity import CELLS, NUMBER, ONLY, STRENGTH, WITHOUT
from glassbox.figures.output import text_of


def draw(numbers: pd.DataFrame):
    """The figure of the numbers."""
    from glassbox.figures import style

    figure = style.new_figure(style.DOUBLE_COLUMN_MM, 122)
    style.headline(figure, text_of(numbers, "title") or "Are units needed, and do they suffice?")
    foot = style.footnote(figure, text_of(numbers, "note"))
    present = [p for p in dict.fromkeys(numbers.panel) if p]
    variables = [p.removeprefix(NUMBER) for p in present if p.startswith(NUMBER)]
    if not variables:
        style.say_instead(figure.add_axes((0.1, 0.2, 0.85, 0.65)), "No ablation to show.")
        return figure
    grid = figure.add_gridspec(
        2,
        len(variables),
        left=0.075,
        right=0.985,
        top=0.86,
        bottom=foot + 0.15,
        wspace=0.28,
        hspace=0.75,
    )
    letters = iter("abcdefgh")
    for row, kind in enumerate((NUMBER, STRENGTH)):
        for column, variable in enumerate(variables):
            rows = numbers[numbers.panel == kind + variable]
            axes = figure.add_subplot(grid[row, column])
            name = style.name_of(variable).capitalize()
            if kind == NUMBER:
                _draw_numbers(axes, rows, variable)
                what = "accuracy, by number of units"
            else:
                _draw_strengths(axes, rows, variable)
                count = rows.n_units.max()
                what = f"accuracy, {count:.0f} units" if count == count else "accuracy"
            axes.set_ylabel("Accuracy" if column == 0 else "")
            style.panel_title(axes, next(letters), name, what)
    _legend(figure, numbers, variables, foot)
    return figure


def _levels(axes, rows: pd.DataFrame) -> None:
    from glassbox.figures import style

    for kind in ("clean", "chance"):
        level = rows[rows.kind == kind].value.dropna()
        if len(level):
            axes.axhline(level.iloc[0], color=style.SOFT, ls=(0, (4, 2)), lw=0.7)
    axes.set_ylim(-0.03, 1.03)


def _draw_numbers(axes, rows: pd.DataFrame, variable: str) -> None:
    from glassbox.figures import style

    looks = {WITHOUT: ("-", "o", style.colour_of(variable)), ONLY: ("--", "s", style.EFFECT)}
    for kind, (dash, marker, colour) in looks.items():
        band = rows[rows.kind == f"{kind}_matched"].sort_values("place")
        axes.vlines(band.place, band.low, band.high, color=style.CONTROL_BAND, lw=5)
        axes.plot(band.place, band.value, "_", color=style.SOFT, ms=5, mew=0.9)
        its = rows[rows.kind == kind].sort_values("place")
        axes.fill_between(its.place, its.low, its.high, color=colour, alpha=0.18, lw=0)
        axes.plot(its.place, its.value, dash, marker=marker, color=colour, ms=2.8, lw=1.0)
    cells = rows[rows.kind == CELLS].sort_values("place")
    axes.plot(cells.place, cells.value, color=style.SOFT, lw=0.9, ls=(0, (1, 1.2)))
    _levels(axes, rows)
    axes.set_xscale("log", base=2)
    doses = sorted(set(rows.place.dropna()))
    shown = [4**k for k in range(9) if doses and doses[0] <= 4**k <= doses[-1]] or doses
    axes.set_xticks(shown, [f"{int(dose)}" for dose in shown])
    axes.minorticks_off()
    axes.set_xlabel("Units")


def _draw_strengths(axes, rows: pd.DataFrame, variable: str) -> None:
    from glassbox.figures import style

    its = rows[rows.kind == WITHOUT].sort_values("place")
    if its.empty:
        style.say_instead(axes, "Not tested.", 24)
        return
    colour = style.colour_of(variable)
    axes.fill_between(its.place, its.low, its.high, color=colour, alpha=0.18, lw=0)
    axes.plot(its.place, its.value, "o-", color=colour, ms=2.8, lw=1.0)
    _levels(axes, rows)
    axes.set_xlabel("Share taken away")


def _legend(figure, numbers: pd.DataFrame, variables: list[str], foot: float) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    from glassbox.figures import style

    colour = style.colour_of(variables[0])
    handles = [
        Line2D([], [], color=colour, marker="o", ms=2.8, lw=1.0, label="without the units"),
        Line2D([], [], color=style.EFFECT, marker="s", ms=2.8, lw=1.0, ls="--", label="only them"),
    ]
    if (numbers.kind == CELLS).any():
        look = {"color": style.SOFT, "ls": (0, (1, 1.2)), "lw": 0.9}
        handles.append(Line2D([], [], label="without as many cells", **look))
    if numbers.kind.str.endswith("_matched").any():
        handles.append(Patch(color=style.CONTROL_BAND, lw=0, label="matched random units"))
    figure.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=(0.5, foot + 0.015),
        borderaxespad=0.0,
        ncols=len(handles),
        handlelength=2.2,
        columnspacing=1.6,
    )

"""The drawing of the steering figure: a rose, shares by dose, a matrix."""

from __future__ import annotations

import numpy as np
import pandas as pd

from glassbox.figures.choose import by_size
from glassbox.figures.output import text_of
from glassbox.figures.steering import ALONE, MATRIX, ROSE, TOGETHER


def draw(numbers: pd.DataFrame):
    """The figure of the numbers."""
    from glassbox.figures import style

    figure = style.new_figure(style.DOUBLE_COLUMN_MM, 108)
    style.headline(figure, text_of(numbers, "title") or "What does a clamped unit do?")
    foot = style.footnote(figure, text_of(numbers, "note"))
    present = [p for p in dict.fromkeys(numbers.panel) if p]
    if not present:
        style.say_instead(figure.add_axes((0.1, 0.2, 0.85, 0.65)), "No unit was steered.")
        return figure
    variables = [p.removeprefix(ALONE) for p in present if p.startswith(ALONE)]
    grid = figure.add_gridspec(
        2,
        1 + len(variables),
        left=0.08,
        right=0.985,
        top=0.84,
        bottom=foot + 0.1,
        wspace=0.38,
        hspace=0.85,
        width_ratios=[1.15] + [1] * len(variables),
    )
    letters = iter("abcdefghijk")
    if ROSE in present:
        axes = figure.add_subplot(grid[0, 0], projection="polar")
        _draw_rose(axes, numbers[numbers.panel == ROSE], next(letters))
    if MATRIX in present:
        axes = figure.add_subplot(grid[1, 0])
        _draw_matrix(axes, numbers[numbers.panel == MATRIX], next(letters))
    for column, variable in enumerate(variables, start=1):
        for row, panel in enumerate((ALONE, TOGETHER)):
            rows = numbers[numbers.panel == panel + variable]
            if len(rows):
                axes = figure.add_subplot(grid[row, column])
                _draw_doses(axes, rows, variable, panel, next(letters))
    return figure


def _draw_rose(axes, rows: pd.DataFrame, letter: str) -> None:
    from glassbox.figures import style

    variable = rows.variable.iloc[0]
    for control, colour, width in (
        ("random", style.CONTROL_BAND, 1.0),
        ("target", style.colour_of(variable), 0.55),
    ):
        its = rows[rows.control == control]
        step = 2 * np.pi / max(rows.place.nunique(), 1)
        angle = np.deg2rad(its.place * (360 / _turn(rows)))
        axes.bar(angle, its.value, width=width * step, color=colour, zorder=2)
    axes.set_theta_zero_location("N")
    places = sorted(set(rows.place))
    axes.set_xticks(
        np.deg2rad([p * 360 / _turn(rows) for p in places]),
        ["asked" if p == 0 else f"+{p:g}°" for p in places],
    )
    axes.tick_params(pad=-2, labelsize=style.NOTE_PT)
    top = max(rows.value.max(), 0.1)
    axes.set_yticks([top / 2, top], [f"{top / 2:.0%}", ""], fontsize=style.NOTE_PT)
    axes.set_rlabel_position(157)  # away from what was asked, between two values
    axes.grid(lw=0.3)
    axes.spines["polar"].set_linewidth(0.4)
    style.panel_title(
        axes,
        letter,
        f"{style.name_of(variable).capitalize()}: asked, moved to",
        "share of units\n",
        dx_mm=9,
    )


def _turn(rows: pd.DataFrame) -> float:
    places = sorted(set(rows.place))
    return places[-1] + (places[1] - places[0]) if len(places) > 1 else 360.0


def _draw_matrix(axes, rows: pd.DataFrame, letter: str) -> None:
    from glassbox.figures import style

    variable = rows.variable.iloc[0]
    names = sorted(set(rows.asked) | set(rows.moved_to), key=by_size)
    table = rows.pivot_table(index="asked", columns="moved_to", values="value")
    table = table.reindex(index=names, columns=names)
    image = axes.imshow(table, cmap=style.shades_of(variable), vmin=0, vmax=1, aspect="equal")
    axes.set_xticks(range(len(names)), names, rotation=90 if max(map(len, names)) > 2 else 0)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    unit = style.VARIABLE_UNITS.get(variable, "")
    axes.set_xlabel(f"moved to ({unit})" if unit else "moved to")
    axes.set_ylabel(f"asked ({unit})" if unit else "asked")
    style.small_scale(axes.figure, axes, image, "")
    style.panel_title(
        axes, letter, style.name_of(variable).capitalize(), "share of the units of a value", dx_mm=9
    )


def _draw_doses(axes, rows: pd.DataFrame, variable: str, panel: str, letter: str) -> None:
    from glassbox.figures import style

    for control, colour in (("random", style.CONTROL), ("target", style.colour_of(variable))):
        moved = rows[(rows.kind == "moved") & (rows.control == control)].sort_values("place")
        axes.fill_between(moved.place, moved.low, moved.high, color=colour, alpha=0.2, lw=0)
        axes.plot(moved.place, moved.value, "o-", color=colour, ms=3)
        said = rows[(rows.kind == "said") & (rows.control == control)].sort_values("place")
        axes.plot(said.place, said.value, "s:", color=colour, ms=2, lw=0.9)
    chance = rows[rows.kind == "chance"].value.iloc[0]
    axes.axhline(chance, color=style.SOFT, ls=(0, (4, 2)), lw=0.7)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xscale("log", base=2)
    doses = sorted(set(rows.place.dropna()))
    axes.set_xticks(doses, [f"{dose:g}" for dose in doses])
    axes.minorticks_off()
    axes.set_xlabel("Dose (× 99th percentile)")
    axes.set_ylabel("Share")
    count = rows[(rows.kind == "moved") & (rows.control == "target")].n.max()
    what = f"{count:.0f} units, one by one" if panel == ALONE else f"{count:.0f} sets, together"
    style.panel_title(axes, letter, style.name_of(variable).capitalize(), what, dx_mm=9)

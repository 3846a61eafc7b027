"""The drawing of the necessity figure: accuracy by number of units and by share, and what as many
parts of other mediators cost."""

from __future__ import annotations

import pandas as pd

from glassbox.figures.necessity import CELLS, MEDIATOR, NUMBER, ONLY, STRENGTH, WITHOUT
from glassbox.figures.output import text_of

MEDIATORS = {
    "cells": "cells",
    "units": "units",
    "pca": "PCA",
    "ica": "ICA",
    "nmf": "NMF",
    "semi_nmf": "semi-NMF",
    "raw": "raw latents",
    "random": "random",
    "difference_in_means": "class means",
}


def draw(numbers: pd.DataFrame):
    """The figure of the numbers."""
    from glassbox.figures import style

    compared = numbers.panel.str.startswith(MEDIATOR).any()
    figure = style.new_figure(style.DOUBLE_COLUMN_MM, 178 if compared else 122)
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
        top=0.905 if compared else 0.86,
        bottom=foot + (0.41 if compared else 0.15),
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
    _legend(figure, numbers, variables, foot + 0.28 if compared else foot)
    if not compared:
        return figure
    below = figure.add_gridspec(
        1, len(variables), left=0.15, right=0.95, top=foot + 0.215, bottom=foot + 0.045, wspace=0.55
    )
    for column, variable in enumerate(variables):
        rows = numbers[numbers.panel == MEDIATOR + variable]
        if len(rows):
            axes = figure.add_subplot(below[0, column])
            _draw_mediators(axes, rows, variable)
            what = f"drop without {rows.n_units.max():.0f} of each"
            name = style.name_of(variable).capitalize()
            style.panel_title(axes, next(letters), name, what, dx_mm=20)
    return figure


def _draw_mediators(axes, rows: pd.DataFrame, variable: str) -> None:
    from glassbox.figures import style

    asked = rows[rows.kind == "asked"].sort_values("place")
    random = rows[rows.kind == "random"]
    others = rows[rows.kind == "others"]
    colour = style.colour_of(variable)
    axes.hlines(random.place, random.low, random.high, color=style.CONTROL_BAND, lw=5)
    axes.plot(random.value, random.place, "|", color=style.SOFT, ms=5, mew=0.9)
    axes.plot(others.value, others.place, "o", mfc="white", mec=style.EFFECT, ms=3.2, mew=0.7)
    axes.hlines(asked.place, asked.low, asked.high, color=colour, lw=1.0)
    axes.plot(asked.value, asked.place, "o", color=colour, ms=3.6)
    axes.axvline(0, color=style.SOFT, lw=0.4, zorder=0)
    names = [
        MEDIATORS.get(row.text, row.text)
        + (f" ({row.n_units:.0f})" if row.n_units < asked.n_units.max() else "")
        for row in asked.itertuples()
    ]
    axes.set_yticks(asked.place, names)
    for label, name in zip(axes.get_yticklabels(), asked.text, strict=True):
        label.set_fontweight("bold" if name == "units" else "normal")
    axes.set_ylim(len(asked) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("Drop in accuracy")
    for row in rows[rows.kind == "variance"].itertuples():
        style.beside(axes, row.place, f"{row.value:.0%}", soft=True)


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

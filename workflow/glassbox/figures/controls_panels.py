"""The drawing of the figure of controls: a row for each kind, a column for each variable."""

from __future__ import annotations

from itertools import product

import pandas as pd

from glassbox.figures.controls import (
    ABLATIONS,
    INTERVENTIONS,
    KEEP,
    LOG,
    RANDOM,
    RETRAINED,
    SEEDS,
    WAYS,
)
from glassbox.figures.output import text_of

CONTROL_LOOKS = {  # name, dash
    "target": ("the variable's units", "-"),
    "other_variable": ("another variable's", "--"),
    "shuffled_labels": ("chosen on shuffled labels", "-."),
    "top_energy": ("of most energy", ":"),
}
KEEP_LOOKS = {  # name, dash, marker
    "spliced keep_mean": ("others mean, spliced", "-", "o"),
    "spliced keep_zero": ("others 0, spliced", "--", "o"),
    "error_preserving keep_mean": ("others mean, error-preserving", "-", "s"),
    "error_preserving keep_zero": ("others 0, error-preserving", "--", "s"),
}
ROW_MM, TOP_MM = 44, 6


def draw(numbers: pd.DataFrame):
    """The figure of the numbers."""
    from glassbox.figures import style

    panels = [p for p in dict.fromkeys(numbers.panel) if p]
    variables = [p.removeprefix(RANDOM) for p in panels if p.startswith(RANDOM)]
    last = [p for p in panels if p.startswith(SEEDS) or p == RETRAINED]
    note = text_of(numbers, "note")
    foot_mm = style.footnote_mm(style.DOUBLE_COLUMN_MM, note)
    height = TOP_MM + ROW_MM * 4 + (ROW_MM - 5) * bool(last) + foot_mm + 3 if variables else 60
    figure = style.new_figure(style.DOUBLE_COLUMN_MM, height)
    style.headline(figure, text_of(numbers, "title") or "What is each ablation held against?")
    style.footnote(figure, note)
    if not variables:
        style.say_instead(figure.add_axes((0.1, 0.2, 0.85, 0.65)), "No ablation to show.")
        return figure
    letters = iter("abcdefghijklmn")

    def axes_at(row: int, column: int, columns: int, left_mm: float = 14):
        wide = (style.DOUBLE_COLUMN_MM - 4) / columns
        below = height - TOP_MM - (row + 1) * ROW_MM + 15
        box = 2 + column * wide + left_mm, below, wide - left_mm - 5, ROW_MM - 24
        return figure.add_axes(
            (
                box[0] / style.DOUBLE_COLUMN_MM,
                box[1] / height,
                box[2] / style.DOUBLE_COLUMN_MM,
                box[3] / height,
            )
        )

    rows = (
        (RANDOM, _draw_sets, "matched sets, by drop in accuracy without {n} units", 14),
        (WAYS, _draw_ways, "drop without {n} units, in every form", 39),
        (LOG, _draw_log, "drop in log-probability, by number of units", 14),
        (KEEP, _draw_kept, "accuracy with only so many units", 14),
    )
    for row, (kind, draw_one, what, left_mm) in enumerate(rows):
        for column, variable in enumerate(variables):
            its = numbers[numbers.panel == kind + variable]
            axes = axes_at(row, column, len(variables), left_mm)
            draw_one(axes, its, variable)
            n_units = its.n_units.max()
            said = what.format(n=f"{n_units:.0f}" if n_units == n_units else "")
            if kind == RANDOM:
                said += "".join(f", p = {p:.3f}" for p in its.p.dropna())
            name = style.name_of(variable).capitalize()
            style.panel_title(axes, next(letters), name, said, dx_mm=left_mm - 4)
    _legends(figure, height)
    for column, panel in enumerate(last):
        its = numbers[numbers.panel == panel]
        axes = axes_at(4, column, len(last))
        if panel == RETRAINED:
            _draw_retrained(axes, its)
            name, what = "Genotype", "held-out mice's own line: the probe as trained, and anew"
        else:
            variable = panel.removeprefix(SEEDS)
            _draw_seeds(axes, its, variable)
            name = style.name_of(variable).capitalize()
            what = f"drop without {its.n_units.max():.0f} units, by seed"
        style.panel_title(axes, next(letters), name, what, dx_mm=10)
    return figure


def _draw_sets(axes, rows: pd.DataFrame, variable: str) -> None:
    from glassbox.figures import style

    bins = rows[rows.kind == "bin"]
    axes.bar(bins.low, bins.value, bins.high - bins.low, align="edge", color=style.CONTROL_BAND)
    for row in rows[rows.kind == "line"].itertuples():
        colour = style.colour_of(variable) if row.control == "target" else style.EFFECT
        dash = CONTROL_LOOKS[row.control][1]
        axes.axvline(row.value, color=colour, ls=dash, lw=1.6 if row.control == "target" else 0.9)
    if bins.empty:
        axes.set_yticks([])
        axes.text(
            0.5, 0.5, "no matched set", transform=axes.transAxes, ha="center", color=style.SOFT
        )
    axes.set_ylim(bottom=0)
    axes.set_xlabel("Drop in accuracy")
    axes.set_ylabel("Matched sets")


def _draw_ways(axes, rows: pd.DataFrame, variable: str) -> None:
    from glassbox.figures import style

    asked, others = rows[rows.kind == "asked"], rows[rows.kind == "others"]
    colour = style.colour_of(variable)
    axes.axvline(0, color=style.SOFT, lw=0.4, zorder=0)
    axes.hlines(asked.place, asked.low, asked.high, color=colour, lw=1.0)
    axes.plot(asked.value, asked.place, "o", color=colour, ms=3.6)
    axes.plot(others.value, others.place, "o", mfc="white", mec=style.EFFECT, ms=3.2, mew=0.7)
    words = {"zero": "to zero", "mean": "to the mean", "resample": "resampled"}
    forms = {"error_preserving": "error-preserving", "spliced": "spliced"}
    names = [f"{forms[way]}, {words[kind]}" for way, kind in product(INTERVENTIONS, ABLATIONS)]
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlabel("Drop in accuracy", labelpad=1)


def _doses(axes, rows: pd.DataFrame) -> None:
    doses = sorted(set(rows.place.dropna()))
    shown = [4**k for k in range(9) if doses and doses[0] <= 4**k <= doses[-1]] or doses
    axes.set_xscale("log", base=2)
    axes.set_xticks(shown, [f"{int(dose)}" for dose in shown])
    axes.minorticks_off()
    axes.set_xlabel("Units", labelpad=1)


def _band(axes, rows: pd.DataFrame) -> None:
    from glassbox.figures import style

    band = rows[rows.kind == "band"].sort_values("place")
    axes.vlines(band.place, band.low, band.high, color=style.CONTROL_BAND, lw=5)
    axes.plot(band.place, band.value, "_", color=style.SOFT, ms=5, mew=0.9)


def _draw_log(axes, rows: pd.DataFrame, variable: str) -> None:
    from glassbox.figures import style

    _band(axes, rows)
    for control, (_, dash) in CONTROL_LOOKS.items():
        its = rows[(rows.kind == "line") & (rows.control == control)].sort_values("place")
        target = control == "target"
        colour = style.colour_of(variable) if target else style.EFFECT
        axes.plot(
            its.place,
            its.value,
            ls=dash,
            marker="o" if target else "",
            ms=2.8,
            color=colour,
            lw=1.2 if target else 0.9,
        )
    axes.axhline(0, color=style.SOFT, lw=0.4, zorder=0)
    axes.set_ylabel("Drop (nats)")
    _doses(axes, rows)


def _draw_kept(axes, rows: pd.DataFrame, variable: str) -> None:
    from glassbox.figures import style

    _band(axes, rows)
    for condition, (_, dash, marker) in KEEP_LOOKS.items():
        its = rows[(rows.kind == "line") & (rows.condition == condition)].sort_values("place")
        axes.plot(
            its.place,
            its.value,
            ls=dash,
            marker=marker,
            ms=2.8,
            lw=1.0,
            color=style.colour_of(variable) if condition.startswith("spliced") else style.EFFECT,
        )
    clean = rows[rows.kind == "clean"].value
    axes.axhline(clean.iloc[0], color=style.SOFT, ls=(0, (4, 2)), lw=0.7)
    axes.set_ylim(-0.03, 1.03)
    axes.set_ylabel("Accuracy")
    _doses(axes, rows)


def _draw_seeds(axes, rows: pd.DataFrame, variable: str) -> None:
    from glassbox.figures import style

    _band(axes, rows)
    its = rows[rows.kind == "asked"].sort_values("place")
    colour = style.colour_of(variable)
    axes.vlines(its.place, its.low, its.high, color=colour, lw=1.0)
    axes.plot(its.place, its.value, "o", color=colour, ms=3.6)
    axes.axhline(0, color=style.SOFT, lw=0.4, zorder=0)
    axes.set_xticks(its.place, [f"{int(seed)}" for seed in its.place])
    axes.set_xlim(its.place.min() - 0.6, its.place.max() + 0.6)
    axes.set_xlabel("Seed", labelpad=1)
    axes.set_ylabel("Drop in accuracy")


def _draw_retrained(axes, rows: pd.DataFrame) -> None:
    from glassbox.figures import style

    looks = {"read": ("as trained", "-", "o"), "retrained": ("trained anew", "--", "s")}
    colour = style.colour_of("genotype")
    for kind, (name, dash, marker) in looks.items():
        its = rows[rows.kind == kind].sort_values("place")
        axes.plot(its.place, its.value, ls=dash, marker=marker, ms=2.8, color=colour, label=name)
        before = rows[rows.kind == f"{kind}_before"].value
        for level in before:
            axes.axhline(level, color=style.SOFT, ls=(0, (4, 2)), lw=0.7)
    axes.axhline(0, color=style.SOFT, lw=0.4, zorder=0)
    axes.set_ylabel("Mean margin")
    _doses(axes, rows[rows.kind.isin(list(looks))])
    axes.legend(loc="best", handlelength=2.2)


def _legends(figure, height: float) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    from glassbox.figures import style

    named = [
        Line2D([], [], color=style.EFFECT, ls=dash, lw=1.4 if name == "target" else 0.9, label=text)
        for name, (text, dash) in CONTROL_LOOKS.items()
    ]
    band = Patch(color=style.CONTROL_BAND, lw=0, label="matched random")
    forms = [
        Line2D([], [], color=style.EFFECT, ls=dash, marker=marker, ms=2.8, lw=0.9, label=text)
        for text, dash, marker in KEEP_LOOKS.values()
    ]
    for row, handles in ((0, [*named, band]), (2, [*named, band]), (3, [*forms, band])):
        figure.legend(
            handles=handles,
            loc="lower center",
            bbox_to_anchor=(0.5, (height - TOP_MM - (row + 1) * ROW_MM + 1.5) / height),
            borderaxespad=0.0,
            ncols=len(handles),
            handlelength=2.0,
            columnspacing=1.3,
        )

"""The drawing of the ablation figure: matrix of drops, dose responses, confusions below."""

from __future__ import annotations

import numpy as np
import pandas as pd

from glassbox.figures.ablation import BEYOND, CONFUSION, DOSE, MATRIX, ORDER
from glassbox.figures.choose import by_size
from glassbox.figures.output import text_of


def draw(numbers: pd.DataFrame):
    """The figure of the numbers."""
    from glassbox.figures import style

    figure = style.new_figure(style.DOUBLE_COLUMN_MM, 140)
    style.headline(figure, text_of(numbers, "title") or "What does the decoder lose?")
    foot = style.footnote(figure, text_of(numbers, "note"))
    panels = list(dict.fromkeys(numbers.panel))
    doses = [p for p in panels if p.startswith(DOSE)]
    if not doses:
        style.say_instead(figure.add_axes((0.1, 0.2, 0.85, 0.65)), "No ablation to show.")
        return figure
    grid = figure.add_gridspec(
        1,
        1 + len(doses),
        left=0.105,
        right=0.985,
        top=0.885,
        bottom=foot + 0.44,
        wspace=0.36,
        width_ratios=[1.15] + [1] * len(doses),
    )
    axes = figure.add_subplot(grid[0, 0])
    _draw_matrix(axes, numbers[numbers.panel == MATRIX])
    subtitle = text_of(numbers, "title", MATRIX)
    style.panel_title(axes, "a", "Drop in accuracy", subtitle, dx_mm=16)
    for i, panel in enumerate(doses):
        axes = figure.add_subplot(grid[0, 1 + i])
        variable, rows = panel.removeprefix(DOSE), numbers[numbers.panel == panel]
        if (rows.kind == "missing").any():
            style.say_instead(axes, text_of(rows, "missing", panel), 24)
        else:
            _draw_dose(axes, rows, first=i == 0)
        name = style.name_of(variable).capitalize()
        style.panel_title(axes, "bcdefg"[i], name, "drop, by number of units")
    confusions = [p for p in panels if p.startswith(CONFUSION)]
    _draw_confusions(figure, numbers, confusions, "bcdefgh"[len(doses) :], foot)
    _legend(figure, numbers, foot)
    return figure


def _draw_matrix(axes, rows: pd.DataFrame) -> None:
    from glassbox.figures import style

    names = [v for v in ORDER if v in set(rows.selected_for)]
    target = rows[rows.kind == "target"]
    grid = np.full((len(names), len(names)), np.nan)
    for cell in target.itertuples():
        grid[names.index(cell.selected_for), names.index(cell.measured_on)] = cell.value
    top = max(np.nanmax(grid, initial=0.0), 0.1)
    axes.imshow(np.nan_to_num(grid), cmap=style.shades_of(""), vmin=0, vmax=top, aspect="auto")
    for i, chosen in enumerate(names):
        for j, measured in enumerate(names):
            here = rows[(rows.selected_for == chosen) & (rows.measured_on == measured)]
            axes.text(
                j,
                i,
                _cell_text(here),
                ha="center",
                va="center",
                fontsize=style.NOTE_PT * min(3 / len(names), 1),
                color="white" if grid[i, j] > 0.55 * top else "black",
                linespacing=1.25,
            )
    short = [style.name_of(v).replace(" ", "\n") for v in names]
    axes.set_xticks(range(len(names)), short)
    axes.set_yticks(range(len(names)), short)
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        for label, variable in zip(labels, names, strict=True):
            label.set_color(style.colour_of(variable))
    axes.tick_params(length=0)
    axes.set_xlabel("measured on")
    axes.set_ylabel("units selected for")


def _cell_text(here: pd.DataFrame) -> str:
    missing = here[here.kind == "missing"]
    if len(missing):
        return missing.text.iloc[0].replace(" ", "\n")
    target = here[here.kind == "target"].iloc[0]
    matched = here[here.kind == "matched_random"]
    text = f"{target.value:.2f}".replace("-", "−")
    if matched.empty:
        return text + "\nno match"
    text += f"\n({matched.value.iloc[0]:.2f})".replace("-", "−")
    return text + (f"\np = {target.p:.3f}" if np.isfinite(target.p) else "\nno match in\nsome seed")


def _draw_dose(axes, rows: pd.DataFrame, first: bool) -> None:
    from glassbox.figures import style

    band = rows[rows.kind == "band"].sort_values("n_units")
    axes.vlines(band.n_units, band.low, band.high, color=style.CONTROL_BAND, lw=6)
    axes.plot(band.n_units, band.value, "_", color=style.SOFT, ms=6, mew=0.9)
    line = rows[rows.kind == "line"].sort_values("n_units")
    axes.plot(line.n_units, line.value, color=style.EFFECT, lw=0.9, ls=(0, (1, 1.2)))
    for chosen in ORDER:
        colour = style.colour_of(chosen)
        its = rows[rows.selected_for == chosen]
        for _, fit in its[its.kind == "fit"].groupby("n"):
            axes.plot(fit.n_units, fit.value, color=colour, lw=0.4, alpha=0.5)
        target = its[its.kind == "target"].sort_values("n_units")
        axes.plot(target.n_units, target.value, color=colour, lw=1.2)
        for kind, marker, face in (
            ("beyond", "o", colour),
            ("within", "o", "white"),
            ("", "x", ""),
        ):
            points = target[target.p.map(_standing) == kind]
            look = {"mfc": face} if face else {}
            axes.plot(
                points.n_units, points.value, marker, color=colour, ms=3.4, mew=0.8, ls="", **look
            )
    floor = rows[rows.kind == "floor"]
    if len(floor):
        axes.axhline(floor.value.iloc[0], color=style.SOFT, ls=(0, (4, 2)), lw=0.7)
        axes.annotate(
            "chance",
            (0, floor.value.iloc[0]),
            xycoords=("axes fraction", "data"),
            xytext=(2, 1.5),
            textcoords="offset points",
            fontsize=style.NOTE_PT,
            color=style.SOFT,
        )
    axes.axhline(0, color=style.SOFT, lw=0.4, zorder=0)
    axes.set_xscale("log", base=2)
    doses = sorted(set(rows.n_units.dropna()))
    shown = [4**k for k in range(9) if doses and doses[0] <= 4**k <= doses[-1]] or doses
    axes.set_xticks(shown, [f"{int(dose)}" for dose in shown])
    axes.minorticks_off()
    axes.set_xlabel("Units ablated")
    axes.set_ylabel("Drop in accuracy" if first else "")


def _standing(p: float) -> str:
    """Where a drop lies among the matched random sets: `beyond`, `within`, or "" for no match."""
    if not np.isfinite(p):
        return ""
    return "beyond" if p < BEYOND else "within"


def _draw_confusions(figure, numbers: pd.DataFrame, panels: list[str], letters, foot) -> None:
    from glassbox.figures import style

    bottom, height = foot + 0.075, 0.195
    if not panels:
        axes = figure.add_axes((0.1, bottom, 0.88, height))
        style.say_instead(axes, "No confusion matrix in the tables.", 60)
        return
    ratio = figure.get_figheight() / figure.get_figwidth()
    for i, panel in enumerate(panels):
        left = 0.09 + i * 0.205 + 0.075 * (i // 2)
        axes = figure.add_axes((left, bottom, height * ratio, height))
        rows = numbers[(numbers.panel == panel) & (numbers.kind == "cell")]
        variable = rows.measured_on.iloc[0]
        classes = sorted(set(rows.true) | set(rows.predicted), key=by_size)
        grid = rows.pivot(index="true", columns="predicted", values="value")
        grid = grid.reindex(index=classes, columns=classes).to_numpy()
        image = axes.imshow(grid, cmap=style.shades_of(variable), vmin=0, vmax=1)
        many = len(classes) > 6
        shown = range(0, len(classes), 2 if many else 1)
        ticks = [classes[k] for k in shown]
        axes.set_xticks(shown, ticks)
        axes.set_yticks(shown, ticks if i % 2 == 0 else [])
        axes.tick_params(length=1.5, pad=1.5, labelsize=style.NOTE_PT)
        unit = style.VARIABLE_UNITS[variable]
        axes.set_xlabel(f"decoded ({unit})", labelpad=1.5)
        axes.set_ylabel(f"true ({unit})" if i % 2 == 0 else "", labelpad=1.5)
        for spine in axes.spines.values():
            spine.set_visible(True)
        name = style.name_of(variable).capitalize() if i % 2 == 0 else ""
        letter = letters[i // 2] if i % 2 == 0 else ""
        if i % 2:
            style.small_scale(figure, axes, image, "share")
        style.panel_title(axes, letter, name, text_of(numbers, "title", panel), dx_mm=10)


def _legend(figure, numbers: pd.DataFrame, foot: float) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    from glassbox.figures import style

    chosen = [v for v in ORDER if v in set(numbers[numbers.kind == "fit"].selected_for)]
    handles = [
        Line2D(
            [], [], color=style.colour_of(v), marker="o", ms=3.4, label=f"{style.name_of(v)} units"
        )
        for v in chosen
    ]
    handles += [
        Line2D([], [], color=style.EFFECT, ls=(0, (1, 1.2)), lw=0.9, label="units of most energy"),
    ]
    if (numbers.kind == "band").any():
        handles.append(Patch(color=style.CONTROL_BAND, lw=0, label="matched random"))
    figure.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=(0.5, foot + 0.325),
        borderaxespad=0.0,
        ncols=len(handles),
        handlelength=1.6,
        columnspacing=1.4,
    )

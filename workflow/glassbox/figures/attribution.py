"""Which cells does a unit hear?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from glassbox.errors import UserError
from glassbox.figures.choose import by_size, cohort_in_words, one_dictionary
from glassbox.figures.options import FiguresOptions
from glassbox.figures.output import text_of

UNITS_SHOWN = 4
CELLS_TUNED = 3  # of each unit, beside its own tuning
TUNING = frozenset(
    "cohort seed fold session unit subject index variable condition response".split()
)
MASKS = frozenset("session cell height width runs".split())
LABELS_MOST = 6  # of the values of a variable; of more every second is named
ROW_MM, HEAD_MM = 37, 16


def read_plain(path: str | Path, needed: frozenset[str], rule: str) -> pd.DataFrame:
    """A table of one stage that is not among the assembled ones."""
    try:
        table = pd.read_csv(path, dtype={"session": str, "cohort": str, "condition": str})
    except (FileNotFoundError, pd.errors.EmptyDataError):
        raise UserError(f"{path}: no such table; run the rule {rule} first.") from None
    missing = sorted(needed - set(table.columns))
    if missing:
        raise UserError(f"{path}: the column {missing[0]} is missing; make the table again.")
    return table


def numbers(
    attribution: pd.DataFrame,
    check: pd.DataFrame,
    tuning: pd.DataFrame,
    masks: pd.DataFrame,
    options: FiguresOptions,
) -> Iterator[dict[str, Any]]:
    """The rows drawn: the most selective units, their cells, tuning, deletions and places."""
    if tuning.empty or attribution.empty:
        return
    first = tuning.iloc[0]
    of_run = (
        f"cohort == {first.cohort!r} and seed == {first.seed} and fold == '{first.fold}'"
        f" and session == {first.session!r}"
    )
    attribution = one_dictionary(attribution.query(of_run), options)
    check = one_dictionary(check.query(of_run), options)
    masks = masks[masks.session == first.session]
    shown = chosen_units(check)
    for panel, (variable, unit) in enumerate(shown):
        named = {"panel": f"{panel}", "variable": variable, "unit": unit}
        cells = attribution[attribution.unit == unit].sort_values("rank", kind="stable")
        for row in cells.itertuples():
            yield named | {
                "kind": "weight",
                "cell": row.cell,
                "place": row.rank,
                "value": row.share,
                "n": row.n,
                "text": str(row.cell_specimen_id),
            }
        yield from _tuning(named, tuning[(tuning.unit == unit) & (tuning.variable == variable)])
        deleted = check[(check.unit == unit) & (check.variable == variable)]
        for row in deleted.sort_values("n_cells").itertuples():
            whole = row.activation
            yield named | {
                "kind": "own",
                "place": row.n_cells,
                "value": row.drop / whole,
                "p": row.p,
                "n": row.n,
            }
            if row.n_controls > 0:
                yield named | {
                    "kind": "random",
                    "place": row.n_cells,
                    "value": row.control_median / whole,
                    "low": row.control_low / whole,
                    "high": row.control_high / whole,
                    "n": row.n_controls,
                }
        share = dict(zip(cells.cell.astype(int), cells.share, strict=True))
        for row in masks.itertuples():
            yield named | {
                "kind": "mask",
                "cell": row.cell,
                "value": share.get(int(row.cell), 0.0),
                "low": row.height,
                "high": row.width,
                "text": row.runs,
            }
    yield {
        "kind": "title",
        "text": f"Which cells does a unit hear? ({cohort_in_words(first.cohort)})",
    }
    yield {"kind": "note", "text": _note(first, attribution, check, masks, len(shown))}


def chosen_units(check: pd.DataFrame) -> list[tuple[str, int]]:
    """In turn of each variable the unit that it explains best and that is not shown yet."""
    tested = check.drop_duplicates(["variable", "unit"])
    tested = tested.sort_values(["effect_size", "unit"], ascending=[False, True], kind="stable")
    waiting = {v: list(rows.unit.astype(int)) for v, rows in tested.groupby("variable", sort=True)}
    shown: list[tuple[str, int]] = []
    while len(shown) < UNITS_SHOWN and any(waiting.values()):
        for variable, units in waiting.items():
            taken = {unit for _, unit in shown}
            units[:] = [unit for unit in units if unit not in taken]
            if units and len(shown) < UNITS_SHOWN:
                shown.append((variable, units.pop(0)))
    return sorted(shown, key=lambda unit: unit[0])


def _tuning(named: dict[str, Any], rows: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The unit's curve and its first cells', each in units of its own largest response."""
    for place, ((subject, index), curve) in enumerate(
        rows.groupby(["subject", "index"], sort=False)
    ):
        if place > CELLS_TUNED:
            return
        size = np.abs(curve.response).max()
        ordered = sorted(curve.itertuples(), key=lambda row: by_size(row.condition))
        for at, row in enumerate(ordered):
            yield named | {
                "kind": f"tuning of the {subject}",
                "cell": index if subject == "cell" else None,
                "condition": row.condition,
                "place": at,
                "value": row.response / size if size > 0 else 0.0,
                "n": row.n,
            }


def _note(
    first: pd.Series, attribution: pd.DataFrame, check: pd.DataFrame, masks: pd.DataFrame, n: int
) -> str:
    tried = int(check.n_controls.max()) if len(check) else 0
    text = (
        f"Session {first.session}, seed {first.seed}, fold {first.fold}; in turn of each variable "
        f"the unit that it explains best ({n} shown). a: what a cell adds to the unit over cells "
        "at their means, as a share of what all cells add in size (integrated gradients, "
        "selection trials in which the unit is most active); cells by specimen id. b: mean "
        f"response of the unit (thick) and of its {CELLS_TUNED} first cells (thin; the first "
        "dark), training and selection trials, each over its own largest. c: activation that is "
        "lost when the first cells of a are set to their means, on the test trials in which the "
        f"unit is most active; grey: {tried} random sets of as many cells of the same summed "
        "variance (median, 95% band); p: random sets that lose as much."
    )
    if len(masks):
        return text + " d: where the cells lie, those of a in colour."
    return text + " The session's file has no masks, so there is no map of its cells."


def draw(numbers: pd.DataFrame):
    """The figure of the numbers above: a row of panels for each unit."""
    from glassbox.figures import style

    units = numbers[numbers.kind == "weight"].drop_duplicates("panel")
    has_masks = bool((numbers.kind == "mask").any())
    note = text_of(numbers, "note")
    rows = max(len(units), 1)
    foot_mm = style.footnote_mm(style.DOUBLE_COLUMN_MM, note)
    height = HEAD_MM + rows * ROW_MM + foot_mm
    figure = style.new_figure(style.DOUBLE_COLUMN_MM, height)
    style.headline(figure, text_of(numbers, "title") or "Which cells does a unit hear?")
    foot = style.footnote(figure, note)
    if units.empty:
        axes = figure.add_axes((0.1, foot + 0.1, 0.85, 0.5))
        style.say_instead(axes, "No unit is selective for a variable and fires in this session.")
        return figure
    grid = figure.add_gridspec(
        rows,
        4 if has_masks else 3,
        left=0.165,
        right=0.985,
        top=1 - HEAD_MM / height,
        bottom=foot + 9 / height,
        wspace=0.42,
        hspace=0.62,
        width_ratios=[1.1, 1.25, 1.1, 0.9] if has_masks else [1.1, 1.25, 1.1],
    )
    titles = ("Cells that drive it", "Tuning", "Without these cells", "Where they lie")
    for place, unit in enumerate(units.itertuples()):
        its = numbers[numbers.panel == unit.panel]
        panels = [figure.add_subplot(grid[place, i]) for i in range(4 if has_masks else 3)]
        _bars(panels[0], its, unit)
        _curves(panels[1], its, unit.variable)
        _deletions(panels[2], its, unit.variable)
        if has_masks:
            _map(panels[3], its[its.kind == "mask"], unit.variable)
        for i, axes in enumerate(panels):
            if place == 0:
                style.panel_title(axes, "abcd"[i], titles[i], dx_mm=21 if i == 0 else 8)
        box = panels[0].get_position()
        figure.text(
            0.008,
            (box.y0 + box.y1) / 2,
            f"Unit {int(unit.unit)}\n{style.name_of(unit.variable)}",
            rotation=90,
            ha="left",
            va="center",
            fontweight="bold",
            color=style.colour_of(unit.variable),
        )
    for i, label in enumerate(("Share of all cells (%)", "", "Cells set to their mean", "")):
        if label:
            panels[i].set_xlabel(label)
    return figure


def _bars(axes, its: pd.DataFrame, unit) -> None:
    from glassbox.figures import style

    rows = its[its.kind == "weight"].sort_values("place")
    axes.barh(rows.place, 100 * rows.value, height=0.75, color=style.colour_of(unit.variable))
    axes.invert_yaxis()
    axes.set_yticks(rows.place, rows.text)
    axes.tick_params(axis="y", length=0, labelsize=style.NOTE_PT - 1, pad=1)
    axes.axvline(0, color=style.EFFECT, lw=0.6)


def _curves(axes, its: pd.DataFrame, variable: str) -> None:
    from glassbox.figures import style

    cells = its[its.kind == "tuning of the cell"]
    greys = ("#333333", "#7F7F7F", "#B5B5B5")
    for colour, (_, curve) in zip(greys, cells.groupby("cell", sort=False), strict=False):
        axes.plot(curve.place, curve.value, color=colour, lw=0.8, marker="o", ms=1.6)
    own = its[its.kind == "tuning of the unit"]
    axes.plot(own.place, own.value, color=style.colour_of(variable), lw=2.0)
    every = 2 if len(own) > LABELS_MOST else 1
    axes.set_xticks(own.place, [c if i % every == 0 else "" for i, c in enumerate(own.condition)])
    axes.set_ylim(min(-0.1, 1.05 * its[its.kind.str.startswith("tuning")].value.min()), 1.08)
    axes.axhline(0, color=style.CONTROL, lw=0.5, zorder=0)
    axes.set_ylabel("Response / largest")
    axes.set_xlabel(
        f"{style.name_of(variable).capitalize()} ({style.VARIABLE_UNITS.get(variable, '')})"
    )


def _deletions(axes, its: pd.DataFrame, variable: str) -> None:
    from glassbox.figures import style

    own, random = its[its.kind == "own"], its[its.kind == "random"]
    if len(random):
        band = {"color": style.CONTROL_BAND, "lw": 0}
        axes.fill_between(random.place, 100 * random.low, 100 * random.high, **band)
        axes.plot(random.place, 100 * random.value, color=style.CONTROL, lw=1)
    axes.plot(own.place, 100 * own.value, color=style.colour_of(variable), marker="o", ms=3, lw=1.3)
    last = ""
    for row in own.itertuples():
        if np.isfinite(row.p):
            last = f"p = {row.p:.2g}, {int(row.place)} cells"
    where = {"xycoords": "axes fraction", "va": "top", "fontsize": style.NOTE_PT}
    axes.annotate(last, (0.03, 0.97), **where)
    axes.set_xscale("log", base=2)
    axes.set_xticks(own.place, [f"{int(n)}" for n in own.place])
    axes.minorticks_off()
    axes.axhline(0, color=style.CONTROL, lw=0.5, zorder=0)
    axes.set_ylabel("Activation lost (%)")


def _map(axes, masks: pd.DataFrame, variable: str) -> None:
    """The field of view: cells without weight in grey, the others by their share."""
    from glassbox.figures import style

    height, width = int(masks.low.iloc[0]), int(masks.high.iloc[0])
    image = np.full((height, width), np.nan)
    largest = max(np.abs(masks.value).max(), 1e-12)
    for row in masks.sort_values("value", kind="stable").itertuples():
        for run in row.text.split():
            line, _, span = run.partition(":")
            first, _, last = span.partition("-")
            image[int(line), int(first) : int(last) + 1] = max(row.value, 0) / largest
    axes.set_facecolor("#FFFFFF")
    shades = style.shades_of(variable).with_extremes(under="#DADADA")
    axes.imshow(
        np.ma.masked_invalid(image), cmap=shades, vmin=1e-6, vmax=1, interpolation="nearest"
    )
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(style.CONTROL)

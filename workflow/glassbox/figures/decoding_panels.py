"""The drawing of the decoding figure: models from top to bottom, scores and differences beside."""

from __future__ import annotations

import pandas as pd

from glassbox.figures.decoding import BASELINES, DIFFERENCE, FEW, SCORE, Place, places_of
from glassbox.figures.output import text_of

IN_A_ROW = 2  # tasks
ROW_MM, ABOVE_MM, BELOW_MM = 5.6, 14.0, 10.0  # of a model; for titles; for an axis and its label
LEFT_MM, NEXT_MM, RIGHT_MM = 34.0, 15.0, 10.0  # for names, between tasks, for values at the right
SCORE_SHARE, DIFFERENCE_SHARE = 0.44, 0.34  # of the width of a task; values stand in the rest
HEAD_MM = 4.5
POINTS_AT, MEANS_AT = -0.17, 0.24  # of a row, which has room for its mice above their means
LABELS = {
    ("accuracy", SCORE): "Accuracy (fraction of trials)",
    ("accuracy", DIFFERENCE): "Difference in accuracy",
    ("r2", SCORE): "Variance explained, r²",
    ("r2", DIFFERENCE): "Difference in r²",
}


def draw(numbers: pd.DataFrame):
    """The figure of the numbers of the figure: of each task scores, and differences beside."""
    from glassbox.figures import style

    tasks = [panel for panel in dict.fromkeys(numbers.panel) if panel]
    bands = [tasks[at : at + IN_A_ROW] for at in range(0, len(tasks), IN_A_ROW)]
    placed = numbers[numbers.kind == "mouse"]
    places = {task: _places(placed[placed.panel.isin(band)]) for band in bands for task in band}
    heights = [ABOVE_MM + len(places[band[0]]) * ROW_MM + BELOW_MM for band in bands]
    note = text_of(numbers, "note")
    width = style.DOUBLE_COLUMN_MM
    foot = style.footnote_mm(width, note)
    height = HEAD_MM + (sum(heights) or 40) + foot
    figure = style.new_figure(width, height)
    style.headline(figure, "Does the decoder beat chance and every baseline?")
    style.footnote(figure, note)
    if not tasks:
        style.say_instead(figure.add_axes((0.1, 0.35, 0.85, 0.45)), "No decoding to show.")
        return figure
    looks = style.looks_of_lines(numbers.cre_line[numbers.cre_line != ""])
    each = (width - LEFT_MM - RIGHT_MM - NEXT_MM * (IN_A_ROW - 1)) / IN_A_ROW
    top = height - HEAD_MM
    for band, its_height in zip(bands, heights, strict=True):
        for column, task in enumerate(band):
            left, low = LEFT_MM + column * (each + NEXT_MM), top - its_height + BELOW_MM
            tall = len(places[task]) * ROW_MM
            panel = numbers[numbers.panel == task]
            for shown, x, wide in (
                (SCORE, left, SCORE_SHARE * each),
                (DIFFERENCE, left + (1 - DIFFERENCE_SHARE) * each, DIFFERENCE_SHARE * each),
            ):
                box = (x / width, low / height, wide / width, tall / height)
                axes = figure.add_axes(box)
                _draw_panel(axes, panel, shown, places[task], looks)
                if shown == SCORE:
                    if column == 0:
                        axes.set_yticks(range(len(places[task])), places[task].values())
                    title = style.name_of(task)
                    letter = "abcdefghijklmnop"[tasks.index(task)]
                    words = title[0].upper() + title[1:], text_of(numbers, "title", task)
                    style.panel_title(axes, letter, *words, dx_mm=5)
        top -= its_height
    style.legend_of_lines(figure, looks)
    return figure


def _places(rows: pd.DataFrame) -> dict[Place, str]:
    return places_of(set(zip(rows.model, rows.level, strict=True)))


def _draw_panel(axes, panel: pd.DataFrame, shown: str, places: dict[Place, str], looks) -> None:
    from glassbox.figures import style

    metric = text_of(panel, "metric", panel.panel.iloc[0])
    rows = panel[panel.shown == shown]
    mice = rows[rows.kind == "mouse"]
    few = mice.mouse.nunique() < FEW
    spread = style.sideways(mice[["cre_line", "mouse"]].itertuples(index=False, name=None))
    decoders = [y for y, (model, _) in enumerate(places) if model not in BASELINES]
    if decoders:
        axes.axhspan(min(decoders) - 0.5, len(places) - 0.5, color=style.GROUND, lw=0, zorder=-2)
    at = _chance_of(panel) if shown == SCORE else 0.0
    axes.axvline(at, color=style.SOFT, ls=(0, (4, 2)), lw=0.8, zorder=-1)
    for y, place in enumerate(places):
        its = rows[(rows.model == place[0]) & (rows.level == place[1])]
        _draw_mice(axes, its[its.kind == "mouse"], y if few else y + POINTS_AT, spread, looks, few)
        if not few:
            _draw_means(axes, its, y + MEANS_AT, looks)
        for mean in its[its.kind == "mean"].value:
            text = f"{mean:.3f}" if shown == SCORE else f"{mean:+.3f}".replace("-", "−")
            style.beside(axes, y, text)
        chosen = panel[(panel.kind == "chosen") & (panel.model == place[0])].n
        for times in chosen if shown == SCORE and place[1] == "mouse" else ():
            style.beside(axes, y, f"{times:.0f}×", dx_pt=24, soft=True)
    axes.patch.set_alpha(0)  # what stands beside the panel to the left is not covered
    axes.set_ylim(len(places) - 0.5, -0.5)
    axes.set_yticks([])
    axes.tick_params(axis="y", length=0)
    axes.spines.left.set_visible(False)
    axes.set_xlabel(LABELS[metric, shown])
    if shown == SCORE and metric == "accuracy":
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])


def _draw_mice(axes, rows: pd.DataFrame, y: float, spread, looks, few: bool) -> None:
    from glassbox.figures import style

    for row in rows.itertuples():
        colour, marker = looks.get(row.cre_line, (style.CONTROL, "o"))
        style.points(axes, [row.value], [y + spread[row.mouse]], colour, marker, large=few)
        if few:
            style.flat_bar(axes, y + spread[row.mouse], row.value, row.low, row.high)


def _draw_means(axes, rows: pd.DataFrame, y: float, looks) -> None:
    """Cre lines as open marks, and the mean over mice with its interval."""
    from glassbox.figures import style

    for row in rows[rows.kind == "line"].itertuples():
        colour, marker = looks[row.cre_line]
        axes.plot([row.value], [y], marker, color="white", ms=3.8, mec=colour, mew=1.1, zorder=4)
    for row in rows[rows.kind == "mean"].itertuples():
        style.flat_bar(axes, y, row.value, row.low, row.high, cap=True)


def _chance_of(panel: pd.DataFrame) -> float:
    """Chance of the panel's metric."""
    return float(panel[panel.kind == "chance"].value.iloc[0])

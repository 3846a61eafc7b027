"""What tells the genotype of mice that neither decoder nor dictionary saw?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from glassbox.figures.choose import one_dictionary
from glassbox.figures.options import FiguresOptions
from glassbox.figures.output import text_of
from glassbox.figures.summaries import counted, mean_interval, p_in_words

TITLE = "Do hidden units tell genotype beyond who the mouse is?"
SCORES, BEYOND = "scores", "beyond"
SCORE = "standardised_score"
PROBE, CHOSEN = "units", "chosen_identity"
NAMES = {  # in the order from above
    "units": "hidden units",
    "latents": "latents",
    CHOSEN: "identity, chosen",
    "all_identity": "all of identity",
    "unit_vectors": "unit vectors",
    "session_vector": "session vector",
    "mean_rate": "mean rate",
    "cell_count": "cell count",
    "area": "area",
    "depth": "depth",
}
OF_PROBES = ("units", "latents")


def numbers(genotype: pd.DataFrame, options: FiguresOptions) -> Iterator[dict[str, Any]]:
    """The rows drawn: each held-out mouse by each source, and what the units tell beyond each.

    Of several seeds a mouse has the mean, a p is the largest.
    """
    table = one_dictionary(genotype, options)
    table = table[table.metric == SCORE]
    if table.empty:
        yield {"kind": "title", "text": TITLE}
        return
    mice = table[table.mouse != ""]
    whole = table[(table.mouse == "") & (table.baseline == "")]
    of_mice = {s: rows.groupby("mouse").value.mean() for s, rows in mice.groupby("source")}
    for source in [s for s in NAMES if s in set(whole.source)]:
        its = whole[whole.source == source]
        if source not in of_mice:
            yield {"panel": SCORES, "kind": "missing", "source": source, "text": its.reason.iloc[0]}
            continue
        values = of_mice[source]
        lines = mice.drop_duplicates("mouse").set_index("mouse").genotype
        for mouse, value in values.items():
            about = {"source": source, "mouse": mouse, "cre_line": lines[mouse]}
            yield {"panel": SCORES, "kind": "mouse", "value": value} | about
        yield {"panel": SCORES, "kind": "mean"} | _mean(source, values, its.p.max(), options)
        if source not in OF_PROBES:
            pairs = table[(table.source == PROBE) & (table.baseline == source)]
            difference = (of_mice[PROBE] - values).dropna()
            row = _mean(source, difference, pairs.p.max(), options)
            yield {"panel": BEYOND, "kind": "mean"} | row
    relabelings = int(whole.relabelings.min()) if whole.relabelings.notna().any() else 0
    yield {"kind": "title", "text": TITLE}
    yield {"kind": "note", "text": _note(whole, mice.mouse.nunique(), relabelings)}


def _mean(source: str, values: pd.Series, p: float, options: FiguresOptions) -> dict[str, Any]:
    mean, low, high = mean_interval(values.to_numpy(), options)
    row = {"source": source, "value": mean, "low": low, "high": high, "p": p, "n": len(values)}
    return row | {"text": p_in_words(p)}


def _note(whole: pd.DataFrame, n_mice: int, relabelings: int) -> str:
    seeds = whole.seed.nunique()
    chosen = whole[whole.source == CHOSEN].reason
    which = chosen.iloc[0].removeprefix("chosen: ").replace("_", " ") if len(chosen) else ""
    which = f" ({which})" if seeds == 1 and which else ""
    several = ", the mean over seeds; of their p the largest" if seeds > 1 else ""
    return (
        f"{counted(n_mice, 'mouse', 'mice')}, each read by a probe, a decoder and a dictionary "
        f"that were trained on other mice; {counted(seeds, 'seed')}. Points: the score of the "
        f"mouse's own line in standard deviations over mice{several}; right of 0 is rightly. "
        "Black: mean and 95% bootstrap interval over mice. Every source is read by the same probe. "
        f"a: p over {relabelings:,} relabelings of mice. b: p over swaps within mice. "
        f"Identity, chosen: what reads left-out training mice best, in each fold{which}."
    )


def draw(numbers: pd.DataFrame):
    """The figure of the numbers above: mice by source, and the units' surplus over identity."""
    from glassbox.figures import style

    shown = [s for s in NAMES if s in set(numbers.source)]
    height = 42 + 6.2 * max(len(shown), 6)
    figure = style.new_figure(style.DOUBLE_COLUMN_MM, height)
    style.headline(figure, text_of(numbers, "title") or TITLE)
    if not shown:
        style.say_instead(
            figure.add_axes((0.1, 0.2, 0.85, 0.65)),
            "Genotype: not testable with these data (it needs held-out mice of at least two lines)",
        )
        return figure
    foot = style.footnote(figure, text_of(numbers, "note"))
    looks = style.looks_of_lines(numbers.cre_line)
    style.legend_of_lines(figure, looks)
    grid = figure.add_gridspec(
        1,
        2,
        left=0.14,
        right=0.915,
        top=1 - 17 / height,
        bottom=foot + 10 / height,
        wspace=0.3,
        width_ratios=[1.5, 1],
    )
    heights = {source: -place for place, source in enumerate(shown)}
    panels = (
        (SCORES, "a", "Score of the mouse's own line", "Score (s.d. over mice)"),
        (BEYOND, "b", "Hidden units − source, paired by mouse", "Difference (s.d. over mice)"),
    )
    for i, (panel, letter, title, unit) in enumerate(panels):
        axes = figure.add_subplot(grid[0, i])
        rows = numbers[numbers.panel == panel]
        axes.axvline(0, color=style.SOFT, lw=0.6, ls="--", zorder=0)
        _draw_rows(axes, rows, heights, looks)
        axes.set_ylim(0.6 - len(shown), 0.6)
        axes.set_yticks([heights[s] for s in shown], [NAMES[s] if i == 0 else "" for s in shown])
        axes.tick_params(axis="y", length=0)
        axes.axhline(0.5 - len(set(OF_PROBES) & set(shown)), color=style.MARGIN_BAND, lw=0.8)
        axes.set_xlabel(unit)
        style.panel_title(axes, letter, title, " ", dx_mm=20 if i == 0 else 7)
    return figure


def _draw_rows(axes, rows: pd.DataFrame, heights: dict[str, int], looks: dict) -> None:
    """One row for each source: the mice a little above, mean and interval on it, p beside it."""
    from glassbox.figures import style

    aside = style.sideways((line, line) for line in looks)
    for line, its in rows[rows.kind == "mouse"].groupby("cre_line"):
        colour, marker = looks[line]
        y = [heights[source] + 0.7 * aside[line] for source in its.source]
        style.points(axes, its.value, y, colour, marker)
    for row in rows[rows.kind == "mean"].itertuples():
        style.flat_bar(axes, heights[row.source], row.value, row.low, row.high, cap=True)
        style.beside(axes, heights[row.source], row.text)
    for row in rows[rows.kind == "missing"].itertuples():
        axes.annotate(
            row.text,
            (0.02, heights[row.source]),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=style.NOTE_PT,
            color=style.SOFT,
        )

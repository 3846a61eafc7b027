"""Are the same units found again when decoder and dictionary are trained from another seed?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from glassbox.figures.choose import cohort_in_words, main_cohort, one_dictionary
from glassbox.figures.options import FiguresOptions
from glassbox.figures.output import text_of
from glassbox.figures.summaries import counted

TITLE = "Are the same units found again from another seed?"
EVERY, SELECTIVE = "every", "selective"
BINS = np.linspace(-0.2, 1.0, 25)


def numbers(units: pd.DataFrame, options: FiguresOptions) -> Iterator[dict[str, Any]]:
    """The rows drawn: a histogram of all units, and medians of the selective ones by variable."""
    cohort = main_cohort(units, options)
    units = one_dictionary(units[units.cohort == cohort], options)
    units = units[np.isfinite(units.partner_correlation)]
    if units.empty:
        return
    once = units.drop_duplicates(["seed", "fold", "unit"])
    found = once.partner_correlation.clip(BINS[0], BINS[-1])
    counts, _ = np.histogram(found, BINS)
    for low, high, count in zip(BINS[:-1], BINS[1:], counts, strict=True):
        share = count / len(once)
        yield {"panel": EVERY, "kind": "bar", "low": low, "high": high, "value": share, "n": count}
    chance = once.partner_chance.mean()
    for panel in (EVERY, SELECTIVE):
        yield {"panel": panel, "kind": "chance", "value": chance}
    yield _spread(once, "all living units", chance)
    for variable in dict.fromkeys(units.variable):
        rows = units[(units.variable == variable) & (units.selective == "true")]
        if len(rows):
            yield _spread(rows, variable, chance)
    above = (once.partner_correlation > once.partner_chance).mean()
    about = f"{above:.0%} above chance"
    yield {"panel": EVERY, "kind": "title", "value": above, "n": len(once), "text": about}
    yield {"kind": "title", "text": f"{TITLE} ({cohort_in_words(cohort)})"}
    yield {"kind": "note", "text": _note(once)}


def _spread(rows: pd.DataFrame, variable: str, chance: float) -> dict[str, Any]:
    low, middle, high = np.percentile(rows.partner_correlation, [25, 50, 75])
    about = {"variable": variable, "value": middle, "low": low, "high": high, "n": len(rows)}
    return {"panel": SELECTIVE, "kind": "median"} | about


def _note(once: pd.DataFrame) -> str:
    return (
        f"{len(once)} living units of {counted(once.seed.nunique(), 'seed')}. Units of two seeds "
        "are matched one to one by the correlation of their activations over the same selection "
        "trials, within session and block; of each the mean over the other seeds. Dashed: 95th "
        "percentile of what matching finds when trials are shuffled. Right: medians and quartiles "
        "of the selective units; n: units."
    )


def draw(numbers: pd.DataFrame):
    """The figure of the numbers above."""
    from glassbox.figures import style

    figure = style.new_figure(style.DOUBLE_COLUMN_MM, 88)
    style.headline(figure, text_of(numbers, "title") or TITLE)
    foot = style.footnote(figure, text_of(numbers, "note"))
    medians = numbers[numbers.kind == "median"]
    if medians.empty:
        axes = figure.add_axes((0.1, 0.2, 0.85, 0.6))
        style.say_instead(axes, "No unit has a partner: there is one seed only.")
        return figure
    grid = figure.add_gridspec(
        1, 2, left=0.09, right=0.93, top=0.76, bottom=foot + 0.17, wspace=0.55
    )
    every, selective = (figure.add_subplot(grid[0, i]) for i in range(2))
    rows = numbers[(numbers.panel == EVERY) & (numbers.kind == "bar")]
    every.bar(rows.low, rows.value, rows.high - rows.low, align="edge", color=style.CONTROL, lw=0)
    every.set_ylabel("Share of units")
    style.panel_title(every, "a", "All living units", text_of(numbers, "title", EVERY))
    for y, row in enumerate(medians.itertuples()):
        colour = style.colour_of(row.variable)
        selective.plot([row.low, row.high], [y, y], color=colour, lw=1.4)
        selective.plot(row.value, y, "o", color=colour, ms=4, mew=0)
        style.beside(selective, y, f"n = {int(row.n)}", soft=True)
    selective.set_yticks(range(len(medians)), [style.name_of(v) for v in medians.variable])
    selective.set_ylim(len(medians) - 0.4, -0.6)
    style.panel_title(selective, "b", "Selective units", "by variable")
    chance = numbers[numbers.kind == "chance"].value.iloc[0]
    for axes in (every, selective):
        axes.axvline(chance, color=style.SOFT, lw=0.7, ls="--", zorder=1)
        axes.set_xlim(-0.2, 1.0)
        axes.set_xlabel("Correlation with the partner unit")
    return figure

"""Where in the decoder is a variable readable, and by how few features?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from glassbox.figures.choose import cohort_in_words, main_cohort
from glassbox.figures.options import FiguresOptions
from glassbox.figures.output import text_of
from glassbox.figures.read import read_tables
from glassbox.figures.summaries import counted

TITLE = "Where is a variable readable, and by how few features?"
NEEDED = "cohort level seed fold hook features probe k task value chance n".split()
LAYERS, FEW = "layers", "few"
INPUT = "input"
MOST_TASKS = 4
# What reads a layer: name, colour, marker.
READERS = {
    "dense": ("linear probe", "#0072B2", "o"),
    "nonlinear": ("non-linear probe", "#56B4E9", "s"),
    "tuned_lens": ("tuned lens", "#D55E00", "^"),
    "logit_lens": ("decoder's readout as it is", "#E69F00", "v"),
}
# What the few are of.
FEATURES = {
    "units": ("dictionary units", "#009E73", "o"),
    "latents": ("raw latents", "#CC79A7", "s"),
    "pca": ("principal components", "#6B6B6B", "D"),
    "cells": ("raw cells", "#222222", "x"),
}


def read(paths: Iterable[str]) -> pd.DataFrame:
    """The tables probes.csv of all cohorts as one."""
    return read_tables(paths, NEEDED, "probe_layers", ("cohort",))


def numbers(table: pd.DataFrame, options: FiguresOptions) -> Iterator[dict[str, Any]]:
    """The rows drawn: accuracy by layer and reader, and by number of features; chance; texts."""
    cohort = main_cohort(table, options)
    table = table[table.cohort == cohort]
    if table.empty:
        return
    layers = [hook for hook in dict.fromkeys(table.hook) if hook != INPUT]
    for task in list(dict.fromkeys(table.task))[:MOST_TASKS]:
        its = table[table.task == task]
        chance = its.chance.iloc[0]
        for panel in (LAYERS, FEW):
            yield {"panel": panel, "task": task, "kind": "chance", "value": chance}
        for reader in READERS:
            for place, hook in enumerate([INPUT, *layers]):
                features = "cells" if hook == INPUT else "layer"
                chosen = (its.hook == hook) & (its.probe == reader) & (its.features == features)
                yield from _point(its[chosen], LAYERS, task, reader, place, hook)
        for features in FEATURES:
            of = its[(its.features == features) & (its.probe == "sparse")]
            for k in sorted(set(of.k)):
                yield from _point(of[of.k == k], FEW, task, features, k, "")
    yield {"kind": "title", "text": f"{TITLE} ({cohort_in_words(cohort)})"}
    yield {"kind": "note", "text": _note(table)}


def _point(
    rows: pd.DataFrame, panel: str, task: str, reader: str, place: float, text: str
) -> Iterator[dict[str, Any]]:
    """Mean over seeds and folds, with the least and largest; of one alone its interval."""
    if rows.empty:
        return
    several = len(rows) > 1
    yield {
        "panel": panel,
        "task": task,
        "kind": "point",
        "reader": reader,
        "place": place,
        "value": rows.value.mean(),
        "low": rows.value.min() if several else rows.ci_low.iloc[0],
        "high": rows.value.max() if several else rows.ci_high.iloc[0],
        "n": rows.n.sum(),
        "text": text,
    }


def _note(table: pd.DataFrame) -> str:
    fits = table[["seed", "fold"]].drop_duplicates()
    trials = int(table[table.features == "layer"].n.median())
    bars = "least and largest of them" if len(fits) > 1 else "95% intervals over trials"
    return (
        f"Accuracy on {trials} test trials of {counted(len(fits), 'decoder')}; bars: {bars}; "
        "dotted: chance. Left: probes of the leading principal components of all activations at a "
        "hook point, trained on at most 1,500 trials, penalties chosen on selection trials; tuned "
        "lens: one affine map from the hook to the latents, then the decoder's own readout, which "
        "was trained on all training trials. Cells: mean dF/F, a probe for each session. Right: "
        "logistic regression on the k features that differ most between the classes on training "
        "trials, at the hook of the dictionary."
    )


def draw(numbers: pd.DataFrame):
    """The figure of the numbers above: a row for each variable, layers and few features."""
    from glassbox.figures import style

    tasks = list(dict.fromkeys(numbers[numbers.kind == "point"].task))
    figure = style.new_figure(style.DOUBLE_COLUMN_MM, 62 + 46 * max(len(tasks), 1))
    style.headline(figure, text_of(numbers, "title") or TITLE)
    foot = style.footnote(figure, text_of(numbers, "note"))
    if not tasks:
        style.say_instead(figure.add_axes((0.1, 0.2, 0.85, 0.65)), "No probe to show.")
        return figure
    grid = figure.add_gridspec(
        len(tasks),
        2,
        left=0.08,
        right=0.79,
        top=0.86 if len(tasks) > 1 else 0.8,
        bottom=foot + (0.13 if len(tasks) > 1 else 0.22),
        wspace=0.28,
        hspace=0.75,
    )
    for row, task in enumerate(tasks):
        for column, panel in enumerate((LAYERS, FEW)):
            axes = figure.add_subplot(grid[row, column])
            rows = numbers[(numbers.panel == panel) & (numbers.task == task)]
            _draw_panel(axes, rows, READERS if panel == LAYERS else FEATURES)
            name = style.name_of(task).capitalize()
            about = "by layer, input to answer" if panel == LAYERS else "by number of features"
            style.panel_title(axes, "abcdefgh"[2 * row + column], name, about)
            axes.set_ylabel("Accuracy" if panel == LAYERS else "")
            (_layers if panel == LAYERS else _few)(axes, rows, row == len(tasks) - 1)
    _legends(figure, numbers)
    return figure


def _draw_panel(axes, rows: pd.DataFrame, looks: dict[str, tuple[str, str, str]]) -> None:
    from glassbox.figures import style

    for row in rows[rows.kind == "chance"].itertuples():
        axes.axhline(row.value, color=style.SOFT, lw=0.7, ls=":", zorder=1)
    for reader, (_, colour, marker) in looks.items():
        its = rows[rows.reader == reader].sort_values("place")
        axes.plot(its.place, its.value, color=colour, marker=marker, ms=3, lw=0.9, zorder=3)
        axes.vlines(its.place, its.low, its.high, color=colour, lw=0.7, zorder=2)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1])


def _layers(axes, rows: pd.DataFrame, last: bool) -> None:
    named = rows[rows.kind == "point"].drop_duplicates("place").sort_values("place")
    texts = [text if text != INPUT else "cells" for text in named.text]
    axes.set_xticks(
        named.place, texts, rotation=35, ha="right", rotation_mode="anchor", fontsize=5.5
    )


def _few(axes, rows: pd.DataFrame, last: bool) -> None:
    ks = np.unique(rows[rows.kind == "point"].place)
    axes.set_xscale("log", base=2)
    axes.set_xticks(ks, [f"{k:g}" for k in ks])
    axes.minorticks_off()
    axes.set_xlabel("k (features)" if last else "")


def _legends(figure, numbers: pd.DataFrame) -> None:
    from glassbox.figures.style import TEXT_PT, Line2D

    top = 0.88
    for title, looks in (("Read by", READERS), ("k of", FEATURES)):
        handles = [
            Line2D([], [], color=colour, marker=marker, ms=3, lw=0.9, label=name)
            for reader, (name, colour, marker) in looks.items()
            if (numbers.reader == reader).any()
        ]
        if handles:
            figure.legend(
                handles=handles,
                title=title,
                title_fontproperties={"size": TEXT_PT, "weight": "bold"},
                loc="upper left",
                bbox_to_anchor=(0.8, top),
                borderaxespad=0,
                alignment="left",
                labelspacing=0.25,
                handlelength=1.6,
            )
            top -= 0.3

"""Which dictionary explains most with the fewest units, and what does it cost the decoder?"""

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

TITLE = "Which dictionary keeps the latents with the fewest units?"
SELECTED = "log_probability_change"  # the panel of the rule, of selection trials; others of test
PANELS = {
    "explained_variance": ("Explained variance", "test trials"),
    "loss_recovered": ("Loss recovered", "test trials; 0: latents of zero, 1: no cost"),
    "accuracy_change": ("Change of accuracy", "test trials; spliced − clean"),
    SELECTED: (
        "Change of log-probability",
        "selection trials; spliced − clean",
    ),
}
UNITS = {
    "explained_variance": "Share of variance",
    "loss_recovered": "Share of loss",
    "accuracy_change": "Fraction of trials",
    SELECTED: "Nats",
}
ERROR = "log_probability_se"
NEEDED = ["cohort", "level", "dictionary", "width", "k", "part", "l0", "chosen", *PANELS, ERROR]
# Everything else is a dictionary that was trained.
BASELINES = {
    "pca": "PCA, own k each",
    "pca_leading": "PCA, leading k",
    "ica": "ICA",
    "nmf": "NMF",
    "semi_nmf": "semi-NMF",
    "raw": "raw latents",
    "difference_in_means": "difference in means",
    "random": "random directions",
    "random_decoder": "random, frozen rows",
    "raw_cells": "raw cells",
    "untrained_decoder": "untrained decoder",
}
TO_BEAT = "pca_leading"
SHOWN_IN_FULL = (TO_BEAT, "random")  # far below them nothing is worth the room
AS_FEW = 1.05  # × L0: so few more count as as few
DICTIONARIES = {
    "topk": ("TopK", "#0072B2"),
    "batch_topk": ("BatchTopK", "#56B4E9"),
    "matryoshka": ("Matryoshka", "#009E73"),
    "relu": ("ReLU", "#CC79A7"),
    "jumprelu": ("JumpReLU", "#E69F00"),
    "matching_pursuit": ("matching pursuit", "#D55E00"),
}
WIDTH_MARKERS = "o^sDvP"
BASELINE_MARKERS = "x+1234*.|_dX"


def read(paths: Iterable[str]) -> pd.DataFrame:
    """The tables comparison.csv of all cohorts as one."""
    return read_tables(paths, NEEDED, "compare_dictionaries", ("cohort", "chosen"))


def numbers(table: pd.DataFrame, options: FiguresOptions) -> Iterator[dict[str, Any]]:
    """The rows drawn: each dictionary and baseline by L0, the front, the point that was chosen."""
    cohort = main_cohort(table, options)
    table = table[table.cohort == cohort]
    if table.empty:
        return
    for panel in PANELS:
        part = "selection" if panel == SELECTED else "test"
        points = list(_points(table[table.part == part], panel))
        yield from points
        trained = [p for p in points if p["kind"] == "dictionary"]
        for row in front(trained):
            yield row | {"kind": "front", "low": None, "high": None}
        yield from _chosen(table, trained)
        if panel == SELECTED and trained:
            yield {"panel": panel, "kind": "least", "value": _least(table, trained)}
    yield {"kind": "title", "text": f"{TITLE} ({cohort_in_words(cohort)})"}
    yield {"kind": "note", "text": _note(table)}


def _points(table: pd.DataFrame, panel: str) -> Iterator[dict[str, Any]]:
    for (name, width, k), its in table.groupby(["dictionary", "width", "k"], sort=True):
        values = its[panel].dropna()
        if len(values) and its.l0.mean() > 0:
            yield {
                "panel": panel,
                "kind": "baseline" if name in BASELINES else "dictionary",
                "dictionary": name,
                "width": width,
                "k": k,
                "place": its.l0.mean(),
                "value": values.mean(),
                "low": values.min(),
                "high": values.max(),
                "n": len(values),
            }


def front(points: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The points that no other beats, by L0: none of as few active units has a higher value."""
    return sorted(
        (
            point
            for point in points
            if not any(
                other["value"] > point["value"] and other["place"] <= AS_FEW * point["place"]
                for other in points
            )
        ),
        key=lambda point: point["place"],
    )


def _chosen(table: pd.DataFrame, trained: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    picked = table[table.chosen.str.lower() == "true"]
    names = set(picked[["dictionary", "width", "k"]].itertuples(index=False, name=None))
    for point in trained:
        if (point["dictionary"], point["width"], point["k"]) in names:
            yield point | {"kind": "chosen", "low": None, "high": None}


def _least(table: pd.DataFrame, trained: list[dict[str, Any]]) -> float:
    """One standard error below the best dictionary: the least that the rule allows."""
    best = max(trained, key=lambda p: (p["value"], p["dictionary"], p["width"], p["k"]))
    rows = table[table.part == "selection"]
    for column in ("dictionary", "width", "k"):
        rows = rows[rows[column] == best[column]]
    return best["value"] - rows[ERROR].mean()


def _note(table: pd.DataFrame) -> str:
    trained = table[~table.dictionary.isin(BASELINES)]
    runs = table[["seed", "fold"]].drop_duplicates() if "seed" in table else table[:1]
    seeds = trained.dictionary_seed.nunique() if "dictionary_seed" in table else 1
    picked = trained[trained.chosen.str.lower() == "true"]
    said = "no dictionary was trained"
    if len(picked):
        one = picked.iloc[0]
        name = DICTIONARIES.get(one.dictionary, (one.dictionary,))[0]
        said = f"{name}, width {int(one.width)}, k {int(one.k)}"
    return (
        f"Points: means of {counted(len(runs), 'decoder')} × {counted(seeds, 'dictionary seed')}; "
        "bars: lowest and highest of them. Black line: the Pareto front, dictionaries that none of "
        "as few active units (or 5% more) beats. Values below a panel's lower edge are in the CSV. "
        f"Star: the operating point ({said}). Rule, on selection trials alone: the smallest k, "
        "then the smallest width, of the dictionaries whose log-probability is within one standard "
        "error (over trials; dashed) of the best, that explain more than leading PCA and have "
        "fewer than 10% dead units and keep to their k; where there is none, the best. The "
        "untrained decoder's dictionaries are measured on its own latents."
    )


def draw(numbers: pd.DataFrame):
    """The figure of the numbers above: a panel for each measure, over L0."""
    from glassbox.figures import style

    figure = style.new_figure(style.DOUBLE_COLUMN_MM, 128)
    style.headline(figure, text_of(numbers, "title") or TITLE)
    foot = style.footnote(figure, text_of(numbers, "note"))
    drawn = numbers[numbers.kind.isin(["dictionary", "baseline"])]
    if drawn.empty:
        style.say_instead(figure.add_axes((0.1, 0.2, 0.85, 0.65)), "No dictionary to show.")
        return figure
    widths = sorted(set(drawn[drawn.kind == "dictionary"].width))
    grid = figure.add_gridspec(
        2, 2, left=0.09, right=0.785, top=0.87, bottom=foot + 0.085, wspace=0.34, hspace=0.5
    )
    for i, (panel, (name, about)) in enumerate(PANELS.items()):
        axes = figure.add_subplot(grid[i // 2, i % 2])
        _draw_panel(axes, numbers[numbers.panel == panel], widths)
        style.panel_title(axes, "abcd"[i], name, about)
        axes.set_xlabel("L0 (units active in a latent)" if i // 2 else "")
        axes.set_ylabel(UNITS[panel])
    _legends(figure, drawn, widths)
    return figure


def _draw_panel(axes, rows: pd.DataFrame, widths: list[float]) -> None:
    from glassbox.figures import style

    if not len(rows):
        style.say_instead(axes, "not in the table")
        return
    for name, of_name in rows[rows.kind == "baseline"].groupby("dictionary"):
        # A basis of k directions has another width at each k: one line all the same.
        several = of_name.k.duplicated().any()
        for _, its in of_name.groupby("width") if several else ((name, of_name),):
            its = its.sort_values("place")
            axes.plot(its.place, its.value, **_look_of_baseline(name), zorder=2)
    trained = rows[rows.kind == "dictionary"]
    for (name, width), its in trained.groupby(["dictionary", "width"]):
        its = its.sort_values("place")
        look = _look_of_dictionary(name, width, widths)
        axes.plot(its.place, its.value, **look, lw=0.8, zorder=4)
        axes.vlines(its.place, its.low, its.high, color=look["color"], lw=0.8, zorder=4)
    best = rows[rows.kind == "front"]
    axes.plot(best.place, best.value, color=style.EFFECT, lw=0.7, zorder=3)
    for row in rows[rows.kind == "least"].itertuples():
        axes.axhline(row.value, color=style.SOFT, lw=0.7, ls="--", zorder=1)
    picked = rows[rows.kind == "chosen"]
    axes.plot(picked.place, picked.value, **STAR, ls="", zorder=6)
    axes.set_xscale("log", base=2)
    ticks = 2.0 ** np.arange(np.floor(np.log2(rows.place.min())), np.log2(rows.place.max()) + 1)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    _limit(axes, rows)


def _limit(axes, rows: pd.DataFrame) -> None:
    """Show what is chosen, the baselines to beat, and all above them; the rest is cut off."""
    whole = rows[rows.kind.isin(["chosen", "least"]) | rows.dictionary.isin(SHOWN_IN_FULL)]
    low = whole.value.min() if len(whole) else rows.value.min()
    high = rows[["high", "value"]].max().max()
    margin = 0.05 * (high - low) or 0.01
    axes.set_ylim(low - margin, high + margin)
    axes.locator_params(axis="y", nbins=5)


STAR = {"marker": "*", "ms": 9, "mfc": "white", "mec": "black", "mew": 0.9}


def _look_of_dictionary(name: str, width: float, widths: list[float]) -> dict[str, Any]:
    colour = DICTIONARIES.get(name, (name, "#222222"))[1]
    marker = WIDTH_MARKERS[widths.index(width) % len(WIDTH_MARKERS)]
    return {"color": colour, "marker": marker, "ms": 3.5, "mec": "white", "mew": 0.3}


def _look_of_baseline(name: str) -> dict[str, Any]:
    marker = BASELINE_MARKERS[list(BASELINES).index(name) % len(BASELINE_MARKERS)]
    if name == TO_BEAT:
        return {"color": "#222222", "marker": marker, "ms": 4.5, "mew": 1, "ls": "--", "lw": 0.9}
    return {"color": "#8A8A8A", "marker": marker, "ms": 4, "mew": 0.8, "ls": ":", "lw": 0.6}


def _legends(figure, drawn: pd.DataFrame, widths: list[float]) -> None:
    """Architectures by colour, widths by marker, baselines in grey, at the right."""
    from glassbox.figures.style import EFFECT, TEXT_PT, Line2D

    present = set(drawn.dictionary)
    names = [name for name in DICTIONARIES if name in present]
    names += sorted(present - set(DICTIONARIES) - set(BASELINES))
    colours = {n: DICTIONARIES.get(n, (n, "#222222")) for n in names}
    groups = {
        "Dictionaries": [
            Line2D([], [], color=c, lw=1.5, label=said) for said, c in colours.values()
        ]
        + [Line2D([], [], color=EFFECT, lw=0.7, label="Pareto front")]
        + [Line2D([], [], **STAR, ls="", label="operating point")],
        "Width (units)": [
            Line2D([], [], color=EFFECT, ls="", ms=3.5, label=f"{width:g}", marker=marker)
            for width, marker in zip(widths, WIDTH_MARKERS * len(widths), strict=False)
        ],
        "Baselines": [
            Line2D([], [], **_look_of_baseline(name), label=said)
            for name, said in BASELINES.items()
            if name in present
        ],
    }
    top = 0.9
    for title, handles in groups.items():
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
                handlelength=1.8,
            )
            top -= 0.062 + 0.0285 * len(handles)

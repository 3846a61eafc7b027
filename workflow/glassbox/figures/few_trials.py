"""How many trials of a new mouse does a trained decoder need?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from glassbox.figures.options import FiguresOptions
from glassbox.figures.output import text_of
from glassbox.figures.read import read_tables
from glassbox.figures.summaries import counted, mean_interval

NEEDED = "cohort session mouse model seed fold task trials_per_condition value chance".split()
TITLE = "How many trials of a mouse that it has never seen does the decoder need?"
ALONE = "shrinkage_lda"
MODEL_NAMES = {
    "identity_keyed": "body of other mice,\nunit vectors fitted",
    "poyo_plus": "POYO+ body of other mice,\nunit vectors fitted",
    ALONE: "the mouse alone\n(shrinkage LDA)",
}
COLOURS = {ALONE: "#999999"}


def read(paths: Iterable[str]) -> pd.DataFrame:
    """The tables few_trials.csv of all cohorts of held-out mice as one."""
    return read_tables(paths, NEEDED, "fit_few_trials", ("cohort", "session", "mouse"))


def numbers(table: pd.DataFrame, options: FiguresOptions) -> Iterator[dict[str, Any]]:
    """The rows drawn: the mean over mice for each task, model and number, and each mouse."""
    if table.empty:
        return
    for task, its in table.groupby("task", sort=False):
        yield {"panel": task, "kind": "chance", "value": its.chance.iloc[0]}
        for (model, n), here in its.groupby(["model", "trials_per_condition"]):
            mice = here.groupby("mouse").value.mean()
            mean, low, high = mean_interval(mice, options, mice.index.to_numpy())
            yield {
                "panel": task,
                "kind": "mean",
                "model": model,
                "place": n,
                "value": mean,
                "low": low,
                "high": high,
                "n": len(mice),
            }
    mice, runs = table.mouse.nunique(), table[["seed", "fold"]].drop_duplicates()
    yield {"kind": "title", "text": TITLE}
    yield {
        "kind": "note",
        "text": (
            f"{counted(mice, 'held-out mouse', 'held-out mice')}, {counted(len(runs), 'decoder')} "
            "(seed and fold) each. Points: mean accuracy on test trials; bars: 95% bootstrap "
            "interval over mice. Dashed: chance. The body is trained on other mice and stays; no "
            "trial of the new mouse is used to stop or to choose."
        ),
    }


def draw(numbers: pd.DataFrame):
    """The figure of the numbers above: a panel for each task."""
    from glassbox.figures import style

    figure = style.new_figure(style.DOUBLE_COLUMN_MM, 72)
    style.headline(figure, text_of(numbers, "title") or TITLE)
    foot = style.footnote(figure, text_of(numbers, "note"))
    tasks = [panel for panel in dict.fromkeys(numbers.panel) if panel]
    if not tasks:
        style.say_instead(figure.add_axes((0.1, 0.2, 0.85, 0.65)), "No held-out mouse to show.")
        return figure
    grid = figure.add_gridspec(
        1, len(tasks), left=0.08, right=0.76, top=0.82, bottom=foot + 0.17, wspace=0.3
    )
    models = sorted(set(numbers[numbers.kind == "mean"].model))
    handles = {}
    for i, task in enumerate(tasks):
        axes = figure.add_subplot(grid[0, i])
        its = numbers[numbers.panel == task]
        axes.axhline(its[its.kind == "chance"].value.iloc[0], color=style.SOFT, lw=0.7, ls="--")
        places = sorted(set(its[its.kind == "mean"].place))
        for k, model in enumerate(models):
            here = its[(its.kind == "mean") & (its.model == model)].sort_values("place")
            x = here.place * (1 + 0.03 * (k - (len(models) - 1) / 2))
            colour = COLOURS.get(model, style.colour_of(task))
            axes.vlines(x, here.low, here.high, color=colour, lw=1)
            (line,) = axes.plot(x, here.value, marker="os^D"[k], ms=3.5, color=colour)
            handles.setdefault(model, line)
        axes.set_xscale("log", base=2)
        axes.set_xticks(places, [f"{place:g}" for place in places])
        axes.minorticks_off()
        axes.set_ylim(0, 1)
        axes.set_xlabel("Training trials of each condition")
        axes.set_ylabel("Accuracy (fraction of test trials)" if i == 0 else "")
        style.panel_title(axes, "abcdefg"[i], style.name_of(task).capitalize(), " ")
    figure.legend(
        [_neutral(handles[model], model) for model in models],
        [MODEL_NAMES.get(model, model) for model in models],
        loc="upper left",
        bbox_to_anchor=(0.77, 0.84),
        labelspacing=1.0,
    )
    return figure


def _neutral(line, model: str):
    """The sign of a model in the legend, without the colour of a task."""
    from glassbox.figures import style

    return style.Line2D(
        [], [], marker=line.get_marker(), ms=3.5, color=COLOURS.get(model, style.EFFECT)
    )

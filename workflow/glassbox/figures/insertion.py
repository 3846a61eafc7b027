"""Claim 1: does the decoder keep its performance with the dictionary spliced in?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from glassbox.figures.choose import POOLED, cohort_in_words, main_cohort, one_dictionary
from glassbox.figures.options import FiguresOptions
from glassbox.figures.output import text_of
from glassbox.figures.summaries import counted, mean_interval

CONDITIONS = ("clean", "spliced", "noise")
CONDITION_NAMES = {"clean": "clean", "spliced": "spliced", "noise": "noise of\nequal norm"}
LEVELS = ("mouse", "genotype", "all")
LEVEL_NAMES = {
    "mouse": "per mouse",
    "genotype": "per genotype",
    "all": "all mice",
}
MARGIN = 0.02  # a cost within it counts as none; stated before the data were seen
DIFFERENCES = "differences"
MINUS_CLEAN = "_minus_clean"  # ends the name of a condition that is a difference in the table


def numbers(
    insertion: pd.DataFrame, decoding: pd.DataFrame, options: FiguresOptions
) -> Iterator[dict[str, Any]]:
    """The rows drawn: sessions by condition in one cohort, paired differences at each level."""
    table = one_dictionary(insertion, options)
    table = table[~table.session.isin(POOLED)]
    table = _with_mice(table[table.metric == "accuracy"], decoding)
    accuracy = table[table.condition.isin(CONDITIONS)]
    cohort = main_cohort(accuracy, options)
    shown = accuracy[accuracy.cohort == cohort]
    for task in sorted(set(shown.task)):
        yield from _panel(shown[shown.task == task], task, options)
    stated = table[table.condition.str.endswith(MINUS_CLEAN)]
    for level in LEVELS:
        for task in sorted(set(accuracy.task)):
            for condition in CONDITIONS[1:]:
                here = _differences(accuracy, stated, level, task, condition)
                yield from _difference_rows(here, level, task, condition, options)
    if len(shown):
        yield {"kind": "note", "text": _note(shown, cohort, options)}
        yield {"kind": "title", "text": _title(cohort)}


def _title(cohort: str) -> str:
    return (
        f"Does the decoder work as well with the dictionary spliced in? ({cohort_in_words(cohort)})"
    )


def _with_mice(table: pd.DataFrame, decoding: pd.DataFrame) -> pd.DataFrame:
    """The table with the mouse and the Cre line of each session, from the table of decoding."""
    known = decoding[["session", "mouse", "genotype"]].drop_duplicates("session")
    joined = table.merge(known, on="session", how="left")
    return joined.assign(
        mouse=joined.mouse.fillna(joined.session), genotype=joined.genotype.fillna("")
    )


def _panel(rows: pd.DataFrame, task: str, options: FiguresOptions) -> Iterator[dict[str, Any]]:
    keys = ["condition", "session", "mouse", "genotype"]
    means = rows.groupby(keys, as_index=False)[["value", "ci_low", "ci_high", "n"]].mean()
    for row in means.itertuples():
        yield {
            "panel": task,
            "kind": "session",
            "condition": row.condition,
            "task": task,
            "mouse": row.mouse,
            "cre_line": row.genotype,
            "session": row.session,
            "value": row.value,
            "low": row.ci_low,
            "high": row.ci_high,
            "n": row.n,
        }
    for condition in CONDITIONS:
        here = means[means.condition == condition]
        if len(here):
            mean, low, high = mean_interval(here.value, options, here.mouse.to_numpy())
            yield {
                "panel": task,
                "kind": "mean",
                "condition": condition,
                "task": task,
                "value": mean,
                "low": low,
                "high": high,
                "n": len(here),
            }


def _differences(
    accuracy: pd.DataFrame, stated: pd.DataFrame, level: str, task: str, condition: str
) -> pd.DataFrame:
    """Paired differences from clean, one row a session: means over seeds and cohorts of a level.

    `low` and `high` are an interval over the session's trials where the table states one.
    """
    rows = accuracy[(accuracy.level == level) & (accuracy.task == task)]
    keys = ["cohort", "seed", "session", "mouse", "genotype"]
    wide = rows.pivot_table(index=keys, columns="condition", values="value")
    if condition not in wide or "clean" not in wide:
        return pd.DataFrame()
    paired = (wide[condition] - wide["clean"]).dropna().rename("value").reset_index()
    means = paired.groupby(["session", "mouse", "genotype"], as_index=False).value.mean()
    own = stated[
        (stated.level == level)
        & (stated.task == task)
        & (stated.condition == condition + MINUS_CLEAN)
    ]
    ends = own.groupby("session", as_index=False)[["ci_low", "ci_high"]].mean()
    return means.merge(ends, on="session", how="left")


def _difference_rows(
    here: pd.DataFrame, level: str, task: str, condition: str, options: FiguresOptions
) -> Iterator[dict[str, Any]]:
    if here.empty:
        return
    where = {"panel": DIFFERENCES, "level": level, "condition": condition, "task": task}
    for row in here.itertuples():
        yield where | {
            "kind": "session",
            "mouse": row.mouse,
            "cre_line": row.genotype,
            "session": row.session,
            "value": row.value,
        }
    mean, low, high = mean_interval(here.value, options, here.mouse.to_numpy())
    if len(here) == 1:
        low, high = float(here.ci_low.iloc[0]), float(here.ci_high.iloc[0])
    yield where | {"kind": "mean", "value": mean, "low": low, "high": high, "n": len(here)}


def _note(shown: pd.DataFrame, cohort: str, options: FiguresOptions) -> str:
    sessions, mice = shown.session.nunique(), shown.mouse.nunique()
    fit = shown.iloc[0]
    text = (
        f"a, b: {cohort_in_words(cohort)}; each point is a session (n = "
        f"{counted(sessions, 'session')}, {counted(mice, 'mouse', 'mice')}; test trials; "
        f"{counted(shown.seed.nunique(), 'seed')}); dictionary {fit.dictionary}, width "
        f"{int(fit.width)}, k {int(fit.k)}, at {fit.hook}. "
        "Noise: random error of the same norm as the dictionary's, at every latent. "
    )
    if mice >= 3:
        text += "Bars: mean and 95% bootstrap interval over mice. "
    else:
        text += "Bars: 95% interval over trials. "
    return text + (
        f"c: paired differences at each level; ticks: sessions; circle and bar: mean and the same "
        f"interval; grey band: ±{MARGIN}, the margin within which the cost counts as none."
    )


def draw(numbers: pd.DataFrame):
    """The figure of the numbers above: a panel a task, and one of differences."""
    from glassbox.figures import style

    figure = style.new_figure(style.DOUBLE_COLUMN_MM, 84)
    style.headline(figure, text_of(numbers, "title") or _title("none"))
    foot = style.footnote(figure, text_of(numbers, "note"))
    tasks = [p for p in dict.fromkeys(numbers.panel) if p and p != DIFFERENCES]
    if not tasks:
        style.say_instead(figure.add_axes((0.1, 0.2, 0.85, 0.65)), "No insertion to show.")
        return figure
    lines = numbers.cre_line[numbers.cre_line != ""]
    looks = style.looks_of_lines(lines)
    grid = figure.add_gridspec(
        1,
        len(tasks) + 1,
        left=0.07,
        right=0.83,
        top=0.84,
        bottom=foot + 0.15,
        wspace=0.36,
        width_ratios=[1] * len(tasks) + [1.05],
    )
    for i, task in enumerate(tasks):
        axes = figure.add_subplot(grid[0, i])
        _draw_sessions(axes, numbers[numbers.panel == task], looks)
        style.panel_title(axes, "abcdefg"[i], style.name_of(task).capitalize(), " ")
        axes.set_ylabel("Accuracy (fraction of test trials)" if i == 0 else "")
    differences = numbers[numbers.panel == DIFFERENCES]
    halves = grid[0, len(tasks)].subgridspec(2, 1, hspace=0.62)
    for half, condition in enumerate(CONDITIONS[1:]):
        axes = figure.add_subplot(halves[half, 0])
        words = CONDITION_NAMES[condition].replace("\n", " ") + " − clean"
        _draw_differences(axes, differences[differences.condition == condition], tasks)
        style.panel_title(axes, "" if half else "abcdefg"[len(tasks)], words, " " * (1 - half), 14)
    axes.set_xlabel("Paired difference in accuracy")
    style.legend_of_variables(figure, tasks, (0.985, foot + 0.005))
    style.legend_of_lines(figure, looks)
    return figure


def _draw_sessions(axes, rows: pd.DataFrame, looks) -> None:
    from glassbox.figures import style

    sessions = rows[rows.kind == "session"]
    few = sessions.mouse.nunique() < 3
    spread = style.sideways(sessions[["cre_line", "session"]].itertuples(index=False, name=None))
    for session, its in sessions.groupby("session"):
        its = its.assign(x=its.condition.map(CONDITIONS.index)).sort_values("x")
        x = its.x + spread[session]
        colour, marker = looks.get(its.cre_line.iloc[0], (style.CONTROL, "o"))
        axes.plot(x, its.value, color=colour, lw=0.5, alpha=0.5)
        style.points(axes, x, its.value, colour, marker, large=few)
        if few:
            style.bars(axes, x, its.value, its.low, its.high)
    for row in rows[rows.kind == "mean"].itertuples():
        x = CONDITIONS.index(row.condition)
        if not few:
            style.bars(axes, [x + 0.34], [row.value], [row.low], [row.high], cap="_")
        style.above(axes, x + (0 if few else 0.1), f"{row.value:.3f}")
    axes.set_xlim(-0.4, len(CONDITIONS) - 0.45)
    axes.set_ylim(0, 1)
    axes.set_xticks(range(len(CONDITIONS)), [CONDITION_NAMES[c] for c in CONDITIONS])


def _draw_differences(axes, rows: pd.DataFrame, tasks: list[str]) -> None:
    from glassbox.figures import style

    levels = [level for level in LEVELS if level in set(rows.level)]
    if not levels:
        style.say_instead(axes, "not in the tables")
        return
    axes.axvspan(-MARGIN, MARGIN, color=style.MARGIN_BAND, lw=0)
    axes.axvline(0, color=style.SOFT, lw=0.6)
    y, names = 0.0, []
    for level in levels:
        names.append((y + (len(tasks) - 1) / 2, LEVEL_NAMES[level]))
        for task in tasks:
            here = rows[(rows.level == level) & (rows.task == task)]
            if len(here):
                _draw_difference(axes, here, y, style.colour_of(task))
            y += 1
        y += 0.5
    reach = max(np.abs(rows.value).max(), np.abs(rows[["low", "high"]]).max().max(), MARGIN)
    lowest = min(rows.value.min(), rows.low.min(), -MARGIN)
    axes.set_xlim(
        lowest - 0.08 * reach, max(rows.value.max(), rows.high.max(), MARGIN) + 0.1 * reach
    )
    axes.set_ylim(y - 0.7, -0.7)
    axes.set_yticks([place for place, _ in names], [name for _, name in names])
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=4)


def _draw_difference(axes, here: pd.DataFrame, y: float, colour: str) -> None:
    from glassbox.figures import style

    sessions, mean = here[here.kind == "session"], here[here.kind == "mean"].iloc[0]
    axes.plot(sessions.value, [y] * len(sessions), "|", color=colour, ms=5, mew=0.6, alpha=0.7)
    axes.plot([mean.value], [y], "o", color=colour, ms=3.5, mec="black", mew=0.5, zorder=5)
    text = f"{mean.value:+.3f}"
    if np.isfinite(mean.low):
        axes.plot([mean.low, mean.high], [y, y], color="black", lw=1.2, zorder=4)
        text += f" [{mean.low:+.3f}, {mean.high:+.3f}]"
    axes.annotate(
        text.replace("-", "−"),
        (1.02, y),
        xycoords=("axes fraction", "data"),
        fontsize=style.NOTE_PT,
        va="center",
        color=colour,
        annotation_clip=False,
    )

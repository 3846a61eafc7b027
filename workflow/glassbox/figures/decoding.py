"""How well are stimuli decoded: per mouse, per genotype and over all mice, against references."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from glassbox.figures.choose import one_split, pooled_folds
from glassbox.figures.options import FiguresOptions
from glassbox.figures.output import text_of
from glassbox.figures.summaries import counted, mean_interval, p_in_words, sign_flip_p

LINEAR = "logistic_regression"
DECODER_LEVELS = ("mouse", "genotype", "all")
PLACES = {  # the order from left to right, and what stands below the axis
    ("mouse", LINEAR): "linear\nreference",
    ("mouse", "decoder"): "per\nmouse",
    ("genotype", "decoder"): "per\ngenotype",
    ("all", "decoder"): "all\nmice",
}


def numbers(decoding: pd.DataFrame, options: FiguresOptions) -> Iterator[dict[str, Any]]:
    """The rows drawn: each mouse at each level, means with intervals, chance, and the notes."""
    table = decoding[(decoding.part == "test") & (decoding.metric == "accuracy")]
    table = one_split(table[table.level.isin(DECODER_LEVELS) & (table.mouse != "")], options)
    folds = sorted(set(table.fold) - {"pooled"})
    table = pooled_folds(table)
    rows = table.assign(kind_of=np.where(table.model == LINEAR, LINEAR, "decoder"))
    for task in sorted(set(rows.task)):
        yield from _panel(rows[rows.task == task], task, options)
    yield {"kind": "note", "text": _note(rows, len(folds))}


def _panel(rows: pd.DataFrame, task: str, options: FiguresOptions) -> Iterator[dict[str, Any]]:
    per_mouse = _per_mouse(rows)
    for row in per_mouse.itertuples():
        yield {
            "panel": task,
            "kind": "mouse",
            "level": row.level,
            "model": row.kind_of,
            "mouse": row.mouse,
            "cre_line": row.genotype,
            "value": row.value,
            "low": row.ci_low,
            "high": row.ci_high,
            "n": row.n,
        }
    for level, model in PLACES:
        here = per_mouse[(per_mouse.level == level) & (per_mouse.kind_of == model)]
        if here.empty:
            continue
        mean, low, high = mean_interval(here.value.to_numpy(), options)
        yield {
            "panel": task,
            "kind": "mean",
            "level": level,
            "model": model,
            "value": mean,
            "low": low,
            "high": high,
            "n": len(here),
        }
    yield {"panel": task, "kind": "chance", "value": rows.chance.mean()}
    yield {"panel": task, "kind": "title", "text": _against_linear(per_mouse, options)}


def _per_mouse(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a mouse, level and model: means over its sessions, seeds and (if unpooled) folds."""
    keys = ["level", "kind_of", "mouse", "genotype"]
    means = rows.groupby(keys, as_index=False)[["value", "ci_low", "ci_high"]].mean()
    fits = [name for name in ("session", "fold") if name in rows]
    trials = rows.groupby([*keys, *fits], as_index=False).n.max()
    return means.merge(trials.groupby(keys, as_index=False).n.sum(), on=keys)


def _against_linear(per_mouse: pd.DataFrame, options: FiguresOptions) -> str:
    """The paired difference between the decoder of the widest level and the linear reference."""
    wide = per_mouse.pivot_table(index="mouse", columns=["level", "kind_of"], values="value")
    if ("mouse", LINEAR) not in wide:
        return "no linear reference in the table"
    for level in DECODER_LEVELS[::-1]:
        if (level, "decoder") in wide:
            pairs = (wide[(level, "decoder")] - wide[("mouse", LINEAR)]).dropna().to_numpy()
            if pairs.size == 0:
                return "no mouse has both a decoder and a linear reference"
            mean, low, high = mean_interval(pairs, options)
            words = {"mouse": "per mouse", "genotype": "per genotype", "all": "all mice"}[level]
            text = f"decoder ({words}) − linear: {mean:+.3f}"
            if np.isfinite(low):
                p = p_in_words(sign_flip_p(pairs, options.seed))
                text += f" [{low:+.3f}, {high:+.3f}], {p}"
            return text.replace("-", "−")
    return "no decoder in the table"


def _note(rows: pd.DataFrame, folds: int) -> str:
    if rows.empty:
        return "The table of decoding has no test row."
    mice = counted(rows.mouse.nunique(), "mouse", "mice")
    deep = rows[rows.kind_of != LINEAR]
    seeds = deep.seed.nunique()
    keys = ["cohort", "session", "task", "fold"]
    spread = deep.groupby(keys).value.std(ddof=1).median() if seeds > 1 else np.nan
    pooled = folds > 1 and (rows.fold == "pooled").all()
    words = counted(folds, "fold") + (" pooled" if pooled else "")
    text = (
        f"Each point is a mouse (n = {mice}; {rows.split.iloc[0]} split, test trials, {words}; "
        f"{counted(seeds, 'seed')}"
    )
    text += f", median SD over seeds {spread:.3f}). " if np.isfinite(spread) else "). "
    if rows.mouse.nunique() < 3:
        return text + "Bars: 95% interval over trials. Dashed line: chance."
    return text + (
        "Black: mean and 95% bootstrap interval over mice. Dashed line: chance. "
        "Above each panel: paired difference over mice, its interval and the exact two-sided "
        "sign-flip test. Linear reference: logistic regression on mean dF/F, one for each session."
    )


def draw(numbers: pd.DataFrame):
    """The figure of the numbers above: one panel a task."""
    from glassbox.figures import style

    figure = style.new_figure(style.DOUBLE_COLUMN_MM, 82)
    style.headline(figure, "Does the decoder beat chance and a linear reference, at every level?")
    foot = style.footnote(figure, text_of(numbers, "note"))
    tasks = [panel for panel in dict.fromkeys(numbers.panel) if panel]
    if not tasks:
        style.say_instead(figure.add_axes((0.1, 0.25, 0.85, 0.6)), "No decoding to show.")
        return figure
    lines = numbers.cre_line[numbers.cre_line != ""]
    looks = style.looks_of_lines(lines)
    grid = figure.add_gridspec(
        1, len(tasks), left=0.07, right=0.99, top=0.81, bottom=foot + 0.12, wspace=0.16
    )
    for i, task in enumerate(tasks):
        axes = figure.add_subplot(grid[0, i])
        _draw_panel(axes, numbers[numbers.panel == task], task, looks)
        title, subtitle = style.name_of(task).capitalize(), text_of(numbers, "title", task)
        style.panel_title(axes, "abcdefgh"[i], title, subtitle + "\n")
        axes.set_ylabel("Accuracy (fraction of test trials)" if i == 0 else "")
    style.legend_of_lines(figure, looks)
    return figure


def _draw_panel(axes, rows: pd.DataFrame, task: str, looks) -> None:
    from glassbox.figures import style

    present = [p for p in PLACES if len(_at(rows, "mean", *p))]
    at = {place: i for i, place in enumerate(present)}
    mice = rows[rows.kind == "mouse"]
    spread = style.sideways(mice[["cre_line", "mouse"]].itertuples(index=False, name=None))
    few = mice.mouse.nunique() < 3
    for mouse, its in mice.groupby("mouse"):
        its = its.assign(x=[at[p] for p in zip(its.level, its.model, strict=True)]).sort_values("x")
        x = its.x + spread[mouse]
        colour, marker = looks.get(its.cre_line.iloc[0], (style.CONTROL, "o"))
        axes.plot(x, its.value, color=colour, lw=0.5, alpha=0.45)
        style.points(axes, x, its.value, colour, marker, large=few)
        if few:
            style.bars(axes, x, its.value, its.low, its.high)
    for place, x in at.items():
        mean = _at(rows, "mean", *place).iloc[0]
        if not few:
            style.bars(axes, [x + 0.32], [mean.value], [mean.low], [mean.high], cap="_")
        style.above(axes, x + (0.0 if few else 0.16), f"{mean.value:.3f}")
    chance = rows[rows.kind == "chance"].value.iloc[0]
    axes.axhline(chance, color=style.SOFT, ls=(0, (4, 2)), lw=0.8)
    axes.annotate(
        f"chance {chance:.3f}",
        (len(at) - 0.45, chance),
        xytext=(0, 2),
        textcoords="offset points",
        fontsize=style.NOTE_PT,
        color=style.SOFT,
        ha="right",
    )
    axes.set_xlim(-0.55, len(at) - 0.35)
    axes.set_ylim(0, 1)
    axes.set_xticks(range(len(at)), [PLACES[p] for p in at])


def _at(rows: pd.DataFrame, kind: str, level: str, model: str) -> pd.DataFrame:
    return rows[(rows.kind == kind) & (rows.level == level) & (rows.model == model)]

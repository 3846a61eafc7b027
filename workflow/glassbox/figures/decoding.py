"""How well is each task decoded: the decoder at every level, against each baseline and chance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from glassbox.figures.choose import one_split, pooled_folds
from glassbox.figures.options import FiguresOptions
from glassbox.figures.summaries import counted, mean_interval, p_in_words, sign_flip_p

BASELINES = {  # in their order from top to bottom, and how they are called
    "gaussian_naive_bayes": "naive Bayes",
    "nearest_neighbours": "nearest neighbours",
    "shrinkage_lda": "shrinkage LDA",
    "logistic_regression": "logistic regression",
    "mlp": "small neural network",
    "ridge": "ridge regression",
}
LEVELS = {"mouse": "per mouse", "genotype": "per genotype", "all": "all mice"}
DECODER, ENSEMBLE = "decoder", "ensemble"  # as models of the figure, whatever decoder it is
METRICS = ("accuracy", "r2")  # a task has one of them
SCORE, DIFFERENCE = "score", "difference"  # what a row of numbers shows
FEW = 3  # mice, below which each has its own interval and no mean is drawn

Place = tuple[str, str]  # model and level


def numbers(
    decoding: pd.DataFrame, comparisons: pd.DataFrame, options: FiguresOptions
) -> Iterator[dict[str, Any]]:
    """The rows drawn: each mouse, Cre line and mean of each model, scores and differences."""
    scores = _of_sessions(decoding, options)
    scores = scores[scores.part == "test"]
    folds = sorted(set(scores.fold) - {"pooled"})
    scores = _as_drawn(pooled_folds(scores))
    held = _of_sessions(comparisons, options).rename(columns={DIFFERENCE: "value"})
    held = _as_drawn(held[held.seed.isna()])
    # What is decoded by accuracy stands before behaviour, so that the rows of a band are the same.
    for _, task in sorted(set(zip(scores.metric, scores.task, strict=True))):
        yield from _panel(scores[scores.task == task], held[held.task == task], task, options)
    yield {"kind": "note", "text": _note(scores, len(folds))}


def places_of(present: set[Place]) -> dict[Place, str]:
    """The places from top to bottom, and what stands beside each: baselines, then decoders."""
    every = {(model, "mouse"): name for model, name in BASELINES.items()}
    every |= {(DECODER, level): f"decoder, {name}" for level, name in LEVELS.items()}
    widest = [level for level in LEVELS if (ENSEMBLE, level) in present][-1:]
    every |= {(ENSEMBLE, level): f"ensemble, {LEVELS[level]}" for level in widest}
    return {place: name for place, name in every.items() if place in present}


def _of_sessions(table: pd.DataFrame, options: FiguresOptions) -> pd.DataFrame:
    """Rows of single sessions at the drawn levels; rows over a whole cohort are left out."""
    drawn = table.metric.isin(METRICS) & table.level.isin(LEVELS) & (table.session != "")
    return one_split(table[drawn], options)


def _as_drawn(rows: pd.DataFrame) -> pd.DataFrame:
    """With `drawn`: the model as the figure calls it, a baseline, a decoder or an ensemble."""
    deep = np.where(rows.model.str.endswith(f"_{ENSEMBLE}"), ENSEMBLE, DECODER)
    return rows.assign(drawn=np.where(rows.model.isin(BASELINES), rows.model, deep))


def _panel(
    scores: pd.DataFrame, held: pd.DataFrame, task: str, options: FiguresOptions
) -> Iterator[dict[str, Any]]:
    present = set(zip(scores.drawn, scores.level, strict=True))
    places = places_of(present)
    widest = [level for level in LEVELS if (DECODER, level) in present][-1:]
    yield {"panel": task, "kind": "metric", "text": scores.metric.iloc[0]}
    yield {"panel": task, "kind": "chance", "value": scores.chance.mean()}
    chosen = held[held.chosen == "true"]
    for model, level in places:
        its = scores[(scores.drawn == model) & (scores.level == level)]
        yield from _rows_of_place(its, task, (model, level), SCORE, options)
        # A decoder is held against each session's chosen baseline, a baseline against the decoder.
        if model in BASELINES:
            of_widest = (held.drawn == DECODER) & held.level.isin(widest)
            its = held[(held.baseline == model) & of_widest]
        else:
            its = chosen[(chosen.drawn == model) & (chosen.level == level)]
        yield from _rows_of_place(its, task, (model, level), DIFFERENCE, options)
    chosen = chosen[(chosen.drawn == DECODER) & chosen.level.isin(widest)]
    for baseline, its in chosen.groupby("baseline"):
        yield {"panel": task, "kind": "chosen", "level": "mouse", "model": baseline, "n": len(its)}
    yield {"panel": task, "kind": "title", "text": _against_chosen(chosen, widest, options)}


def _rows_of_place(
    rows: pd.DataFrame, task: str, place: Place, shown: str, options: FiguresOptions
) -> Iterator[dict[str, Any]]:
    about = {"panel": task, "shown": shown, "model": place[0], "level": place[1]}
    mice = _per_mouse(rows)
    for row in mice.itertuples():
        yield {
            **about,
            "kind": "mouse",
            "mouse": row.mouse,
            "cre_line": row.genotype,
            "value": row.value,
            "low": row.ci_low,
            "high": row.ci_high,
            "n": row.n,
        }
    lines = list(mice.groupby("genotype")) if mice.genotype.nunique() > 1 else []
    for kind, line, its in [("mean", "", mice), *(("line", line, its) for line, its in lines)]:
        if len(its):
            mean, low, high = mean_interval(its.value.to_numpy(), options)
            numbers = {"value": mean, "low": low, "high": high, "n": len(its)}
            yield {**about, "kind": kind, "cre_line": line, **numbers}


def _per_mouse(rows: pd.DataFrame) -> pd.DataFrame:
    """One row a mouse: means over its sessions, seeds and (if unpooled) folds."""
    keys = ["mouse", "genotype"]
    means = rows.groupby(keys, as_index=False)[["value", "ci_low", "ci_high"]].mean()
    fits = [name for name in ("session", "fold") if name in rows]
    trials = rows.groupby([*keys, *fits], as_index=False).n.max()
    return means.merge(trials.groupby(keys, as_index=False).n.sum(), on=keys)


def _against_chosen(rows: pd.DataFrame, widest: list[str], options: FiguresOptions) -> str:
    """The paired difference of the decoder of the widest level, in words."""
    mice = _per_mouse(rows)
    if mice.empty:
        return "no comparison with a baseline in the table"
    mean, low, high = mean_interval(mice.value.to_numpy(), options)
    text = f"decoder ({LEVELS[widest[0]]}) − chosen baseline:\n{mean:+.3f}"
    if len(mice) == 1:
        low, high = mice.ci_low.iloc[0], mice.ci_high.iloc[0]
    if np.isfinite(low):
        text += f" [{low:+.3f}, {high:+.3f}]"
    if len(mice) >= FEW:
        text += f", {p_in_words(sign_flip_p(mice.value.to_numpy(), options.seed))}"
    return text.replace("-", "−")


def _note(scores: pd.DataFrame, folds: int) -> str:
    if scores.empty:
        return "The table of decoding has no test row."
    mice = scores.mouse.nunique()
    decoders = scores[scores.drawn == DECODER]
    seeds = decoders.seed.nunique()
    keys = ["cohort", "session", "task", "fold"]
    spread = decoders.groupby(keys).value.std(ddof=1).median() if seeds > 1 else np.nan
    pooled = folds > 1 and (scores.fold == "pooled").all()
    words = counted(folds, "fold") + (" pooled" if pooled else "")
    text = (
        f"Small points: mice (n = {mice}; {scores.split.iloc[0]} split, test trials, {words}; "
        f"{counted(seeds, 'seed')}"
    )
    text += f", median SD over seeds {spread:.3f}). " if np.isfinite(spread) else "). "
    if mice < FEW:
        text += "Bars: 95% interval over trials. "
    else:
        text += "Open: means of Cre lines. Black: mean over mice, its 95% bootstrap interval. "
    text += (
        "Dashed: chance, or no difference. Differences are paired, on the same test trials. Beside "
        "a baseline: the decoder of the widest level − that baseline. Beside a decoder: that "
        "decoder − each session's chosen baseline, the best on selection trials (5×: chosen in 5 "
        "sessions)."
    )
    if (scores.drawn == ENSEMBLE).any():
        text += " Ensemble: the mean of the seeds' answers."
    return text + (" p: exact two-sided sign-flip test over mice." if mice >= FEW else "")

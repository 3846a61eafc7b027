"""Claim 2: do hidden units respond selectively to direction, temporal frequency and genotype?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from glassbox.confounded import CONFOUNDED
from glassbox.figures.choose import by_size, cohort_in_words, main_cohort, one_dictionary
from glassbox.figures.options import FiguresOptions
from glassbox.figures.output import text_of
from glassbox.figures.summaries import counted

GENOTYPE = "genotype"
# Two of them are mapped, the first that the tables have.
MAPPED = ("direction", "temporal_frequency", "orientation", "spatial_frequency", "phase")
POLAR = {"direction": 1, "orientation": 2}  # how often a turn shows each value
COUNTS = "counts"
EXAMPLES = "examples"
MOST_POLARS = 8  # in one row of a page


def numbers(
    units: pd.DataFrame, tuning: pd.DataFrame, options: FiguresOptions
) -> Iterator[dict[str, Any]]:
    """The rows drawn: tuning maps, example units, counts of selective units, genotype effects."""
    cohort = main_cohort(_sized(units), options)
    units = one_dictionary(units[units.cohort == cohort], options)
    tuning = one_dictionary(tuning[tuning.cohort == cohort], options)
    yield from _counts(units)
    if len(units):
        seed, fold = _first_fit(units)
        units = units[(units.seed == seed) & (units.fold == fold)]
        tuning = tuning[(tuning.seed == seed) & (tuning.fold == fold)]
    for variable in mapped(units.variable):
        yield from _map(units, tuning, variable)
    yield from _examples(units, tuning, options)
    yield from _genotype(units, tuning)
    if len(units):
        yield {"kind": "note", "text": _note(units, tuning, cohort)}
        yield {"kind": "title", "text": _title(cohort)}


def mapped(names: Iterable[str]) -> list[str]:
    """The variables whose tuning is mapped, of those that a table or a figure has."""
    known = set(names)
    return sorted(MAPPED, key=lambda variable: variable not in known)[:2]


def _title(cohort: str) -> str:
    return f"What do the hidden units respond to? ({cohort_in_words(cohort)})"


def _sized(units: pd.DataFrame) -> pd.DataFrame:
    return units[["cohort", "level"]]


def _first_fit(units: pd.DataFrame) -> tuple[float, str]:
    """The lowest seed and its lowest fold: units of different fits are different units."""
    fits = units[["seed", "fold"]].drop_duplicates()
    seed = fits.seed.min()
    folds = fits[fits.seed == seed].fold
    return seed, min(folds, key=lambda fold: (not fold.isdigit(), fold.zfill(6)))


def _curves(tuning: pd.DataFrame, variable: str, column: str = "response") -> pd.DataFrame:
    """(units, conditions) of one variable, the conditions in order of size."""
    rows = tuning[tuning.variable == variable]
    wide = rows.pivot_table(index="unit", columns="condition", values=column)
    return wide[sorted(wide.columns, key=by_size)]


def _map(units: pd.DataFrame, tuning: pd.DataFrame, variable: str) -> Iterator[dict[str, Any]]:
    """Responses of the selective units, each divided by its largest, sorted by preference."""
    measured = units[units.variable == variable]
    chosen = measured[measured.selective == "true"].set_index("unit")
    yield {
        "panel": variable,
        "kind": "title",
        "n": len(chosen),
        "text": f"{len(chosen)} of {counted(len(measured), 'living unit')} selective"
        if len(measured)
        else "not in the tables",
    }
    curves = _curves(tuning[tuning.unit.isin(chosen.index)], variable)
    curves = curves[curves.max(axis=1) > 0]
    if curves.empty:
        return
    best = curves.to_numpy().argmax(axis=1)
    effect = chosen.effect_size.reindex(curves.index).fillna(0).to_numpy()
    order = np.lexsort((curves.index.to_numpy(), -effect, best))
    scaled = curves.div(curves.max(axis=1), axis=0).iloc[order]
    for place, (unit, row) in enumerate(scaled.iterrows()):
        for condition, value in row.items():
            yield {
                "panel": variable,
                "kind": "map",
                "unit": int(unit),
                "condition": condition,
                "place": place,
                "value": value,
            }


def _examples(
    units: pd.DataFrame, tuning: pd.DataFrame, options: FiguresOptions
) -> Iterator[dict[str, Any]]:
    """For each direction, the selective unit that prefers it and varies most with direction.

    Of orientation where there are no directions.
    """
    polar = next((v for v in POLAR if v in set(units.variable)), None)
    measured = units[(units.variable == polar) & (units.selective == "true")]
    ranked = measured.sort_values(["effect_size", "unit"], ascending=[False, True])
    best = ranked.drop_duplicates("preferred")
    best = best.iloc[: min(options.examples, MOST_POLARS)]
    best = best.assign(angle=pd.to_numeric(best.preferred)).sort_values("angle")
    if polar:
        yield {"panel": EXAMPLES, "kind": "axis", "text": polar}
    responses, errors = _curves(tuning, polar), _curves(tuning, polar, "sem")
    for place, unit in enumerate(best.itertuples()):
        curve, sem = responses.loc[unit.unit], errors.loc[unit.unit]
        for condition in curve.index:
            yield {
                "panel": EXAMPLES,
                "kind": "polar",
                "unit": int(unit.unit),
                "condition": condition,
                "place": place,
                "value": curve[condition],
                "low": curve[condition] - sem[condition],
                "high": curve[condition] + sem[condition],
                "text": f"unit {int(unit.unit)}\nOSI {unit.osi:.2f}"
                + (f", DSI {unit.dsi:.2f}" if np.isfinite(unit.dsi) else ""),
            }


def _counts(units: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Of each variable, the share of living units that are selective, for each seed and fold."""
    first = mapped(units.variable)
    for variable in dict.fromkeys([*first, *sorted(set(units.variable) - {GENOTYPE}), GENOTYPE]):
        rows = units[units.variable == variable]
        fits = rows.assign(yes=(rows.selective == "true").astype(float))
        shares = fits.groupby(["seed", "fold"]).yes.agg(["mean", "size"]).reset_index()
        for fit in shares.itertuples():
            yield {
                "panel": COUNTS,
                "kind": "fit",
                "condition": variable,
                "value": fit.mean,
                "n": fit.size,
                "text": f"seed {int(fit.seed)}, fold {fit.fold}",
            }
        if len(shares):
            mean, spread = shares["mean"].mean(), shares["mean"].std(ddof=1)
            yield {
                "panel": COUNTS,
                "kind": "mean",
                "condition": variable,
                "value": mean,
                "low": mean - spread,
                "high": mean + spread,
                "n": len(shares),
            }


def _genotype(units: pd.DataFrame, tuning: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Effect and p of each unit: the difference of two Cre lines in SD over mice, or ω²."""
    measured = units[(units.variable == GENOTYPE) & np.isfinite(units.p)].set_index("unit")
    if measured.empty:
        text = (
            "Genotype: not testable with these data (it needs at least two lines of several mice)"
        )
        yield {"panel": GENOTYPE, "kind": "missing", "text": text}
        return
    effect, axis = measured.effect_size, "Variance explained by Cre line (ω²)"
    rows = tuning[tuning.variable == GENOTYPE]
    lines = sorted(set(rows.condition))
    if len(lines) == 2:
        effect = _difference_in_sd(rows, *lines).reindex(measured.index)
        short = [line.split("-")[0] for line in lines]
        axis = f"{short[1]} − {short[0]} (SD over mice)"
    yield {"panel": GENOTYPE, "kind": "axis", "text": axis}
    selective = int((measured.selective == "true").sum())
    yield {
        "panel": GENOTYPE,
        "kind": "title",
        "n": selective,
        "text": f"{selective} of {counted(len(measured), 'living unit')} selective",
    }
    for unit, row in measured.iterrows():
        if np.isfinite(effect[unit]):
            yield {
                "panel": GENOTYPE,
                "kind": "selective" if row.selective == "true" else "other",
                "unit": int(unit),
                "value": effect[unit],
                "p": row.p,
            }


def _difference_in_sd(rows: pd.DataFrame, first: str, second: str) -> pd.Series:
    """(mean of `second` − mean of `first`) / pooled SD over mice, by unit; NaN without spread."""
    mean, sem, n = (
        rows.pivot_table(index="unit", columns="condition", values=column)
        for column in ("response", "sem", "n")
    )
    variance = sem**2 * n
    freedom = n - 1
    pooled = (variance * freedom)[[first, second]].sum(axis=1) / freedom[[first, second]].sum(
        axis=1
    )
    return (mean[second] - mean[first]) / np.sqrt(pooled.where(pooled > 0))


def _note(units: pd.DataFrame, tuning: pd.DataFrame, cohort: str) -> str:
    seed, fold = int(units.seed.iloc[0]), units.fold.iloc[0]
    trials = tuning[tuning.variable.isin(mapped(units.variable))].groupby("variable").n.median()
    polar = next((v for v in POLAR if v in set(units.variable)), "direction")
    per = ", ".join(f"{int(n)} per {v.replace('_', ' ')}" for v, n in trials.items())
    text = (
        f"a, b, d and e: units of one fit (seed {seed}, fold {fold}; dictionary "
        f"{units.dictionary.iloc[0]} at {units.hook.iloc[0]}); mean activation over selection "
        f"trials (median number: {per}), divided by the unit's largest. Selective: permutation "
        "test of trials within session and stimulus block, Benjamini-Hochberg over units, and the "
        "least effect size of the configuration. c: share of living units that are selective; "
        "points: seeds and folds; bar and line: mean and SD over them. "
    )
    if (units.variable == GENOTYPE).any():
        mice = tuning[tuning.variable == GENOTYPE].groupby("condition").n.max()
        who = ", ".join(f"{line}: {counted(int(n), 'mouse', 'mice')}" for line, n in mice.items())
        text += f"d: the unit of analysis is the mouse ({who}); mice permuted between lines. "
        if units.hook.iloc[0].startswith("queries"):
            text += f"Note: {CONFOUNDED}. "
    return text + (
        f"e: of the units that prefer each {polar}, the one whose activation {polar} explains "
        "best (±SEM over trials; the rim is its largest response"
        + ("; each orientation stands at both of its ends)." if POLAR[polar] == 2 else ").")
    )


def draw(numbers: pd.DataFrame):
    """The figure of the numbers above."""
    from glassbox.figures import style

    figure = style.new_figure(style.DOUBLE_COLUMN_MM, 130)
    style.headline(figure, text_of(numbers, "title") or "What do the hidden units respond to?")
    foot = style.footnote(figure, text_of(numbers, "note"))
    top = figure.add_gridspec(
        1,
        4,
        left=0.07,
        right=0.985,
        top=0.87,
        bottom=foot + 0.42,
        wspace=0.62,
        width_ratios=[1.15, 0.85, 1.0, 1.25],
    )
    for i, variable in enumerate(mapped(numbers.panel)):
        axes = figure.add_subplot(top[0, i])
        rows = numbers[numbers.panel == variable]
        _draw_map(figure, axes, rows, variable, first=i == 0)
        name = style.name_of(variable).capitalize()
        style.panel_title(axes, "ab"[i], name, text_of(numbers, "title", variable))
    axes = figure.add_subplot(top[0, 2])
    _draw_counts(axes, numbers[numbers.panel == COUNTS])
    style.panel_title(axes, "c", "Selective units", "share of living units")
    axes = figure.add_subplot(top[0, 3])
    _draw_genotype(axes, numbers[numbers.panel == GENOTYPE])
    style.panel_title(axes, "d", "Genotype", text_of(numbers, "title", GENOTYPE) or " ")
    _draw_examples(figure, numbers[numbers.panel == EXAMPLES], foot)
    return figure


def _draw_map(figure, axes, rows: pd.DataFrame, variable: str, first: bool) -> None:
    from glassbox.figures import style

    cells = rows[rows.kind == "map"]
    if cells.empty:
        style.say_instead(axes, "no selective unit", width=16)
        return
    conditions = sorted(set(cells.condition), key=by_size)
    grid = cells.pivot(index="place", columns="condition", values="value")[conditions].to_numpy()
    image = axes.imshow(
        grid,
        aspect="auto",
        interpolation="nearest",
        cmap=style.shades_of(variable),
        vmin=0,
        vmax=1,
    )
    crowded = len(conditions) > 6 or max(map(len, conditions)) > 3
    axes.set_xticks(range(len(conditions)), conditions, rotation=90 if crowded else 0)
    axes.set_xlabel(f"{style.name_of(variable).capitalize()} ({style.VARIABLE_UNITS[variable]})")
    axes.set_ylabel("Unit, by preference" if first else "")
    axes.locator_params(axis="y", nbins=5, integer=True)
    for spine in axes.spines.values():
        spine.set_visible(True)
    style.small_scale(figure, axes, image, "resp.")


def _draw_counts(axes, rows: pd.DataFrame) -> None:
    from glassbox.figures import style

    names = list(dict.fromkeys(rows.condition))
    if not names:
        style.say_instead(axes, "no unit in the tables", width=16)
        return
    for y, variable in enumerate(names):
        here = rows[rows.condition == variable]
        mean, fits = here[here.kind == "mean"].iloc[0], here[here.kind == "fit"]
        colour = style.colour_of(variable)
        axes.barh(y, mean.value, 0.4, color=colour, alpha=0.45, lw=0)
        places = [y + d / 2 for d in style.sideways([("", t) for t in fits.text]).values()]
        axes.plot(fits.value, places, "o", color=colour, ms=2.5, mew=0)
        if np.isfinite(mean.low):
            axes.plot([mean.low, mean.high], [y, y], color=style.EFFECT, lw=1)
        name = style.name_of(variable).replace("temporal frequency", "temp. freq.")
        # The name stands over its bar: beside it there is no room for so many.
        axes.text(0.02, y - 0.26, f"{name}  {mean.value:.2f}", va="bottom", fontsize=style.NOTE_PT)
    axes.set_xlim(0, 1.06)
    axes.set_xticks([0, 0.5, 1])
    axes.set_ylim(len(names) - 0.6, -0.9)
    axes.set_yticks([])


def _draw_genotype(axes, rows: pd.DataFrame) -> None:
    from glassbox.figures import style

    missing = rows[rows.kind == "missing"]
    if len(missing) or rows.empty:
        style.say_instead(axes, missing.text.iloc[0] if len(missing) else "not in the tables", 22)
        return
    for kind, colour, size in (("other", style.CONTROL, 2.2), ("selective", "genotype", 3.0)):
        here = rows[rows.kind == kind]
        colour = style.colour_of(colour) if colour == "genotype" else colour
        axes.plot(here.value, -np.log10(here.p), "o", color=colour, ms=size, mew=0, alpha=0.7)
    axes.axvline(0, color=style.SOFT, lw=0.6, zorder=0)
    axes.axhline(-np.log10(0.05), color=style.SOFT, lw=0.6, ls=(0, (4, 2)), zorder=0)
    axes.annotate(
        "p = 0.05",
        (1, -np.log10(0.05)),
        xycoords=("axes fraction", "data"),
        xytext=(0, 1),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=style.NOTE_PT,
        color=style.SOFT,
    )
    axes.set_xlabel(rows[rows.kind == "axis"].text.iloc[0])
    axes.set_ylabel("−log₁₀ p")
    axes.set_ylim(0, None)


def _draw_examples(figure, rows: pd.DataFrame, foot: float) -> None:
    from glassbox.figures import style

    polar = text_of(rows, "axis", EXAMPLES) or "direction"
    rows = rows[rows.kind == "polar"]
    places = sorted(set(rows.place))
    bottom, height, left, width = foot + 0.085, 0.135, 0.065, 0.925
    if not places:
        axes = figure.add_axes((left, bottom, width, height))
        style.say_instead(axes, f"No unit is selective for {polar}: no example to show.", 80)
        style.panel_title(axes, "e", "Example units")
        return
    step = width / MOST_POLARS
    for i, place in enumerate(places):
        cell = (left + i * step + 0.014, bottom, step - 0.028, height)
        axes = figure.add_axes(cell, projection="polar")
        here = rows[rows.place == place].sort_values("condition", key=lambda c: c.map(float))
        _draw_polar(axes, here, polar, labelled=i == 0)
        if i == 0:
            style.panel_title(axes, "e", f"Example units, by preferred {polar}", "\n", dx_mm=9)


def _draw_polar(axes, rows: pd.DataFrame, polar: str, labelled: bool) -> None:
    from glassbox.figures import style

    turns = POLAR[polar]
    closed = [*list(range(len(rows))) * turns, 0]
    places = rows.condition.astype(float).to_numpy()
    places = np.concatenate([places + 360 / turns * i for i in range(turns)])
    angle = np.deg2rad([*places, places[0]])
    colour, top = style.colour_of(polar), rows.high.max()
    low, high = rows.low.clip(lower=0).to_numpy()[closed], rows.high.to_numpy()[closed]
    axes.fill_between(angle, low, high, color=colour, alpha=0.25, lw=0)
    axes.plot(angle, rows.value.to_numpy()[closed], color=colour, lw=1.1, marker="o", ms=1.8)
    axes.set_ylim(0, top)
    axes.set_yticks([])
    ticks = [0, 90, 180, 270]
    axes.set_xticks(np.deg2rad(ticks), [f"{t}°" if labelled else "" for t in ticks])
    axes.tick_params(pad=-3, labelsize=style.NOTE_PT - 0.5)
    axes.grid(lw=0.3, color="#BBBBBB")
    axes.spines["polar"].set_linewidth(0.4)
    axes.text(
        0.5,
        -0.22,
        rows.text.iloc[0],
        transform=axes.transAxes,
        fontsize=style.NOTE_PT,
        ha="center",
        va="top",
        linespacing=1.2,
    )

"""Claim 3: does the decoder lose a variable when that variable's units are taken away?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from glassbox.figures.choose import by_size, cohort_in_words, main_cohort, one_dictionary
from glassbox.figures.options import FiguresOptions
from glassbox.figures.output import text_of
from glassbox.figures.summaries import counted

ORDER = (
    "direction",
    "temporal_frequency",
    "orientation",
    "spatial_frequency",
    "phase",
    "genotype",
)
GENOTYPE = "genotype"
METRIC = "accuracy"
MATRIX = "matrix"
DOSE = "dose_"
CONFUSION = "confusion_"
BEYOND = 0.01  # a p below it lies beyond the 99th percentile of the matched random sets
MOST_CONFUSIONS = 2  # variables; two matrices each


def numbers(
    ablation: pd.DataFrame, confusion: pd.DataFrame, options: FiguresOptions
) -> Iterator[dict[str, Any]]:
    """The rows drawn: matrix of drops, dose response with controls, confusion before and after."""
    cohort = main_cohort(ablation, options)
    rows = _of_one_kind(ablation, options)
    rows = rows[rows.metric == METRIC]
    confusion = _of_one_kind(confusion, options)
    confusion = confusion[confusion.cohort == cohort]
    rows = _of_cohorts(rows, cohort)
    variables = [v for v in ORDER if v in set(rows.selected_for) | set(rows.measured_on)]
    dose = options.dose or _dose_of_matrix(rows)
    for chosen in variables:
        for measured in variables:
            yield from _cell(rows, chosen, measured, dose)
    for measured in variables:
        yield from _dose_response(rows, confusion, measured)
    if variables and GENOTYPE not in variables:
        text = (
            "Genotype: not testable with these data (it needs at least two lines of several mice)"
        )
        yield {"panel": DOSE + GENOTYPE, "kind": "missing", "text": text}
    for task in [t for t in ORDER if t in set(confusion.task)][:MOST_CONFUSIONS]:
        yield from _confusion(confusion, task)
    if variables:
        yield {
            "panel": MATRIX,
            "kind": "title",
            "n_units": dose,
            "text": f"{dose} units (matched random)",
        }
        yield {"kind": "note", "text": _note(rows, confusion, cohort, dose, options)}
        yield {"kind": "title", "text": _title(cohort)}


def _title(cohort: str) -> str:
    return (
        f"What does the decoder lose without the units of a variable? ({cohort_in_words(cohort)})"
    )


def _why_no_genotype(level: str) -> str:
    if level == "all":
        return "Genotype: not tested (no fold of held-out mice in the tables)"
    return "Genotype: not testable with these data (it needs at least two lines of several mice)"


def _of_one_kind(table: pd.DataFrame, options: FiguresOptions) -> pd.DataFrame:
    """The rows of one dictionary, intervention and ablation."""
    table = one_dictionary(table, options)
    return table[
        (table.intervention == options.intervention) & (table.ablation == options.ablation)
    ]


def _of_cohorts(rows: pd.DataFrame, cohort: str) -> pd.DataFrame:
    """Each pair of variables from the cohort, or from the folds of mice where it is only there."""
    main = rows[rows.cohort == cohort]
    folds = rows[(rows.level == "heldout") & (rows.cohort != cohort)]
    have = set(zip(main.selected_for, main.measured_on, strict=True))
    new = [pair not in have for pair in zip(folds.selected_for, folds.measured_on, strict=True)]
    return pd.concat([main, folds[np.array(new, dtype=bool)]])


def _dose_of_matrix(rows: pd.DataFrame) -> int:
    """The largest dose at which all variables' own drops have matched random sets; else the largest
    dose that all have; 0 where there is none. Only doses that every seed and fold has count."""
    own = rows[(rows.selected_for == rows.measured_on) & (rows.control == "target")]
    if own.empty:
        return 0
    own = pd.concat([_at_doses_of_all_fits(of_one) for _, of_one in own.groupby("selected_for")])
    for candidates in (own[own.n_controls > 0], own):
        doses = [set(of_one.n_units) for _, of_one in candidates.groupby("selected_for")]
        shared = set.intersection(*doses) if len(doses) == own.selected_for.nunique() else set()
        if shared:
            return int(max(shared))
    return int(own.n_units.max())


def _at_doses_of_all_fits(target: pd.DataFrame) -> pd.DataFrame:
    """The rows at doses that every cohort and seed has, so that a mean is over all of them.

    The largest dose is all units that were selected, and seeds differ in that. All rows where
    no dose is shared.
    """
    have = target[["cohort", "seed", "n_units"]].drop_duplicates()
    fits = len(have[["cohort", "seed"]].drop_duplicates())
    count = have.n_units.value_counts()
    shared = target[target.n_units.isin(count.index[count == fits])]
    return shared if len(shared) else target


def _at(rows: pd.DataFrame, chosen: str, measured: str, control: str = "target") -> pd.DataFrame:
    return rows[
        (rows.selected_for == chosen) & (rows.measured_on == measured) & (rows.control == control)
    ]


def _cell(rows: pd.DataFrame, chosen: str, measured: str, dose: int) -> Iterator[dict[str, Any]]:
    where = {"panel": MATRIX, "selected_for": chosen, "measured_on": measured, "n_units": dose}
    target = _at(rows, chosen, measured)
    here = target[target.n_units == dose]
    if here.empty:
        none = "not tested" if chosen in set(rows.selected_for) else "no unit selected"
        text = none if target.empty else f"fewer than {dose} units"
        yield where | {"kind": "missing", "text": text}
        return
    fits = here.groupby(["cohort", "seed"]).mean(numeric_only=True)
    matched = fits[fits.n_controls > 0]
    yield where | {
        "kind": "target",
        "value": fits["drop"].mean(),
        "low": fits["drop"].min(),
        "high": fits["drop"].max(),
        "p": matched.p.max() if len(matched) == len(fits) else np.nan,
        "n": len(fits),
    }
    if len(matched):
        yield where | {
            "kind": "matched_random",
            "value": matched.control_median.mean(),
            "low": matched.control_low.mean(),
            "high": matched.control_high.mean(),
            "n": matched.n_controls.min(),
        }


def _dose_response(
    rows: pd.DataFrame, confusion: pd.DataFrame, measured: str
) -> Iterator[dict[str, Any]]:
    """Drops of one variable by dose: units of each variable, controls, and the drop to chance."""
    panel = DOSE + measured
    for chosen in ORDER:
        target = _at(rows, chosen, measured)
        where = {"panel": panel, "selected_for": chosen, "measured_on": measured}
        for fit, ((_, seed), its) in enumerate(target.groupby(["cohort", "seed"])):
            for n_units, drop in its.groupby("n_units")["drop"].mean().items():
                yield where | {
                    "kind": "fit",
                    "n_units": n_units,
                    "seed": seed,
                    "value": drop,
                    "n": fit,
                }
        for n_units, its in _at_doses_of_all_fits(target).groupby("n_units"):
            matched = its[its.n_controls > 0]
            yield where | {
                "kind": "target",
                "control": "target",
                "n_units": n_units,
                "value": its["drop"].mean(),
                "p": matched.p.max() if len(matched) == len(its) else np.nan,
                "n": len(its),
            }
            if chosen == measured and len(matched):
                yield where | {
                    "kind": "band",
                    "control": "matched_random",
                    "n_units": n_units,
                    "value": matched.control_median.mean(),
                    "low": matched.control_low.mean(),
                    "high": matched.control_high.mean(),
                    "n": matched.n_controls.min(),
                }
    strong = _at_doses_of_all_fits(_at(rows, measured, measured, "top_energy"))
    strong = strong.groupby("n_units")["drop"].mean()
    for n_units, drop in strong.items():
        where = {"panel": panel, "selected_for": measured, "measured_on": measured}
        yield where | {"kind": "line", "control": "top_energy", "n_units": n_units, "value": drop}
    classes = confusion[confusion.task == measured].true.nunique()
    own = rows[rows.measured_on == measured]
    if classes and len(own):
        floor = own.baseline.mean() - 1 / classes
        yield {"panel": panel, "kind": "floor", "measured_on": measured, "value": floor}


def _confusion(confusion: pd.DataFrame, task: str) -> Iterator[dict[str, Any]]:
    """Confusion before and after the largest dose of the task's own units, rows summing to 1."""
    rows = confusion[(confusion.task == task) & (confusion.selected_for == task)]
    rows = rows[rows.n_units == rows.n_units.max()]
    for condition in ("clean", "ablated"):
        counts = rows[rows.condition == condition].groupby(["true", "predicted"])["count"].sum()
        if counts.empty:
            continue
        share = counts / counts.groupby("true").transform("sum")
        right = sum(n for (true, said), n in counts.items() if true == said) / counts.sum()
        panel = f"{CONFUSION}{task}_{condition}"
        yield {
            "panel": panel,
            "kind": "title",
            "n_units": rows.n_units.max(),
            "value": right,
            "n": counts.sum() / max(rows.seed.nunique(), 1),
            "text": f"before: accuracy {right:.2f}"
            if condition == "clean"
            else f"without {counted(int(rows.n_units.max()), 'unit')}: {right:.2f}",
        }
        for (true, predicted), value in share.items():
            yield {
                "panel": panel,
                "kind": "cell",
                "measured_on": task,
                "true": true,
                "predicted": predicted,
                "value": value,
                "n": counts[true, predicted],
            }


def _note(
    rows: pd.DataFrame, confusion: pd.DataFrame, cohort: str, dose: int, options: FiguresOptions
) -> str:
    main = rows[rows.cohort == cohort]
    controls = rows[(rows.control == "target") & (rows.n_controls > 0)].n_controls
    words = {"zero": "set to zero", "mean": "set to their mean", "resample": "resampled"}
    way = f"{words[options.ablation]}, {options.intervention.replace('_', '-')}"
    seeds = counted(main.seed.nunique(), "seed")
    text = (
        f"Units selected on selection trials, ablated ({way}) and read on test trials, fitted "
        f"folds pooled; {seeds}. a: drop in accuracy, mean over seeds; in brackets: median over "
        "sets of random units matched in number, energy and density; p = (1 + sets with a drop at "
        "least as large) / (1 + sets), conditional on the model, the largest over seeds. "
    )
    if len(controls):
        text += f"Matched sets: at least {int(controls.min())}. "
    text += (
        "b and on: drop by number of units; thin lines: seeds, thick: their mean, where all have "
        "so many units; grey bars: 95% of the matched "
        f"random sets of the variable's own units, dash: their median. Filled: p < {BEYOND} in "
        "every seed (beyond the 99th percentile); open: not; cross: no match. "
    )
    if (rows.cohort != cohort).any():
        folds = rows[rows.cohort != cohort].cohort.nunique()
        text += (
            f"Genotype: a linear probe on latents, trained on training mice and read on held-out "
            f"mice ({counted(folds, 'fold')}); mean over folds. "
        )
    if len(confusion):
        text += "Confusion: rows are true classes and sum to 1, largest dose."
    return text


def draw(numbers: pd.DataFrame):
    """The figure of the numbers above."""
    from glassbox.figures import style

    figure = style.new_figure(style.DOUBLE_COLUMN_MM, 140)
    style.headline(figure, text_of(numbers, "title") or "What does the decoder lose?")
    foot = style.footnote(figure, text_of(numbers, "note"))
    panels = list(dict.fromkeys(numbers.panel))
    doses = [p for p in panels if p.startswith(DOSE)]
    if not doses:
        style.say_instead(figure.add_axes((0.1, 0.2, 0.85, 0.65)), "No ablation to show.")
        return figure
    grid = figure.add_gridspec(
        1,
        1 + len(doses),
        left=0.105,
        right=0.985,
        top=0.885,
        bottom=foot + 0.44,
        wspace=0.36,
        width_ratios=[1.15] + [1] * len(doses),
    )
    axes = figure.add_subplot(grid[0, 0])
    _draw_matrix(axes, numbers[numbers.panel == MATRIX])
    subtitle = text_of(numbers, "title", MATRIX)
    style.panel_title(axes, "a", "Drop in accuracy", subtitle, dx_mm=16)
    for i, panel in enumerate(doses):
        axes = figure.add_subplot(grid[0, 1 + i])
        variable, rows = panel.removeprefix(DOSE), numbers[numbers.panel == panel]
        if (rows.kind == "missing").any():
            style.say_instead(axes, text_of(rows, "missing", panel), 24)
        else:
            _draw_dose(axes, rows, first=i == 0)
        name = style.name_of(variable).capitalize()
        style.panel_title(axes, "bcdefg"[i], name, "drop, by number of units")
    confusions = [p for p in panels if p.startswith(CONFUSION)]
    _draw_confusions(figure, numbers, confusions, "bcdefgh"[len(doses) :], foot)
    _legend(figure, numbers, foot)
    return figure


def _draw_matrix(axes, rows: pd.DataFrame) -> None:
    from glassbox.figures import style

    names = [v for v in ORDER if v in set(rows.selected_for)]
    target = rows[rows.kind == "target"]
    grid = np.full((len(names), len(names)), np.nan)
    for cell in target.itertuples():
        grid[names.index(cell.selected_for), names.index(cell.measured_on)] = cell.value
    top = max(np.nanmax(grid, initial=0.0), 0.1)
    axes.imshow(np.nan_to_num(grid), cmap=style.shades_of(""), vmin=0, vmax=top, aspect="auto")
    for i, chosen in enumerate(names):
        for j, measured in enumerate(names):
            here = rows[(rows.selected_for == chosen) & (rows.measured_on == measured)]
            axes.text(
                j,
                i,
                _cell_text(here),
                ha="center",
                va="center",
                fontsize=style.NOTE_PT,
                color="white" if grid[i, j] > 0.55 * top else "black",
                linespacing=1.25,
            )
    short = [style.name_of(v).replace(" ", "\n") for v in names]
    axes.set_xticks(range(len(names)), short)
    axes.set_yticks(range(len(names)), short)
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        for label, variable in zip(labels, names, strict=True):
            label.set_color(style.colour_of(variable))
    axes.tick_params(length=0)
    axes.set_xlabel("measured on")
    axes.set_ylabel("units selected for")


def _cell_text(here: pd.DataFrame) -> str:
    missing = here[here.kind == "missing"]
    if len(missing):
        return missing.text.iloc[0].replace(" ", "\n")
    target = here[here.kind == "target"].iloc[0]
    matched = here[here.kind == "matched_random"]
    text = f"{target.value:.2f}".replace("-", "−")
    if matched.empty:
        return text + "\nno match"
    text += f"\n({matched.value.iloc[0]:.2f})".replace("-", "−")
    return text + (f"\np = {target.p:.3f}" if np.isfinite(target.p) else "\nno match in\nsome seed")


def _draw_dose(axes, rows: pd.DataFrame, first: bool) -> None:
    from glassbox.figures import style

    band = rows[rows.kind == "band"].sort_values("n_units")
    axes.vlines(band.n_units, band.low, band.high, color=style.CONTROL_BAND, lw=6)
    axes.plot(band.n_units, band.value, "_", color=style.SOFT, ms=6, mew=0.9)
    line = rows[rows.kind == "line"].sort_values("n_units")
    axes.plot(line.n_units, line.value, color=style.EFFECT, lw=0.9, ls=(0, (1, 1.2)))
    for chosen in ORDER:
        colour = style.colour_of(chosen)
        its = rows[rows.selected_for == chosen]
        for _, fit in its[its.kind == "fit"].groupby("n"):
            axes.plot(fit.n_units, fit.value, color=colour, lw=0.4, alpha=0.5)
        target = its[its.kind == "target"].sort_values("n_units")
        axes.plot(target.n_units, target.value, color=colour, lw=1.2)
        for kind, marker, face in (
            ("beyond", "o", colour),
            ("within", "o", "white"),
            ("", "x", ""),
        ):
            points = target[target.p.map(_standing) == kind]
            look = {"mfc": face} if face else {}
            axes.plot(
                points.n_units, points.value, marker, color=colour, ms=3.4, mew=0.8, ls="", **look
            )
    floor = rows[rows.kind == "floor"]
    if len(floor):
        axes.axhline(floor.value.iloc[0], color=style.SOFT, ls=(0, (4, 2)), lw=0.7)
        axes.annotate(
            "chance",
            (0, floor.value.iloc[0]),
            xycoords=("axes fraction", "data"),
            xytext=(2, 1.5),
            textcoords="offset points",
            fontsize=style.NOTE_PT,
            color=style.SOFT,
        )
    axes.axhline(0, color=style.SOFT, lw=0.4, zorder=0)
    axes.set_xscale("log", base=2)
    doses = sorted(set(rows.n_units.dropna()))
    shown = [4**k for k in range(9) if doses and doses[0] <= 4**k <= doses[-1]] or doses
    axes.set_xticks(shown, [f"{int(dose)}" for dose in shown])
    axes.minorticks_off()
    axes.set_xlabel("Units ablated")
    axes.set_ylabel("Drop in accuracy" if first else "")


def _standing(p: float) -> str:
    """Where a drop lies among the matched random sets: `beyond`, `within`, or "" for no match."""
    if not np.isfinite(p):
        return ""
    return "beyond" if p < BEYOND else "within"


def _draw_confusions(figure, numbers: pd.DataFrame, panels: list[str], letters, foot) -> None:
    from glassbox.figures import style

    bottom, height = foot + 0.075, 0.195
    if not panels:
        axes = figure.add_axes((0.1, bottom, 0.88, height))
        style.say_instead(axes, "No confusion matrix in the tables.", 60)
        return
    ratio = figure.get_figheight() / figure.get_figwidth()
    for i, panel in enumerate(panels):
        left = 0.09 + i * 0.205 + 0.075 * (i // 2)
        axes = figure.add_axes((left, bottom, height * ratio, height))
        rows = numbers[(numbers.panel == panel) & (numbers.kind == "cell")]
        variable = rows.measured_on.iloc[0]
        classes = sorted(set(rows.true) | set(rows.predicted), key=by_size)
        grid = rows.pivot(index="true", columns="predicted", values="value")
        grid = grid.reindex(index=classes, columns=classes).to_numpy()
        image = axes.imshow(grid, cmap=style.shades_of(variable), vmin=0, vmax=1)
        many = len(classes) > 6
        shown = range(0, len(classes), 2 if many else 1)
        ticks = [classes[k] for k in shown]
        axes.set_xticks(shown, ticks)
        axes.set_yticks(shown, ticks if i % 2 == 0 else [])
        axes.tick_params(length=1.5, pad=1.5, labelsize=style.NOTE_PT)
        unit = style.VARIABLE_UNITS[variable]
        axes.set_xlabel(f"decoded ({unit})", labelpad=1.5)
        axes.set_ylabel(f"true ({unit})" if i % 2 == 0 else "", labelpad=1.5)
        for spine in axes.spines.values():
            spine.set_visible(True)
        name = style.name_of(variable).capitalize() if i % 2 == 0 else ""
        letter = letters[i // 2] if i % 2 == 0 else ""
        if i % 2:
            style.small_scale(figure, axes, image, "share")
        style.panel_title(axes, letter, name, text_of(numbers, "title", panel), dx_mm=10)


def _legend(figure, numbers: pd.DataFrame, foot: float) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    from glassbox.figures import style

    chosen = [v for v in ORDER if v in set(numbers[numbers.kind == "fit"].selected_for)]
    handles = [
        Line2D(
            [], [], color=style.colour_of(v), marker="o", ms=3.4, label=f"{style.name_of(v)} units"
        )
        for v in chosen
    ]
    handles += [
        Line2D([], [], color=style.EFFECT, ls=(0, (1, 1.2)), lw=0.9, label="units of most energy"),
    ]
    if (numbers.kind == "band").any():
        handles.append(Patch(color=style.CONTROL_BAND, lw=0, label="matched random"))
    figure.legend(
        handles=handles,
        loc="lower center",
        bbox_to_anchor=(0.5, foot + 0.325),
        borderaxespad=0.0,
        ncols=len(handles),
        handlelength=1.6,
        columnspacing=1.4,
    )

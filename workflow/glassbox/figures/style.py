"""The look that all figures share: sizes in print, fonts, and one colour for a thing everywhere.

Colours: Okabe & Ito 2008, Color Universal Design.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

MM = 1 / 25.4  # inches
MM_PER_PT = 25.4 / 72
SINGLE_COLUMN_MM = 88
DOUBLE_COLUMN_MM = 180

TEXT_PT = 7.0
NOTE_PT = 6.0
NOTE_CHARACTERS_PER_MM = 0.84  # of the notes' size, wide letters allowed for

VARIABLE_COLOURS = {
    "direction": "#0072B2",
    "temporal_frequency": "#D55E00",
    "genotype": "#009E73",
    "orientation": "#56B4E9",
    "spatial_frequency": "#CC79A7",
    "phase": "#E69F00",
}
CRE_LINES = {  # colour and marker of each line, the same in every figure
    "Cux2-CreERT2": ("#CC79A7", "o"),
    "Rorb-IRES2-Cre": ("#E69F00", "^"),
    "Rbp4-Cre_KL100": ("#56B4E9", "s"),
    "Emx1-IRES-Cre": ("#009E73", "D"),
    "Nr5a1-Cre": ("#D55E00", "v"),
    "Scnn1a-Tg3-Cre": ("#0072B2", "P"),
}
OTHER_LINES = (("#7F7F7F", "X"), ("#B8A800", "<"), ("#5E4FA2", ">"), ("#8C564B", "h"))
EFFECT = "#222222"
CONTROL = "#999999"
CONTROL_BAND = "#CFCFCF"
MARGIN_BAND = "#E6E6E6"
SOFT = "#6B6B6B"
GROUND = "#F2F2F2"

VARIABLE_NAMES = {
    "direction": "direction",
    "temporal_frequency": "temporal frequency",
    "spatial_frequency": "spatial frequency",
    "orientation": "orientation",
    "phase": "phase",
    "genotype": "genotype",
}
VARIABLE_UNITS = {
    "direction": "°",
    "orientation": "°",
    "temporal_frequency": "Hz",
    "spatial_frequency": "cycles/°",
    "phase": "cycles",
    "genotype": "",
}

SETTINGS = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same glyphs everywhere
    "font.size": TEXT_PT,
    "axes.titlesize": TEXT_PT,
    "axes.labelsize": TEXT_PT,
    "xtick.labelsize": TEXT_PT - 0.5,
    "ytick.labelsize": TEXT_PT - 0.5,
    "legend.fontsize": TEXT_PT - 0.5,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "svg.hashsalt": "glassbox",
    "mathtext.fontset": "dejavusans",
}


def new_figure(width_mm: float, height_mm: float) -> Figure:
    """An empty figure of that size in print, with the shared settings in force."""
    matplotlib.rcdefaults()
    sns.set_theme(context="paper", style="ticks", rc=SETTINGS)
    plt.close("all")
    return plt.figure(figsize=(width_mm * MM, height_mm * MM))


def looks_of_lines(lines: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each Cre line: its own, or by its place among the lines without one."""
    names = sorted({line for line in lines if line})
    others = [name for name in names if name not in CRE_LINES]
    spare = {name: OTHER_LINES[i % len(OTHER_LINES)] for i, name in enumerate(others)}
    return {name: CRE_LINES.get(name) or spare[name] for name in names}


def colour_of(variable: str) -> str:
    return VARIABLE_COLOURS.get(variable, EFFECT)


def shades_of(variable: str):
    """White to the colour of the variable: the colour map of its tuning and its drops."""
    return sns.light_palette(colour_of(variable), as_cmap=True)


def name_of(variable: str) -> str:
    return VARIABLE_NAMES.get(variable, variable.replace("_", " "))


def panel_title(axes: Axes, letter: str, title: str, subtitle: str = "", dx_mm: float = 7) -> None:
    """A bold letter, the panel's title and a smaller line below it, above the panel.

    The letter hangs `dx_mm` to the left of the panel, over its tick labels.
    """
    below = 3 + (NOTE_PT + 3.5) * (subtitle.count("\n") + 1 if subtitle else 0)
    places = [(letter, -dx_mm / MM_PER_PT, below - 1.5, TEXT_PT + 2, "bold", "black")]
    places.append((title, 0, below, TEXT_PT, "bold", "black"))
    places.append((subtitle, 0, 4, NOTE_PT + 0.3, "normal", "#333333"))
    for text, x, y, size, weight, colour in places:
        axes.annotate(
            text,
            (0, 1),
            xycoords="axes fraction",
            xytext=(x, y),
            textcoords="offset points",
            fontsize=size,
            fontweight=weight,
            color=colour,
            va="bottom",
            annotation_clip=False,
        )


def headline(figure: Figure, text: str) -> None:
    """The title of the figure, at its left upper corner."""
    width, height = figure.get_size_inches() / MM
    figure.text(
        1.5 / width,
        1 - 1.2 / height,
        text,
        fontsize=TEXT_PT + 1.5,
        fontweight="bold",
        va="top",
        ha="left",
    )


def footnote(figure: Figure, text: str) -> float:
    """What was counted and tested, in small print along the lower edge.

    Returns the fraction of the figure's height that the note takes.
    """
    width, height = figure.get_size_inches() / MM
    wrapped = _note_lines(width, text)
    figure.text(
        1.5 / width,
        1.0 / height,
        "\n".join(wrapped),
        fontsize=NOTE_PT,
        va="bottom",
        ha="left",
        color="#333333",
        linespacing=1.2,
    )
    return footnote_mm(width, text) / height


def footnote_mm(width_mm: float, text: str) -> float:
    """The height that a note takes along the lower edge of a figure of that width."""
    return 2.0 + len(_note_lines(width_mm, text)) * NOTE_PT * 1.25 * MM_PER_PT


def _note_lines(width_mm: float, text: str) -> list[str]:
    per_line = int(width_mm * NOTE_CHARACTERS_PER_MM)
    return [part for line in text.split("\n") for part in textwrap.wrap(line, per_line)]


def say_instead(axes: Axes, text: str, width: int = 34) -> None:
    """A panel that has nothing to show says why, in lines of `width` characters."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.patch.set_facecolor("#F4F4F4")
    axes.text(
        0.5,
        0.5,
        textwrap.fill(text, width),
        transform=axes.transAxes,
        ha="center",
        va="center",
        fontsize=TEXT_PT,
        color=SOFT,
    )


def sideways(names: Iterable[tuple[str, str]], reach: float = 0.17) -> dict[str, float]:
    """A fixed sideways place for each (group, name), so that points of equal height stay apart."""
    ordered = [name for _, name in sorted(set(names))]
    step = 2 * reach / max(len(ordered) - 1, 1)
    return {n: i * step - reach if len(ordered) > 1 else 0.0 for i, n in enumerate(ordered)}


def points(axes: Axes, x, y, colour: str, marker: str = "o", large: bool = False) -> None:
    """Points of observations, in the colour and marker of their group."""
    axes.plot(x, y, marker, ls="", color=colour, ms=5 if large else 3, mec="white", mew=0.3)


def bars(axes: Axes, x, y, low, high, cap: str = "") -> None:
    """Intervals around `y`, black; a dash at `y` where `cap` is `_`. NaN ends are left out."""
    down = [middle - end for middle, end in zip(y, low, strict=True)]
    up = [end - middle for middle, end in zip(y, high, strict=True)]
    axes.errorbar(x, y, (down, up), fmt=cap or "none", color=EFFECT, ms=7, lw=1.1, zorder=5)


def flat_bar(
    axes: Axes, y: float, middle: float, low: float, high: float, cap: bool = False
) -> None:
    """One interval along the x axis, black; a dash at its middle where `cap` is set."""
    axes.plot([low, high], [y, y], color=EFFECT, lw=1.1, zorder=5, solid_capstyle="butt")
    if cap:
        axes.plot([middle], [y], "|", color=EFFECT, ms=7, mew=1.1, zorder=5)


def beside(axes: Axes, y: float, text: str, dx_pt: float = 3, soft: bool = False) -> None:
    """A small text beside the right edge of a panel, at `y` of its axis."""
    axes.annotate(
        text,
        (1, y),
        xycoords=("axes fraction", "data"),
        xytext=(dx_pt, 0),
        textcoords="offset points",
        va="center",
        fontsize=NOTE_PT,
        color=SOFT if soft else "black",
        annotation_clip=False,
    )


def above(axes: Axes, x: float, text: str) -> None:
    """A small text above the upper edge of a panel, at `x` of its axis."""
    axes.annotate(
        text,
        (x, 1),
        xycoords=("data", "axes fraction"),
        xytext=(0, 1),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=NOTE_PT,
        annotation_clip=False,
    )


def small_scale(figure: Figure, axes: Axes, image, what: str) -> None:
    """A small colour bar from 0 to 1 at the lower right of a map."""
    beside = axes.inset_axes((1.05, 0.0, 0.06, 0.45))
    bar = figure.colorbar(image, cax=beside, ticks=[0, 1])
    bar.ax.tick_params(length=0, pad=1, labelsize=NOTE_PT)
    bar.outline.set_linewidth(0.4)
    beside.set_title(what, fontsize=NOTE_PT, pad=4, loc="left")


def legend_of_lines(figure: Figure, looks: dict[str, tuple[str, str]]) -> None:
    """The Cre lines, at the right upper corner of the figure."""
    handles = [
        Line2D([], [], ls="", marker=marker, color=colour, ms=4, label=name)
        for name, (colour, marker) in looks.items()
    ]
    if handles:
        above = 0.034 / figure.get_figheight()  # inches: its padding, whatever the height
        figure.legend(
            handles=handles,
            loc="upper right",
            bbox_to_anchor=(1.0, 1 + above),
            ncols=min(len(handles), 3),
            handletextpad=0.1,
            columnspacing=1.0,
        )


def legend_of_variables(
    figure: Figure, variables: Iterable[str], corner: tuple[float, float]
) -> None:
    """The variables by colour, with its right lower corner at `corner` of the figure."""
    handles = [
        Line2D([], [], ls="", marker="o", color=colour_of(v), ms=4, label=name_of(v))
        for v in variables
    ]
    figure.legend(
        handles=handles,
        loc="lower right",
        bbox_to_anchor=corner,
        borderaxespad=0.0,
        handletextpad=0.1,
        labelspacing=0.2,
    )

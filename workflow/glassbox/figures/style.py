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

MM = 1 / 25.4  # inches
SINGLE_COLUMN_MM = 88
DOUBLE_COLUMN_MM = 180

TEXT_PT = 7.0
NOTE_PT = 6.0

VARIABLE_COLOURS = {
    "direction": "#0072B2",
    "temporal_frequency": "#D55E00",
    "genotype": "#009E73",
    "orientation": "#56B4E9",
    "spatial_frequency": "#CC79A7",
    "phase": "#E69F00",
}
LINE_COLOURS = ("#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#009E73", "#0072B2", "#D55E00")
LINE_MARKERS = ("o", "^", "s", "D", "v", "P", "X")
EFFECT = "#222222"
CONTROL = "#999999"
CONTROL_BAND = "#CFCFCF"
SOFT = "#6B6B6B"

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


def colours_of_lines(lines: Iterable[str]) -> dict[str, str]:
    """A colour for each Cre line, by its place among all lines of the figure, sorted."""
    names = sorted({line for line in lines if line})
    return {name: LINE_COLOURS[i % len(LINE_COLOURS)] for i, name in enumerate(names)}


def markers_of_lines(lines: Iterable[str]) -> dict[str, str]:
    """A marker for each Cre line, so that colour is never the only sign."""
    names = sorted({line for line in lines if line})
    return {name: LINE_MARKERS[i % len(LINE_MARKERS)] for i, name in enumerate(names)}


def colour_of(variable: str) -> str:
    return VARIABLE_COLOURS.get(variable, EFFECT)


def name_of(variable: str) -> str:
    return VARIABLE_NAMES.get(variable, variable.replace("_", " "))


def panel_letter(axes: Axes, letter: str, dx_pt: float = -24, dy_pt: float = 5) -> None:
    """A bold letter above the left end of a panel."""
    axes.annotate(
        letter,
        (0, 1),
        xycoords="axes fraction",
        xytext=(dx_pt, dy_pt),
        textcoords="offset points",
        fontsize=TEXT_PT + 2,
        fontweight="bold",
        va="bottom",
    )


def headline(figure: Figure, text: str, width_mm: float) -> None:
    """The title of the figure, at its left upper corner."""
    figure.text(
        1.5 / width_mm, 0.995, text, fontsize=TEXT_PT + 1.5, fontweight="bold", va="top", ha="left"
    )


def footnote(figure: Figure, text: str, width_mm: float) -> None:
    """What was counted and tested, in small print along the lower edge."""
    per_line = int(width_mm * 0.93)  # characters of 6 pt DejaVu Sans in a millimetre of line
    wrapped = "\n".join(textwrap.fill(line, per_line) for line in text.split("\n"))
    figure.text(
        1.5 / width_mm, 0.008, wrapped, fontsize=NOTE_PT, va="bottom", ha="left", color="#333333"
    )


def say_instead(axes: Axes, text: str) -> None:
    """A panel that has nothing to show says why."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.patch.set_facecolor("#F4F4F4")
    axes.text(
        0.5,
        0.5,
        textwrap.fill(text, 34),
        transform=axes.transAxes,
        ha="center",
        va="center",
        fontsize=TEXT_PT,
        color=SOFT,
    )

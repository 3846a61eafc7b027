"""A figure and the numbers it draws, written together and the same from run to run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from glassbox.figures.columns import FIGURE_COLUMNS, TEXTS
from glassbox.figures.options import FiguresOptions
from glassbox.files import replacing_file
from glassbox.inputs import MARK, id_of_inputs
from glassbox.tables import write_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[[pd.DataFrame], "Figure"]


def write_figure(
    name: str,
    numbers: Iterable[Mapping[str, Any]],
    draw: Draw,
    pdf: str | Path,
    png: str | Path,
    csv: str | Path,
    options: FiguresOptions,
    inputs: Iterable[str | Path] = (),
) -> None:
    """Write the numbers as the table `figure_{name}`, and draw the figure from that file.

    The figure sees nothing but the file beside it, so the file holds all that is drawn. PDF and PNG
    carry the id of `inputs`, the files that the numbers were taken from, among their keywords.
    """
    from glassbox.figures.style import plt

    write_rows(csv, FIGURE_COLUMNS[name], numbers)
    figure = draw(read_numbers(name, csv))
    mark = {"Keywords": f"{MARK}{id_of_inputs(inputs)}"}
    for path, kind, metadata in (
        (pdf, "pdf", {"CreationDate": None, "Creator": None, "Producer": None}),
        (png, "png", {"Software": None}),
    ):
        with replacing_file(path) as partial:
            figure.savefig(partial, format=kind, dpi=options.dpi, metadata=metadata | mark)
    plt.close(figure)


def read_numbers(name: str, csv: str | Path) -> pd.DataFrame:
    """The numbers beside a figure: texts with "" for missing, all else float64 with NaN."""
    frame = pd.read_csv(csv, dtype=str, keep_default_na=False)
    for column in FIGURE_COLUMNS[name]:
        if column not in TEXTS:
            frame[column] = pd.to_numeric(frame[column].replace("", None)).astype(float)
    return frame


def text_of(numbers: pd.DataFrame, kind: str, panel: str = "") -> str:
    """The text of the one row of that kind and panel; "" where there is none."""
    found = numbers[(numbers.kind == kind) & (numbers.panel == panel)]
    return found.text.iloc[0] if len(found) else ""

"""What the latents of the decoder hear: which cells, when, and with which sign."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from glassbox.errors import UserError
from glassbox.figures.choose import cohort_in_words
from glassbox.figures.output import text_of

LATENTS_SHOWN = 8
NEEDED = "cohort session stimulus seed fold latent share cell time_s weight".split()


def read(path: str) -> pd.DataFrame:
    """The table of the strongest cells of each latent."""
    try:
        table = pd.read_csv(path, dtype={"cohort": str, "session": str, "stimulus": str})
    except (FileNotFoundError, pd.errors.EmptyDataError):
        raise UserError(
            f"{path}: no such table; run the rule export_receptive_fields first."
        ) from None
    missing = [name for name in NEEDED if name not in table]
    if missing:
        raise UserError(f"{path}: the column {missing[0]} is missing; make the table again.")
    return table


def numbers(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The rows drawn: the latents of the largest weights, each over its strongest cells."""
    if table.empty:
        return
    size = table.assign(square=table.weight**2).groupby("latent").square.sum() ** 0.5
    shown = size.sort_values(ascending=False, kind="stable").index[:LATENTS_SHOWN]
    for rank, latent in enumerate(shown):
        its = table[table.latent == latent]
        place = {cell: i for i, cell in enumerate(dict.fromkeys(its.cell))}
        yield {
            "panel": f"{rank}",
            "kind": "latent",
            "latent": latent,
            "value": its.share.iloc[0],
        }
        for row in its.itertuples():
            yield {
                "panel": f"{rank}",
                "kind": "weight",
                "latent": latent,
                "cell": row.cell,
                "place": place[row.cell],
                "time_s": row.time_s,
                "value": row.weight,
            }
    first = table.iloc[0]
    yield {
        "kind": "title",
        "text": f"What do the decoder's latents hear? ({cohort_in_words(first.cohort)})",
    }
    yield {
        "kind": "note",
        "text": (
            f"Session {first.session}, {first.stimulus.replace('_', ' ')}, seed {first.seed}, fold "
            f"{first.fold}. Of {table.latent.nunique()} latents the {len(shown)} that hear most, "
            f"each with its {table.groupby('latent').cell.nunique().max()} strongest cells, sorted "
            "by the time of their largest weight. Weight: what one standard deviation of a cell's "
            "dF/F at that time adds to the latent along its main direction; per cent: the share of "
            "the squared receptive field along it. Exact, for the encoder is linear; the processor "
            "and the readout behind it are not."
        ),
    }


def draw(numbers: pd.DataFrame):
    """The figure of the numbers above: a map for each latent."""
    from glassbox.figures import style

    figure = style.new_figure(style.DOUBLE_COLUMN_MM, 96)
    style.headline(figure, text_of(numbers, "title") or "What do the decoder's latents hear?")
    foot = style.footnote(figure, text_of(numbers, "note"))
    weights = numbers[numbers.kind == "weight"]
    if weights.empty:
        style.say_instead(figure.add_axes((0.1, 0.2, 0.85, 0.65)), "No receptive field to show.")
        return figure
    grid = figure.add_gridspec(
        2, 4, left=0.06, right=0.9, top=0.85, bottom=foot + 0.12, wspace=0.22, hspace=0.55
    )
    reach = np.abs(weights.value).max()
    for panel, its in weights.groupby("panel"):
        at = int(panel)
        axes = figure.add_subplot(grid[at // 4, at % 4])
        table = its.pivot_table(index="cell", columns="time_s", values="value")
        table = table.loc[table.abs().idxmax(axis=1).sort_values(kind="stable").index]
        image = _map(axes, table, reach)
        about = numbers[(numbers.kind == "latent") & (numbers.panel == panel)].iloc[0]
        style.panel_title(
            axes, "abcdefgh"[at], f"Latent {int(about.latent)}", f"{about.value:.0%} of its field"
        )
        axes.set_ylabel("Cell" if at % 4 == 0 else "")
        axes.set_xlabel("Time from onset (s)" if at // 4 == 1 or at + 4 >= 8 else "")
    bar = figure.colorbar(image, cax=figure.add_axes((0.92, foot + 0.2, 0.012, 0.45)))
    bar.set_label("Weight")
    bar.outline.set_visible(False)
    return figure


def _map(axes, table: pd.DataFrame, reach: float):
    """Cells by time, blue where more activity pushes against the direction, red where along it."""
    import seaborn as sns

    times = table.columns.to_numpy(dtype=float)
    step = times[1] - times[0] if len(times) > 1 else 1.0
    colours = sns.diverging_palette(250, 30, l=45, s=90, as_cmap=True)
    image = axes.imshow(
        table.to_numpy(),
        aspect="auto",
        cmap=colours,
        vmin=-reach,
        vmax=reach,
        interpolation="nearest",
        extent=(times[0] - step / 2, times[-1] + step / 2, len(table) - 0.5, -0.5),
    )
    axes.set_yticks([])
    return image

"""Where the cells of a session lie in the field of view, from the masks of its NWB file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from glassbox.sessions import hdf5, layout
from glassbox.tables import write_rows

COLUMNS = ("session", "cell", "cell_specimen_id", "height", "width", "runs")


def export_masks(nwb: str | Path, out: str | Path) -> int:
    """Write the masks of a session's cells as a table, and say how many there are.

    `height` and `width` are of the field, pixels; `runs` has a mask's pixels as
    `row:first-last row:first-last …`, rows and columns from 0, both ends inside. A file without
    masks gives a table of its header alone, as does a cell without one no row.

    Raises:
        UserError: the file is missing or damaged, or a mask in it is no image.
    """
    rows = list(_rows(Path(nwb)))
    write_rows(out, COLUMNS, rows)
    return len(rows)


def _rows(nwb: Path) -> Iterator[dict[str, Any]]:
    with hdf5.opened(nwb) as file:
        rois = hdf5.optional_dataset(file, layout.ROI_LIST)
        specimens = hdf5.optional_dataset(file, layout.CELL_SPECIMEN_IDS)
        if rois is None or specimens is None:
            return
        session = hdf5.text(file, layout.SESSION_ID, nwb.stem)
        # A file that names fewer places than cells says nothing of the others.
        for cell, (roi, specimen) in enumerate(zip(rois[()], specimens[()], strict=False)):
            name = roi.decode() if isinstance(roi, bytes) else str(roi)
            path = f"{layout.ROI_PLANE}/{name}/{layout.ROI_MASK}"
            found = hdf5.optional_dataset(file, path)
            if found is None:
                continue
            mask = found[()]
            if mask.ndim != 2:
                raise hdf5.fault(
                    nwb, path, f"expected an image of two dimensions; found {mask.ndim}"
                )
            yield {
                "session": session,
                "cell": cell,
                "cell_specimen_id": int(specimen),
                "height": mask.shape[0],
                "width": mask.shape[1],
                "runs": " ".join(_runs(mask > 0)),
            }


def _runs(mask: np.ndarray) -> Iterator[str]:
    """The pixels of a mask, (height, width) bool, row by row."""
    for row in np.flatnonzero(mask.any(axis=1)):
        steps = np.flatnonzero(np.diff(np.concatenate([[0], mask[row].astype(np.int8), [0]])))
        for first, end in zip(steps[::2], steps[1::2], strict=True):
            yield f"{row}:{first}-{end - 1}"

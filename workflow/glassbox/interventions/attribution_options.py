"""How units are explained: traced back to cells."""

from __future__ import annotations

from dataclasses import dataclass

from glassbox.errors import UserError


@dataclass(frozen=True)
class AttributionOptions:
    """Options of the attribution of units to cells."""

    cells: int = 10  # of each unit and session that stand in the table, the most driving first
    trials: int = 8  # selection trials of each unit that are attributed: where it is most active
    nodes: int = 4  # of the quadrature along the path from the cells' means to the trial
    deleted: tuple[int, ...] = (1, 2, 4, 8, 16)  # cells that are set to their mean in the check
    checked: int = 4  # units of each variable that are checked, the most selective
    sets: int = 99  # random sets of cells for each deletion
    seed: int = 0  # random sets of cells, shuffled descriptions, bootstrap

    def check(self, section: str) -> None:
        """Raise a `UserError` that names the option that cannot be."""
        for name in ("cells", "trials", "nodes", "checked", "sets"):
            if getattr(self, name) < 1:
                raise UserError(
                    f"{section}.{name}: expected at least 1; found {getattr(self, name)}."
                )
        if not self.deleted or min(self.deleted) < 1 or len(set(self.deleted)) < len(self.deleted):
            raise UserError(
                f"{section}.deleted: expected a list of numbers of cells, each at least 1 and each "
                f"once; found {list(self.deleted)}."
            )

"""Options of the sessions of Allen Visual Coding: which of them, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from glassbox.errors import UserError

Group = Literal["cre_line", "area", "depth_um", "session_type", "mouse"]


@dataclass(frozen=True)
class AllenOptions:
    """Which sessions of Allen Visual Coding. A list that is empty lets all pass."""

    cre_lines: tuple[str, ...] = ()  # such as Cux2-CreERT2
    areas: tuple[str, ...] = ()  # such as VISp
    depths_um: tuple[float, ...] = ()  # imaging depths in µm, such as 275
    session_types: tuple[str, ...] = ()  # such as three_session_A, which has drifting gratings
    ids: tuple[int, ...] = ()  # ids of sessions (ophys experiments)
    ids_file: str = ""  # text file of ids, one a line, # begins a remark; relative to where the
    # command is typed. Together with ids: those of either
    per_group: int = 0  # sessions of each group at most; 0: all of them
    group: tuple[Group, ...] = ("cre_line",)  # what the sessions of a group have in common
    seed: int = 1  # of the order in which sessions of a group are taken
    failed: bool = False  # sessions of containers that failed the Allen Institute's checks, too
    manifest: str = ""  # manifest file of allensdk, or its folder: the sessions that lie there are
    # used as they are and no server is asked; relative to where the command is typed
    server: str = ""  # address of the Allen API; empty: the one that allensdk knows

    def check(self, section: str) -> None:
        if self.per_group < 0:
            raise UserError(
                f"{section}.per_group: expected a number of sessions, or 0 for all; "
                f"found {self.per_group}."
            )
        if not self.group or len(set(self.group)) != len(self.group):
            raise UserError(
                f"{section}.group: expected some of cre_line, area, depth_um, session_type, mouse, "
                f"each once; found {list(self.group)}."
            )
        if self.seed < 0:
            raise UserError(
                f"{section}.seed: expected a whole number, 0 or more; found {self.seed}."
            )
        if self.manifest and self.server:
            raise UserError(
                f"{section}.server: {section}.manifest names a folder of sessions, so that no "
                "server is asked; give one of the two."
            )
        if self.server and not self.server.startswith(("http://", "https://")):
            raise UserError(
                f"{section}.server: expected an address that begins with http:// or https://; "
                f"found {self.server!r}."
            )

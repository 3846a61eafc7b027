"""Options of the tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from glassbox.errors import UserError


@dataclass(frozen=True)
class TensorOptions:
    """How a recording becomes a tensor with trials and splits."""

    signal: Literal["dff", "events"] = "dff"  # what the array dff holds: dF/F, or in its place the
    # events that the Allen Institute detected in it, `{session}_events.npz` beside the NWB file
    guard_trials: int = 3  # trials left out of training or selection at each border of parts
    jump: float = 1.5  # a frame interval longer than this many median ones is a jump
    movie_segment_frames: int = 15  # of a natural movie in one trial; 15 of its frames last 0.5 s

    def check(self, section: str) -> None:
        if self.guard_trials < 0:
            raise UserError(
                f"{section}.guard_trials: expected a whole number of trials, at least 0; "
                f"found {self.guard_trials}."
            )
        if not self.jump > 1:
            raise UserError(
                f"{section}.jump: expected a number of median frame intervals above 1; "
                f"found {self.jump:g}."
            )
        if self.movie_segment_frames < 1:
            raise UserError(
                f"{section}.movie_segment_frames: expected a whole number of frames, at least 1; "
                f"found {self.movie_segment_frames}."
            )

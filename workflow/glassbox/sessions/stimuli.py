"""The stimuli that Glassbox knows, and how their tables are laid out.

A stimulus is the name of a group below `stimulus/presentation` without `_stimulus`. Tables of
gratings have a known layout and become trials; the other stimuli of Allen sessions are known by
name, are listed in the catalogue, and are not converted. Any other name is refused: what an
animal saw must not be passed over in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from glassbox.sessions import layout

KNOWN_WITHOUT_TRIALS = (
    "natural_scenes",
    "natural_movie_*",
    "locally_sparse_noise",
    "locally_sparse_noise_*deg",
    "spontaneous",
)


@dataclass(frozen=True)
class Condition:
    """A column of a stimulus table: its name here, its name in the file, its unit."""

    name: str
    feature: str
    unit: str


# "orientation" in the tables of drifting gratings is the direction of drift.
CONDITIONS: dict[str, tuple[Condition, ...]] = {
    layout.DRIFTING_GRATINGS: (
        Condition("direction", "orientation", "degree"),
        Condition("temporal_frequency", "temporal_frequency", "Hz"),
    ),
    layout.STATIC_GRATINGS: (
        Condition("orientation", "orientation", "degree"),
        Condition("spatial_frequency", "spatial_frequency", "cycle/degree"),
        Condition("phase", "phase", "cycle"),
    ),
}


def is_known(stimulus: str) -> bool:
    """Whether a stimulus is one of Allen Visual Coding, with or without a layout known here."""
    return stimulus in CONDITIONS or any(fnmatchcase(stimulus, p) for p in KNOWN_WITHOUT_TRIALS)


def known_names() -> str:
    """The known stimuli as they stand in a message."""
    return ", ".join((*CONDITIONS, *KNOWN_WITHOUT_TRIALS))

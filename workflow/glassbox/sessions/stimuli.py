"""The stimuli that Glassbox knows, and how their tables are laid out.

A stimulus is the name of a group below `stimulus/presentation` without `_stimulus`. Gratings,
natural scenes and natural movies have tables of a known layout and become trials; the other stimuli
of Allen sessions are known by name, are listed in the catalogue, and are not converted. Any other
name is refused: what an animal saw must not be passed over in silence.

Locally sparse noise is among those without trials: each of its thousands of frames lights a dozen
of several hundred pixels and is hardly ever shown again, so a frame is no member of a handful of
classes; what there is to decode, which pixels were lit, is hundreds of yes-or-no questions.

Source of the layouts: allensdk 2.16.2, `core/brain_observatory_nwb_data_set.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from glassbox.sessions import layout

KNOWN_WITHOUT_TRIALS = (
    "natural_movie_*",
    "locally_sparse_noise",
    "locally_sparse_noise_*deg",
    "spontaneous",
)


@dataclass(frozen=True)
class Condition:
    """What a trial can differ in: its name here, its column in the file, its unit."""

    name: str
    feature: str
    unit: str


IMAGE = "frame"  # what allensdk calls the one column of scenes and movies

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
    layout.NATURAL_SCENES: (Condition("scene", IMAGE, "1"),),
    # A row is one frame of the clip; a trial is a segment of consecutive ones.
    **{movie: (Condition("segment", IMAGE, "1"),) for movie in layout.NATURAL_MOVIES},
}


def is_indexed(stimulus: str) -> bool:
    """Whether the rows of its table name images of a stack, not features of gratings."""
    return all(condition.feature == IMAGE for condition in CONDITIONS[stimulus])


def is_movie(stimulus: str) -> bool:
    """Whether its rows are the frames of a clip, shown in turn and repeated."""
    return stimulus in layout.NATURAL_MOVIES


def is_known(stimulus: str) -> bool:
    """Whether a stimulus is one of Allen Visual Coding, with or without a layout known here."""
    return stimulus in CONDITIONS or any(fnmatchcase(stimulus, p) for p in KNOWN_WITHOUT_TRIALS)


def known_names() -> str:
    """The known stimuli as they stand in a message."""
    return ", ".join((*CONDITIONS, *KNOWN_WITHOUT_TRIALS))

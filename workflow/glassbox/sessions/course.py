"""Which stimuli a session of Visual Coding shows, block after block.

Source: de Vries et al. 2020, Nat. Neurosci. 23, 138, fig. 1 (sessions A and B of three).
"""

from __future__ import annotations

from glassbox.sessions.layout import (
    DRIFTING_GRATINGS,
    NATURAL_MOVIES,
    NATURAL_SCENES,
    SPONTANEOUS,
    STATIC_GRATINGS,
)

MOVIE_ONE, _, MOVIE_THREE = NATURAL_MOVIES
SESSION_A, SESSION_B = "three_session_A", "three_session_B"
COURSE = {
    SESSION_A: (
        *(DRIFTING_GRATINGS, MOVIE_THREE, MOVIE_ONE, DRIFTING_GRATINGS),
        *(SPONTANEOUS, MOVIE_THREE, DRIFTING_GRATINGS),
    ),
    SESSION_B: (
        *(STATIC_GRATINGS, NATURAL_SCENES, SPONTANEOUS, NATURAL_SCENES),
        *(STATIC_GRATINGS, MOVIE_ONE, NATURAL_SCENES, STATIC_GRATINGS),
    ),
}

"""Whether a fetched NWB file is whole and the session that was asked for, as allensdk reads it.

Needs allensdk 2.16.2.
"""

from __future__ import annotations

import logging
from pathlib import Path

from glassbox.sessions.whole_file import damage_of_hdf5


def damage_of_session(path: Path, session: str) -> str | None:
    """What is wrong with the NWB file of a session, as a sentence without its end, or None."""
    damage = damage_of_hdf5(path)
    if damage:
        return damage
    from allensdk.core.brain_observatory_nwb_data_set import BrainObservatoryNwbDataSet

    logging.getLogger().setLevel(logging.ERROR)  # metadata that older files lack
    try:
        found = BrainObservatoryNwbDataSet(str(path)).get_metadata().get("ophys_experiment_id")
    except (OSError, KeyError, ValueError, AttributeError) as error:
        return f"{path.name}: allensdk cannot read what the file says of itself ({error!r})"
    if found is not None and str(found) != session:
        return f"{path.name}: the file is of session {found}, asked for was {session}"
    return None

"""What was recorded beside the cells in the trials of a dictionary: what the animal did."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glassbox.decoders.fitted import FittedDecoder
from glassbox.dictionaries.activations import DecodedSession
from glassbox.tensors.tasks import TASKS
from glassbox.tensors.windows import TrialWindows


def behaviour_of(
    sessions: Sequence[DecodedSession], decoder: FittedDecoder
) -> dict[str, np.ndarray]:
    """Mean of each series over the windows of all trials of the sessions, in order.

    Returns:
        `behaviour_{series}`: (trials,) f4, NaN where a window has no value, for each series that
        some session has.
    """
    window = decoder.options.window(decoder.stimulus)
    means = {}
    for name, task in TASKS.items():
        if not task.is_value:
            continue
        parts = []
        for session in sessions:
            trials = session.data.trial
            if session.tensor is None:
                parts.append(np.full(len(trials), np.nan, dtype=np.float32))
                continue
            reader = TrialWindows(session.tensor, decoder.stimulus, window)
            parts.append(reader.mean_of(session.tensor.series(task.condition), trials))
        mean = np.concatenate(parts)
        if np.isfinite(mean).any():
            means[f"behaviour_{name}"] = mean
    return means

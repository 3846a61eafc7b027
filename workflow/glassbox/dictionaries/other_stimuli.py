"""What units do in the trials of a decoder's other stimuli, which no dictionary is trained on.

A dictionary learns from the latents of the decoder's first stimulus. The same latents carry the
decoder's other stimuli, so its units can be asked what they stand for there: each variable on the
trials of its own stimulus.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.room import WindowsRoom
from glassbox.dictionaries.activations import DecodedSession, hook_trials, open_sessions
from glassbox.dictionaries.dictionary import Dictionary

TRIALS_AT_ONCE = 512
Sessions = dict[str, tuple[DecodedSession, ...]]


def open_others(
    decoder: FittedDecoder, tensors: Sequence[str | Path], room: WindowsRoom | None
) -> Sessions:
    """The decoder's sessions with trials of each of its other stimuli that has classes.

    Args:
        decoder: whose sessions are wanted.
        tensors: stores, as `open_sessions` takes them.
        room: where the windows go; None: in memory.
    """
    return {
        stimulus: open_sessions(decoder.of_stimulus(stimulus), tensors, room=room)
        for stimulus in decoder.other_stimuli
    }


@torch.no_grad()
def activity_in_others(
    decoder: FittedDecoder, others: Sessions, dictionary: Dictionary, hook: str
) -> dict[str, np.ndarray]:
    """Arrays of the activations' file, by `{stimulus}/{name}`, one session after the other.

    Names are those of the first stimulus: `unit_activation` (trials, width) f4, mean over latents;
    `part`, `session_index`, `trial_index`, `block`, `label_{task}`, each (trials,).
    """
    arrays = {}
    for stimulus, sessions in others.items():
        view, found = decoder.of_stimulus(stimulus), []
        for index, session in enumerate(sessions):
            trials = hook_trials(view, (session,), hook)
            means = [
                dictionary.encode(some).mean(1) for some in trials.latents.split(TRIALS_AT_ONCE)
            ]
            found.append(
                {
                    "unit_activation": torch.cat(means).numpy(),
                    "part": trials.part,
                    "session_index": np.full(len(trials), index, dtype=np.int32),
                    "trial_index": trials.trial_index,
                    "block": trials.block,
                }
                | {f"label_{task}": label for task, label in trials.labels.items()}
            )
        for name in found[0]:
            arrays[f"{stimulus}/{name}"] = np.concatenate([one[name] for one in found])
    return arrays

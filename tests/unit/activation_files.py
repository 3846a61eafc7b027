"""Small folders of stage 4 with planted units, for the tests of stage 5."""

import json

import numpy as np

DIRECTIONS = list(range(0, 360, 45))
FREQUENCIES = [1, 2, 4, 8, 15]
WIDTH = 24
DEAD = 23  # never active
DIRECTION_UNITS = range(0, 6)
FREQUENCY_UNITS = range(6, 12)
GENOTYPE_UNITS = range(12, 22)


def write_dictionary(
    folder, mice=8, trials=120, lines=("Cux2", "Rorb"), seed=0, held_out=0, places=()
):
    """Write dictionary.json and one activations file; the last `held_out` mice are held out.

    `places` has the area and depth of each mouse, {"area": ..., "depth_um": ...}.
    """
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    sessions = [
        {
            "session": f"s{i:02d}",
            "mouse": f"M{i:02d}",
            "cre_line": lines[i % len(lines)],
            "held_out": i >= mice - held_out,
            **(places[i] if places else {}),
        }
        for i in range(mice)
    ]
    classes = {"direction": DIRECTIONS, "temporal_frequency": FREQUENCIES}
    (folder / "dictionary.json").write_text(
        json.dumps(
            {"hook": "latents", "dictionary": "topk", "sessions": sessions, "classes": classes}
        )
    )
    session = np.repeat(np.arange(mice), trials)
    direction = rng.integers(8, size=len(session))
    frequency = rng.integers(5, size=len(session))
    activation = rng.gamma(1.0, 1.0, size=(len(session), WIDTH))
    for unit in DIRECTION_UNITS:
        activation[:, unit] += 4.0 * (direction == unit)
    for unit in FREQUENCY_UNITS:
        activation[:, unit] += 4.0 * (frequency == unit % 5)
    line = np.arange(mice) % len(lines)
    activation[:, list(GENOTYPE_UNITS)] += 3.0 * line[session][:, None]
    activation[:, DEAD] = 0.0
    part = np.tile(
        np.repeat([0, 1, 2], [trials // 4, trials // 2, trials - 3 * (trials // 4)]), mice
    )
    np.savez(
        folder / "activations-seed0-fold0.npz",
        unit_activation=activation.astype(np.float32),
        part=part.astype(np.int8),
        session_index=session.astype(np.int32),
        trial_index=np.tile(np.arange(trials), mice).astype(np.int32),
        block=np.tile(np.arange(trials) * 3 // trials, mice).astype(np.int32),
        density=np.where(np.arange(WIDTH) == DEAD, 0.0, 0.1).astype(np.float32),
        label_direction=direction,
        label_temporal_frequency=frequency,
    )
    return folder


def change(folder, **arrays):
    """Replace arrays of the activations file."""
    file = folder / "activations-seed0-fold0.npz"
    with np.load(file) as stored:
        kept = dict(stored)
    np.savez(file, **{**kept, **arrays})
    return kept

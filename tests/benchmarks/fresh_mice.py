"""Fresh simulated mice heard by a trained decoder, each kept in a file: unit vectors and reads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from glassbox.decoders.adapt import adapt
from glassbox.files import replacing_file
from glassbox.interventions.identity import SessionIdentity, identity_of
from glassbox.interventions.mouse_features import by_condition
from glassbox.sessions.options import SimulateOptions
from glassbox.sessions.simulate import fresh_session
from glassbox.sessions.simulated_mice import SimulatedMouse, fresh_mice
from glassbox.tensors.splits import TEST
from glassbox.units.truth import FrozenRun, session_of


@dataclass(frozen=True)
class HeardMouse:
    """One fresh mouse.

    Attributes:
        identity: what is known of it without its trials.
        latents: mean latent of its test trials, (dim,).
        units: mean unit activations in each condition of them, (features,).
    """

    identity: SessionIdentity
    latents: np.ndarray
    units: np.ndarray


def mice_of_pool(lines: tuple[str, ...], per_line: int) -> list[SimulatedMouse]:
    """Mice of all lines in turn: however few are kept, the lines have equally many."""
    pools = [fresh_mice(line, per_line, draw=1) for line in lines]
    return [mouse for together in zip(*pools, strict=True) for mouse in together]


def hear(
    run: FrozenRun,
    mouse: SimulatedMouse,
    simulate: SimulateOptions,
    effect: float,
    epochs: int | None,
    kept: Path,
) -> HeardMouse:
    """Fit the unit vectors of a mouse of that planted effect, or read them where they were kept.

    Args:
        epochs: of the fit; None: those of held-out sessions.
        kept: folder.
    """
    path = kept / f"{mouse.session}-effect{effect:g}.npz"
    if not path.exists():
        options = replace(simulate, genotype_effect=effect)
        stimulus = run.decoder.stimulus
        recording = fresh_session(options, mouse.session, 0, simulate.trials, stimulus)
        data = session_of(recording, run.decoder)
        decoder = adapt(run.decoder, data, epochs)
        test = data.in_part(run.fold, TEST)
        latents = decoder.latents(data.session, data.windows[test])
        active = run.dictionary.encode(latents).mean(1).double().numpy()
        labels = {task: label[test] for task, label in data.labels.items()}
        units = by_condition(active, labels, np.zeros(len(active), dtype=int), 1)[0]
        identity = identity_of(decoder.model, data.session, "", "", "", None)
        with replacing_file(path) as partial, open(partial, "wb") as file:
            np.savez(
                file,
                latents=latents.mean((0, 1)).double().numpy(),
                units=units,
                unit_vectors=identity.unit_vectors,
                session_vector=identity.session_vector,
                rate=identity.rate,
                n_cells=identity.n_cells,
            )
    with np.load(path) as arrays:
        a = dict(arrays)
    identity = SessionIdentity(
        mouse.mouse,
        mouse.cre_line,
        a["unit_vectors"],
        a["session_vector"],
        a["rate"],
        int(a["n_cells"]),
        mouse.area,
        float(mouse.depth_um),
    )
    return HeardMouse(identity, a["latents"], a["units"])

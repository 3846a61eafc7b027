"""What identity alone says of a mouse: who its cells are, how many, how active, and where.

None of it looks at what a trial evoked in the latents. A probe of genotype that reads these as well
as it reads latents has told mice apart, and no more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glassbox.decoders.model import Decoder
from glassbox.interventions.mouse_features import MouseFeatures

UNIT_VECTORS, SESSION_VECTOR = "unit_vectors", "session_vector"
CELL_COUNT, MEAN_RATE = "cell_count", "mean_rate"
AREA, DEPTH, ALL_IDENTITY = "area", "depth", "all_identity"
SOURCES = (UNIT_VECTORS, SESSION_VECTOR, CELL_COUNT, MEAN_RATE, AREA, DEPTH, ALL_IDENTITY)
PLACES = (AREA, DEPTH)
NOT_ESTIMABLE = "not estimable"
SESSION = "session."  # begins the name of a parameter that is a session's and no cell's


@dataclass(frozen=True)
class SessionIdentity:
    """A session without its trials.

    Attributes:
        mouse, cre_line: of the session.
        unit_vectors: mean and spread over cells of the unit vectors, (features,).
        session_vector: the session's own vector, (features,); of no feature where the decoder
            gives sessions none.
        rate: mean and spread over cells of the mean dF/F and of its deviation, (4,); over the
            windows of training trials.
        n_cells: how many.
        area, depth: "" and None where the file does not say.
    """

    mouse: str
    cre_line: str
    unit_vectors: np.ndarray
    session_vector: np.ndarray
    rate: np.ndarray
    n_cells: int
    area: str = ""
    depth: float | None = None


def identity_of(
    model: Decoder, session: str, mouse: str, cre_line: str, area: str, depth: float | None
) -> SessionIdentity:
    """What a decoder holds of a session: the vectors and the rates of its cells, their number.

    Unit vectors are key and value of `identity_keyed`, embeddings of `poyo_plus`, which has a
    vector of each session besides.
    """
    scaling = model.scaling(session)
    unit = scaling.unit.cpu().numpy()
    parameters = dict(model.named_parameters())
    own = {n: parameters[n].detach().cpu().double().numpy() for n in model.cell_parameters(session)}
    of_cells = [p[unit] for name, p in own.items() if not name.startswith(SESSION)]
    of_session = [p for name, p in own.items() if name.startswith(SESSION)]
    rates = np.concatenate([scaling.mean.cpu().numpy(), scaling.deviation.cpu().numpy()], axis=1)
    return SessionIdentity(
        mouse,
        cre_line,
        _mean_and_spread(np.concatenate(of_cells, axis=1)),
        np.concatenate(of_session) if of_session else np.zeros(0),
        _mean_and_spread(rates.astype(float)),
        len(unit),
        area,
        depth,
    )


def _mean_and_spread(cells: np.ndarray) -> np.ndarray:
    return np.concatenate([cells.mean(0), cells.std(0)])


def identity_features(
    sessions: Sequence[SessionIdentity], training: Sequence[str], held_out: Sequence[str]
) -> dict[str, MouseFeatures]:
    """What each source of identity says of the mice of one fold, by source.

    A mouse of several sessions has the mean over them. Counts, rates and places are scaled to the
    spread over training mice; of all together each source weighs the same, however many features
    it has.

    Args:
        sessions: of all mice.
        training, held_out: names of the mice.
    """
    areas = sorted({s.area for s in sessions})
    depths = sorted({s.depth for s in sessions}, key=str)
    columns: dict[str, list[np.ndarray]] = {source: [] for source in SOURCES[:-1]}
    for mouse in (*training, *held_out):
        its = [s for s in sessions if s.mouse == mouse]
        said = {
            UNIT_VECTORS: [s.unit_vectors for s in its],
            SESSION_VECTOR: [s.session_vector for s in its],
            CELL_COUNT: [[float(s.n_cells)] for s in its],
            MEAN_RATE: [s.rate for s in its],
            AREA: [[s.area == a for a in areas] for s in its],
            DEPTH: [[s.depth == d for d in depths] for s in its],
        }
        for source, values in said.items():
            columns[source].append(np.mean(values, axis=0))
    n = len(training)
    values = {source: np.stack(rows) for source, rows in columns.items() if len(rows[0])}
    for source in (CELL_COUNT, MEAN_RATE, *PLACES):
        values[source] = _scaled(values[source], n)
    together = [v / max(np.sqrt(v[:n].var(0).sum()), 1e-9) for v in values.values()]
    values[ALL_IDENTITY] = np.concatenate(together, axis=1)
    return {source: MouseFeatures.of(v[:n], v[n:]) for source, v in values.items()}


def _scaled(values: np.ndarray, n_training: int) -> np.ndarray:
    """Training mice with spread 1; a feature that is the same in all of them is 0."""
    centre, spread = values[:n_training].mean(0), values[:n_training].std(0)
    varies = spread > 1e-9 * np.maximum(np.abs(centre), 1e-9)
    return np.where(varies, (values - centre) / np.where(varies, spread, 1.0), 0.0)


def unreadable(sessions: Sequence[SessionIdentity]) -> Mapping[str, str]:
    """Why area or depth cannot be held against genotype, by source; none where it can.

    A line that occurs at one place only, where others occur elsewhere, cannot be told from it.
    """
    found = {}
    for source in PLACES:
        places: dict[str, set] = {}
        for session in sessions:
            place = session.area if source == AREA else session.depth
            places.setdefault(session.cre_line, set()).add(place)
        known = set().union(*places.values()) if places else set()
        unknown = sorted(line for line, its in places.items() if its & {"", None})
        single = sorted(line for line, its in places.items() if len(its) == 1)
        if unknown:
            found[source] = f"{NOT_ESTIMABLE}: no {source} is known of mice of {unknown[0]}"
        elif len(known) == 1:
            found[source] = f"the same in all mice: {_in_words(source, known.pop())}"
        elif single:
            place = _in_words(source, next(iter(places[single[0]])))
            found[source] = f"{NOT_ESTIMABLE}: {single[0]} occurs at {place} only"
    return found


def _in_words(source: str, place: object) -> str:
    return f"{place:g} µm" if source == DEPTH else str(place)

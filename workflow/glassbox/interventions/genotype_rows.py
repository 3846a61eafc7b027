"""Rows of genotype.csv: genotype read on held-out mice, beside what identity alone would give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.randomness import numpy_generator, seed_of
from glassbox.interventions.beside_identity import (
    CHOSEN,
    LATENTS,
    PAIRED,
    PROBES,
    SCORE,
    UNITS,
    FoldOfMice,
    Told,
    beyond,
    share_above,
    swaps,
    tell,
)
from glassbox.interventions.folds_of_mice import Folds
from glassbox.interventions.identity import (
    SessionIdentity,
    identity_features,
    identity_of,
    unreadable,
)
from glassbox.interventions.mice import HeldOutFold
from glassbox.interventions.mouse_features import MouseFeatures, by_condition
from glassbox.interventions.options import InterventionOptions
from glassbox.interventions.probe import relabelings
from glassbox.statistics import bootstrap_weights, weighted_means
from glassbox.tensors.store import read_manifest

Place = tuple[str, float | None]
Row = dict[str, Any]


def places_of(tensors: Sequence[str | Path]) -> dict[str, Place]:
    """Area and depth (µm) of each session by its name, as the manifests of the tensors say."""
    manifests = [read_manifest(path) for path in tensors]
    return {m["session"]: (m["area"], m["depth_um"]) for m in manifests}


def identities_of(
    decoder: FittedDecoder, sessions: Sequence[Mapping[str, Any]], places: Mapping[str, Place]
) -> list[SessionIdentity]:
    """What identity says of all sessions of a decoder, those of `dictionary.json`."""
    return [
        identity_of(decoder.model, s["session"], s["mouse"], s["cre_line"], *places[s["session"]])
        for s in sessions
    ]


def genotype_rows(
    folds: Folds,
    identities: Sequence[Sequence[SessionIdentity]],
    about: Row,
    options: InterventionOptions,
) -> Iterator[Row]:
    """Every row of one seed.

    Args:
        folds: all folds of mice.
        identities: of each of them.
        about: columns that name cohort, seed and dictionary.
    """
    seed = about["seed"]
    rng = numpy_generator("relabelled mice", options.seed, seed)
    labelings = relabelings(folds.lines, folds.mouse_fold, options.permutations, rng)
    made = [
        fold_of_mice(fold, of_fold, folds.mice)
        for fold, of_fold in zip(folds.folds, identities, strict=True)
    ]
    told = tell(made, labelings)
    reasons = unreadable(identities[0])
    draw = seed_of("genotype", options.seed, seed)
    for row in rows_of(told, folds.mice, folds.line_names, reasons, options, draw):
        yield about | row


def fold_of_mice(
    fold: HeldOutFold, identities: Sequence[SessionIdentity], mice: Sequence[str]
) -> FoldOfMice:
    """The probes' and identity's features of one fold."""
    body, away = fold.training, fold.held_out
    units = [by_condition(t.activation, t.labels, t.mouse, t.n_mice) for t in (body, away)]
    return FoldOfMice(
        np.array([mice.index(m) for m in fold.training_mice]),
        np.array([mice.index(m) for m in fold.held_out_mice]),
        {
            UNITS: MouseFeatures.of(*units),
            LATENTS: MouseFeatures.of(body.mean_latent(), away.mean_latent()),
            **identity_features(identities, fold.training_mice, fold.held_out_mice),
        },
    )


def rows_of(
    told: Told,
    mice: Sequence[str],
    line_names: Sequence[str],
    reasons: Mapping[str, str],
    options: InterventionOptions,
    seed: int,
) -> Iterator[Row]:
    """Each source over all mice and for each mouse, and the differences probe − source.

    A source that cannot be held against genotype has its reason and no value.

    Args:
        mice, line_names: in the order of `told`.
        reasons: by source.
        seed: of the bootstrap over mice and of the swaps.
    """
    weights = bootstrap_weights(len(mice), seed, options.resamples)
    flips = swaps(len(mice), options.permutations, np.random.default_rng(seed))
    count = {"n": len(mice), "relabelings": len(told.labelings) - 1}
    by_source = {source: told.of_mice(source) for source in told.scores}
    for source, of_mice in by_source.items():
        if source in reasons:
            yield {"source": source, "metric": SCORE, "n": 0, "reason": reasons[source]}
            continue
        ends = _intervals(of_mice, weights)
        for metric, values in told.values(source).items():
            value, p = float(values[0]), share_above(values[0], values[1:])
            row = {"metric": metric, "value": value, "p": p, "reason": _which(told, source)}
            yield {"source": source} | count | row | ends.get(metric, {})
        for place, mouse in enumerate(mice):
            line = line_names[told.labelings[0, place]]
            row = {"mouse": mouse, "genotype": line, "metric": SCORE, "n": 1}
            yield {"source": source, "value": float(of_mice[SCORE][place])} | row
    for probe in PROBES:
        for source, of_mice in by_source.items():
            if source in PROBES or source in reasons:
                continue
            ends = _intervals({m: by_source[probe][m] - of_mice[m] for m in PAIRED}, weights)
            for metric, (value, p) in beyond(told, probe, source, flips).items():
                where = {"source": probe, "baseline": source, "metric": metric, "n": len(mice)}
                yield (
                    where | {"value": value, "p": p, "reason": _which(told, source)} | ends[metric]
                )


def _which(told: Told, source: str) -> str:
    """Of the source that was chosen on training mice, which it is."""
    return f"chosen: {', '.join(dict.fromkeys(told.chosen))}" if source == CHOSEN else ""


def _intervals(of_mice: Mapping[str, np.ndarray], weights: np.ndarray) -> dict[str, Row]:
    """95% interval over mice of each metric's mean."""
    drawn = weighted_means(weights, np.stack(list(of_mice.values()), axis=1))
    low, high = np.percentile(drawn, [2.5, 97.5], axis=0)
    return {
        metric: {"ci_low": float(low[i]), "ci_high": float(high[i])}
        for i, metric in enumerate(of_mice)
    }

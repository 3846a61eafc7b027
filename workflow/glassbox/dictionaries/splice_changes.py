"""What every splice of a comparison changes, trial by trial, over the seeds of both models."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from glassbox.decoders.randomness import seed_of
from glassbox.dictionaries.dictionary import Dictionary
from glassbox.dictionaries.rows import DIFFERENCE, Scores, insertion_rows, together, with_difference

SHOWN = ("clean", "spliced", DIFFERENCE)
Name = tuple[str, int, int]  # dictionary, width, k


class SpliceChanges:
    """Scores of test trials, a mean over the dictionary's seeds, by decoder seed and fold."""

    def __init__(self) -> None:
        self._scores: dict[Name, dict[int, dict[int, list[Scores]]]] = {}
        self._sessions: dict[int, dict[int, np.ndarray]] = {}

    def add(self, seed: int, fold: int, made: Dictionary, k: int, scores: Scores) -> None:
        """Those of one dictionary (one seed of it) in one decoder, each (test trials,)."""
        wanted = {key: v for key, v in with_difference(scores).items() if key[0] in SHOWN}
        of_name = self._scores.setdefault((made.architecture, made.width, k), {})
        of_name.setdefault(seed, {}).setdefault(fold, []).append(wanted)

    def of_decoder(self, seed: int, fold: int, session_index: np.ndarray) -> None:
        """The session of each test trial of one decoder, (test trials,)."""
        self._sessions.setdefault(seed, {})[fold] = session_index

    def rows(
        self, about: dict[str, Any], names: Sequence[str], resamples: int, draw: int
    ) -> Iterator[dict[str, Any]]:
        """Rows as those of insertion.csv: of each decoder seed, and of their mean (no seed).

        Folds are pooled, so every trial counts once; intervals are bootstrapped over trials, and
        over sessions where there are several. Seeds are averaged trial by trial before.

        Args:
            about: the columns that name the cohort and the hook.
            names: of the sessions.
            resamples, draw: of the bootstrap, and its seed.
        """
        for (architecture, width, k), of_seed in self._scores.items():
            here = about | {"dictionary": architecture, "width": width, "k": k}
            pooled = {
                seed: together([_mean(several) for several in folds.values()])
                for seed, folds in of_seed.items()
            }
            sessions = {
                seed: np.concatenate([self._sessions[seed][fold] for fold in folds])
                for seed, folds in of_seed.items()
            }
            if len(pooled) > 1:  # the same trials in the same order for every seed
                pooled[None] = _mean(list(pooled.values()))
                sessions[None] = next(iter(sessions.values()))
            for seed, scores in pooled.items():
                yield from insertion_rows(
                    here | {"seed": seed},
                    scores,
                    sessions[seed],
                    names,
                    resamples,
                    seed_of("insertion", draw),
                    SHOWN,
                )


def _mean(several: Sequence[Scores]) -> dict[tuple[str, str, str], np.ndarray]:
    return {key: np.mean([scores[key] for scores in several], axis=0) for key in several[0]}

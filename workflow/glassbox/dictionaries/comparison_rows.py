"""The rows of one dictionary in the comparison: what it explains, and what its splice costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

from glassbox.decoders.randomness import torch_generator
from glassbox.dictionaries.activations import HookTrials
from glassbox.dictionaries.agreement import (
    activation_agreement,
    agreement,
    coherence,
    random_agreement,
)
from glassbox.dictionaries.dictionary import Dictionary
from glassbox.dictionaries.measure import activity_of
from glassbox.dictionaries.metrics import Reconstruction, reconstruct
from glassbox.dictionaries.raw_cells import RawCells, places, reconstruct_from_cells
from glassbox.dictionaries.rows import Scores, dictionary_row
from glassbox.dictionaries.splice import insertion_scores
from glassbox.dictionaries.splice_cost import splice_cost
from glassbox.tensors.splits import SELECTION, TEST, TRAIN

PARTS = {"selection": SELECTION, "test": TEST}
Row = dict[str, Any]
Note = Callable[[Dictionary, int, Scores], None]


def rows_of(
    made: Dictionary,
    trials: HookTrials,
    readout: dict[str, Callable] | None,
    seed: int,
    k: int,
    first: Dictionary | None = None,
    cells: torch.Tensor | None = None,
    note: Note | None = None,
) -> Iterator[Row]:
    """A row for each part; dead units are counted in training trials.

    Args:
        made: the dictionary.
        trials: activations of all trials.
        readout: from latents of the part's trials to logits, by part; None: no splice is measured.
        seed: of the dictionary.
        k: units active in one latent.
        first: the first seed's dictionary, with which this one is compared.
        cells: what raw cells take in the place of the latents, (trials, cells).
        note: takes the dictionary, k and the scores of the test trials.
    """
    train = trials.in_part(TRAIN).latents
    dead = _seen(made, trials, TRAIN, cells).dead_fraction
    nearest = coherence(made.W_dec)[0]
    others = first is not None and first is not made
    alike = by_chance = None
    if others:
        alike = agreement(first.W_dec, made.W_dec).matched_cosine
        by_chance = random_agreement(made.width, made.width, made.dim, seed).matched_cosine
    for name, part in PARTS.items():
        seen = _seen(made, trials, part, cells)
        about = {
            "dictionary": made.architecture,
            "width": made.width,
            "k": k,
            "dictionary_seed": seed,
            "part": name,
            "agreement": alike,
            "agreement_chance": by_chance,
            "explained_variance": seen.explained_variance,
        }
        if others:
            about |= _alike_in_activation(first, made, trials.in_part(part), seed)
        if readout is None:
            sizes = {"l0": seen.l0, "dead_fraction": dead, "shrinkage": seen.shrinkage}
            yield about | sizes | {"coherence": nearest}
            continue
        shown = trials.in_part(part)
        spliced = made
        if cells is not None:
            spliced = partial(_from_cells, made, cells[places(trials, part)])
        scores = insertion_scores(
            spliced,
            shown.latents,
            shown.labels,
            readout[name],
            1,
            torch_generator(0),
            train.mean(0),
        )
        if note is not None and part == TEST:
            note(made, k, scores)
        row = dictionary_row(about | splice_cost(scores), "", seen, dead, scores, 0.0, nearest)
        yield {name: value for name, value in row.items() if name not in ("fold", "fvu", "epochs")}


def _alike_in_activation(first: Dictionary, made: Dictionary, trials: HookTrials, seed: int) -> Row:
    """How alike the units of two dictionaries answer to the same trials, and by chance."""
    activations = [activity_of(each, trials).mean for each in (first, made)]
    return {
        "agreement_activations": activation_agreement(*activations).matched_cosine,
        "agreement_activations_chance": activation_agreement(*activations, seed).matched_cosine,
    }


def _seen(
    made: Dictionary | RawCells, trials: HookTrials, part: int, cells: torch.Tensor | None
) -> Reconstruction:
    latents = trials.in_part(part).latents
    if cells is None:
        return reconstruct(made, latents.flatten(0, 1), block=2048)
    return reconstruct_from_cells(made, latents, cells[places(trials, part)])


def _from_cells(made: RawCells, cells: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
    """The latents as the cells say they are, the same shape."""
    return made(cells).view_as(latents)

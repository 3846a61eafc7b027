"""Components of other bases of the latents, taken away in the place of the dictionary's units.

    pca, ica, raw         as many components as the latents have dimensions: principal ones,
                          independent ones, the dimensions themselves
    nmf, semi_nmf         codes of at least 0, twice as many components as dimensions
    random                as many random directions as the dictionary has units, matching pursuit
    difference_in_means   one direction for each class of each variable

They are fitted to training trials. Their components are chosen as units are: those that the test of
stage 5 calls selective on selection trials, in the order of `interventions.ranking`. An untrained
decoder gives no such basis: its latents lie in another space, which this decoder's readout never
read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from glassbox.decoders.randomness import numpy_generator, seed_of
from glassbox.dictionaries import baselines
from glassbox.dictionaries.activations import HookTrials
from glassbox.dictionaries.dictionary import FIRED, Dictionary
from glassbox.dictionaries.splice import METRICS, NO_CLASS
from glassbox.interventions.ablation import CleanPass
from glassbox.interventions.measure import say
from glassbox.interventions.mediators import Mediated, Scores
from glassbox.interventions.options import InterventionOptions
from glassbox.interventions.ranking import Candidates, best_first, single_unit_drops
from glassbox.interventions.runs import Run
from glassbox.tensors.splits import SELECTION, TRAIN
from glassbox.units.options import UnitOptions
from glassbox.units.trials import claim_trials

UNITS = "units"
TRIALS_AT_ONCE = 256
NOTHING = [np.zeros(0, dtype=np.int64)]


@dataclass(frozen=True)
class Chosen:
    """A basis in one fold, with its components in order.

    Attributes:
        run: the decoder with the basis in the place of its dictionary.
        order: by variable, the components that are selective for it, best first.
    """

    run: Run
    order: Mapping[str, np.ndarray]


def choose_components(
    run: Run, target: Mapping[str, np.ndarray], options: InterventionOptions, units: UnitOptions
) -> dict[str, Chosen]:
    """The dictionary's units and the components of every other basis that is wanted, by name.

    Args:
        run: the decoder with its dictionary.
        target: the units selected for each variable, best first.
        options: which bases, and how components are put in order.
        units: of the test that calls a component selective.
    """
    found = {UNITS: Chosen(run, target)}
    if not options.baselines:
        return found
    selection = run.trials.in_part(SELECTION)
    bases = {
        name: _in_place(run, selection, basis) for name, basis in fitted_bases(run, options).items()
    }
    for name, candidates in _selective(bases, selection, units).items():
        basis = bases[name]
        members = [candidates.units[task] for task in run.tasks]
        components = np.unique(np.concatenate(members)).astype(np.int64)
        drop = {task: np.zeros(len(components)) for task in run.tasks}
        if len(components) and options.ranking != "tuning":
            rng = numpy_generator("bases", options.seed, run.seed, run.fold, name)
            most = options.max_selection_trials
            drop, _ = single_unit_drops(basis, components, rng, most, options.seed)
        order = best_first(basis, candidates, options, components, drop)
        found[name] = Chosen(basis, order)
    return found


def fitted_bases(run: Run, options: InterventionOptions) -> dict[str, Dictionary]:
    """The wanted bases of the latents of training trials, by name."""
    train = run.trials.in_part(TRAIN)
    x, k = train.latents.flatten(0, 1), run.dictionary.k
    rng = numpy_generator("fitted bases", options.seed, run.seed, run.fold)
    few = x[torch.from_numpy(np.sort(rng.permutation(len(x))[: options.baseline_samples]))]
    dim, width = x.shape[1], run.dictionary.width
    found = {}
    for name in options.baselines:
        seed = seed_of("fitted basis", name, options.seed, run.seed, run.fold)
        if name == "pca":
            found[name] = baselines.pca(x, dim)
        elif name == "ica":
            found[name] = baselines.ica(few, dim, seed)
        elif name == "raw":
            found[name] = baselines.raw(x, dim)
        elif name == "nmf":
            found[name] = baselines.nmf(few, k, 2 * dim, seed)
        elif name == "semi_nmf":
            found[name] = baselines.semi_nmf(few, k, 2 * dim, seed)
        elif name == "random":
            found[name] = baselines.random_dictionary(x, k, width, seed)
        else:
            positions = train.latents.shape[1]
            labels = {task: np.repeat(label, positions) for task, label in train.labels.items()}
            found[name] = baselines.difference_in_means(x, labels)
    return found


def _in_place(run: Run, selection: HookTrials, basis: Dictionary) -> Run:
    """The decoder with a basis in the place of its dictionary, on selection trials."""
    n, latents = selection.latents.shape[:2]
    activation = np.zeros((n, basis.width), np.float32)
    total = torch.zeros(latents, basis.width, dtype=torch.float64)
    squares, fired = torch.zeros(2, basis.width, dtype=torch.float64)
    for first in range(0, n, TRIALS_AT_ONCE):
        z = basis.encode(selection.latents[first : first + TRIALS_AT_ONCE])
        activation[first : first + len(z)] = z.mean(1)
        total += z.sum(0)
        squares += z.square().sum((0, 1))
        fired += (z.abs() > FIRED).sum((0, 1))
    count = max(n * latents, 1)
    return replace(
        run,
        trials=selection,
        dictionary=basis,
        energy=(squares / count * basis.W_dec.square().sum(1)).numpy(),
        density=(fired / count).numpy(),
        mean=(total / max(n, 1)).float(),
        unit_activation=activation,
    )


def _selective(
    bases: Mapping[str, Run], selection: HookTrials, options: UnitOptions
) -> dict[str, Candidates]:
    """By basis, what the test of stage 5 calls selective; the same relabelings serve all bases."""
    known = np.all([label != NO_CLASS for label in selection.labels.values()], axis=0)
    at = np.flatnonzero(known)
    living = {name: np.flatnonzero(basis.alive) for name, basis in bases.items()}
    values = [bases[name].unit_activation[at][:, alive] for name, alive in living.items()]
    families = np.repeat(np.arange(len(bases)), [len(alive) for alive in living.values()])
    found = {name: Candidates({}, {}) for name in bases}
    for task, label in selection.labels.items():
        others = tuple(other[at] for name, other in selection.labels.items() if name != task)
        test = claim_trials(
            np.concatenate(values, axis=1).astype(float),
            label[at],
            selection.session_index[at],
            selection.block[at],
            others,
            options,
            families,
        )
        for family, (name, alive) in enumerate(living.items()):
            its = families == family
            chosen = test.selective[its]
            found[name].units[task] = alive[chosen]
            found[name].effect_size[task] = test.explained.omega2[its][chosen]
    return found


def components_taken_away(
    chosen: Mapping[str, Chosen],
    trials: HookTrials,
    doses: Mapping[str, Mapping[str, Sequence[int]]],
    n_random: int,
    seed: int,
) -> Mediated:
    """Take away components of every basis, error-preserving and to zero, in one fold.

    Args:
        chosen: by basis, its components in order; the dictionary's units among them.
        trials: test trials.
        doses: by basis and variable, numbers of components.
        n_random: sets of random living components for each number.
        seed: of them.
    """
    run = chosen[UNITS].run
    before = _scores(run, run.clean_pass(trials), trials, NOTHING)
    made = Mediated({key: of_one[:, 0] for key, of_one in before.items()})
    centre = run.trials.in_part(SELECTION).latents.mean((0, 1))
    spread = (trials.latents - centre).square().sum((1, 2)).numpy()
    for name, basis in chosen.items():
        clean = basis.run.clean_pass(trials)
        named = {
            (name, "", n, task): basis.order[task][:n]
            for task, of_one in doses[name].items()
            for n in of_one
        }
        alive = np.flatnonzero(basis.run.alive)
        counts = sorted({part[2] for part in named}) if n_random else []
        rng = numpy_generator("random components", name, seed, run.seed, run.fold)
        random = [np.sort(rng.permutation(alive)[:n]) for n in counts for _ in range(n_random)]
        after = _scores(basis.run, clean, trials, [*named.values(), *random])
        lost = {key: made.before[key][:, None] - of_one for key, of_one in after.items()}
        for place, (part, components) in enumerate(named.items()):
            made.drop[part] = {key: drop[:, place] for key, drop in lost.items()}
            made.variance[part] = _squared_length(clean, components), spread
        for place, n in enumerate(counts):
            first = len(named) + place * n_random
            of_count = slice(first, first + n_random)
            made.random[name, n] = {key: drop[:, of_count] for key, drop in lost.items()}
        made.available[name] = len(alive)
    return made


def _scores(run: Run, clean: CleanPass, trials: HookTrials, sets: Sequence[np.ndarray]) -> Scores:
    """By (task, metric), (trials, sets), without each set."""
    said = say(clean, run.suffix, trials.labels, sets, "error_preserving", "zero")
    return {(task, metric): said.metric(metric)[task] for task in run.tasks for metric in METRICS}


@torch.no_grad()
def _squared_length(clean: CleanPass, components: np.ndarray) -> np.ndarray:
    """Of what the components add to the latents of each trial, summed over latents, (trials,)."""
    chosen = torch.from_numpy(np.isin(np.arange(clean.dictionary.width), components))
    found = np.zeros(len(clean.latents))
    for first in range(0, len(found), TRIALS_AT_ONCE):
        some = clean.take(slice(first, first + TRIALS_AT_ONCE))
        values = some.values * chosen[some.units]
        z = torch.zeros(*values.shape[:2], len(chosen)).scatter_add_(2, some.units, values)
        added = z[..., components] @ clean.dictionary.W_dec[components]
        found[first : first + len(added)] = added.square().sum((1, 2)).numpy()
    return found

"""The ablations of units selected for genotype, on mice that neither body nor dictionary saw.

Genotype is constant in a mouse, so the mouse is the unit of analysis. In every fold of mice the
body and the dictionary are trained without the held-out mice, whose unit vectors are then fitted
without any genotype; the probe is trained on the training mice's selection trials and read on the
held-out mice's test trials, so that over the folds every mouse is read once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from glassbox.confounded import CONFOUNDED
from glassbox.decoders.fitted import FittedDecoder
from glassbox.decoders.randomness import numpy_generator, seed_of
from glassbox.dictionaries.activations import DecodedSession, open_sessions
from glassbox.errors import UserError
from glassbox.interventions.ablation import ABLATIONS, INTERVENTIONS
from glassbox.interventions.effects import effects_of
from glassbox.interventions.folds_of_mice import Folds
from glassbox.interventions.genotype_reads import GENOTYPE, GenotypeReads
from glassbox.interventions.genotype_rows import genotype_rows, identities_of, places_of
from glassbox.interventions.mice import HeldOutFold, standardised_difference
from glassbox.interventions.options import InterventionOptions
from glassbox.interventions.plan import doses_of, plan_doses
from glassbox.interventions.probe import columns_of, reads, relabelings
from glassbox.interventions.ranking import Ranked, rank_units, read_candidates
from glassbox.interventions.rows import (
    ablation_rows,
    against_controls,
    control_rows,
)
from glassbox.interventions.runs import DictionaryFacts, Run, capped, open_run
from glassbox.interventions.stage import POOLED, PRIMARY, write_tables
from glassbox.progress import Progress
from glassbox.statistics import bootstrap_weights, with_ties

COHORT, LEVEL = "all-without", "heldout"  # all folds all-without-0, -1, ... together
Row = dict[str, Any]


def ablate_genotype(
    decoder_folders: Sequence[str | Path],
    dictionary_folders: Sequence[str | Path],
    units_folders: Sequence[str | Path],
    tensors: Sequence[str | Path],
    out: str | Path,
    options: InterventionOptions,
) -> None:
    """Write ablation.csv, confusion.csv, controls.csv and genotype.csv of all folds into `out`."""
    if not len(decoder_folders) == len(dictionary_folders) == len(units_folders):
        raise UserError(
            f"--decoders, --dictionaries, --units: expected one of each for every fold of mice; "
            f"found {len(decoder_folders)}, {len(dictionary_folders)} and {len(units_folders)}."
        )
    facts = [DictionaryFacts.read(folder) for folder in dictionary_folders]
    if facts[0].holds_session:
        print(f"{facts[0].hook}: {CONFOUNDED}.", file=sys.stderr)
    seeds = sorted(set.intersection(*({seed for seed, _ in f.runs} for f in facts)))
    progress = Progress(len(seeds) * (len(facts) + len(INTERVENTIONS) * 2), "ablate_genotype")
    names = ("ablation", "confusion", "controls", "genotype")
    tables: dict[str, list[Row]] = {name: [] for name in names}
    where = places_of(tensors)
    library = _Library()
    for seed in seeds:
        opened, fold_of, candidates, identities = [], [], [], []
        for place, fact in enumerate(facts):
            decoder = FittedDecoder.load(decoder_folders[place], *fact.runs[0])
            sessions = library.sessions(decoder, tensors)
            tasks = tuple(decoder.tasks)
            units = read_candidates(_units_csv(units_folders[place]), tasks)
            for fold in sorted(f for s, f in fact.runs if s == seed):
                run = open_run(
                    decoder_folders[place], dictionary_folders[place], sessions, seed, fold
                )
                opened.append(HeldOutFold.of(run, fact.sessions))
                fold_of.append(place)
                candidates.append(units[seed, fold])
                decoder = FittedDecoder.load(decoder_folders[place], seed, fold)
                identities.append(identities_of(decoder, fact.sessions, where))
            progress.step()
        folds = Folds(opened, fold_of, [s for fact in facts for s in fact.sessions])
        about = {
            "cohort": COHORT,
            "level": LEVEL,
            "session": POOLED,
            "seed": seed,
            "hook": facts[0].hook,
            "dictionary": facts[0].dictionary,
        }
        _ablate_seed(folds, candidates, about, options, tables, progress)
        named = {key: value for key, value in about.items() if key != "session"}
        tables["genotype"] += genotype_rows(folds, identities, named, options)
    progress.close()
    write_tables(out, tables)


def _units_csv(path: str | Path) -> Path:
    path = Path(path)
    return path if path.suffix == ".csv" else path / "units.csv"


class _Library:
    """Sessions that were read for one decoder and serve the next of equal options and classes."""

    def __init__(self) -> None:
        self.key: Any = None
        self.known: dict[str, DecodedSession] = {}

    def sessions(
        self, decoder: FittedDecoder, tensors: Sequence[str | Path]
    ) -> tuple[DecodedSession, ...]:
        classes = {task: values.tolist() for task, values in decoder.tasks.items()}
        if self.key != (decoder.options, classes):
            self.key, self.known = (decoder.options, classes), {}
        found = open_sessions(decoder, tensors, self.known)
        self.known |= {s.data.session: s for s in found}
        return found


def rank_with_genotype(
    run: Run, fold: HeldOutFold, folds: Folds, ranked: Ranked, rng: np.random.Generator
) -> Ranked:
    """Add genotype: alive units by how far the lines of the training mice lie apart.

    The control with shuffled labels deals the lines out to the training mice anew.
    """
    alive = np.flatnonzero(run.alive)
    means = fold.training.mean_activation()[:, alive]
    lines = folds.training_lines(fold)

    def order(lines: np.ndarray) -> np.ndarray:
        return alive[np.argsort(-standardised_difference(means, lines), kind="stable")]

    return Ranked(
        ranked.target | {GENOTYPE: order(lines)},
        ranked.shuffled | {GENOTYPE: order(rng.permutation(lines))},
        ranked.energy,
    )


def _ablate_seed(
    folds: Folds,
    candidates: Sequence[Any],
    about: Row,
    options: InterventionOptions,
    tables: dict[str, list[Row]],
    progress: Progress,
) -> None:
    seed = about["seed"]
    plans, ranked = [], []
    for place, (fold, units) in enumerate(zip(folds.folds, candidates, strict=True)):
        rng = numpy_generator("shuffled labels", options.seed, seed, place)
        order = rank_units(fold.run, units, options, rng)
        ranked.append(rank_with_genotype(fold.run, fold, folds, order, rng))
    doses = {
        variable: doses_of(options.doses, min(len(r.target[variable]) for r in ranked))
        for variable in ranked[0].target
    }
    for place, (fold, order) in enumerate(zip(folds.folds, ranked, strict=True)):
        draw = seed_of(options.seed, "mice", place)
        plans.append(plan_doses(fold.run, order, doses, options.n_controls, draw))
    tests = [
        capped(f.test, _share(options.max_trials, len(folds.folds)), options.seed, seed, i, "test")
        for i, f in enumerate(folds.folds)
    ]
    planned = [
        (fold.run, test, plan) for fold, test, plan in zip(folds.folds, tests, plans, strict=True)
    ]
    # Trials of a mouse belong together: mice are drawn first.
    mouse = np.concatenate(
        [_mouse_of(f, t, folds) for f, t in zip(folds.folds, tests, strict=True)]
    )
    draw = seed_of("ablation", options.seed, seed)
    weights = bootstrap_weights(len(mouse), draw, options.resamples, mouse)
    mouse_weights = bootstrap_weights(len(folds.mice), draw, options.resamples)
    tables["ablation"].append(_relabelled(folds, about, options))
    for condition in product(INTERVENTIONS, ABLATIONS):
        intervention, ablation = condition
        with_controls = options.controls_for == "all" or condition == PRIMARY
        here = about | {"intervention": intervention, "ablation": ablation}
        plain = {k: v for k, v in here.items() if k != "session"}
        effects = effects_of(
            planned, intervention, ablation, options.n_controls if with_controls else 0
        )
        tables["ablation"] += ablation_rows(here, effects, doses, weights, with_controls)
        tables["controls"] += control_rows(plain, effects)
        genotype = GenotypeReads(folds, plans, intervention, ablation)
        for variable, of_one in doses.items():
            for n_units in of_one:
                rows, controls, confusion = genotype.rows(
                    variable,
                    n_units,
                    mouse_weights,
                    options.n_controls if with_controls else 0,
                    retrain=condition == PRIMARY,
                    confusion=n_units == max(of_one),
                )
                tables["ablation"] += [here | row for row in rows]
                tables["controls"] += [plain | row for row in controls]
                tables["confusion"] += [plain | row for row in confusion]
        progress.step()


def _share(most: int, n_folds: int) -> int:
    """Trials of each fold where `most` are evaluated in all; 0 stays 0, all."""
    return -(-most // n_folds)


def _mouse_of(fold: HeldOutFold, trials: Any, folds: Folds) -> np.ndarray:
    """Index of the mouse of each held-out trial, from the session."""
    names = fold.mouse_of_session[trials.session_index]
    return np.array([folds.mice.index(name) for name in names])


def _relabelled(folds: Folds, about: Row, options: InterventionOptions) -> Row:
    """Can genotype be read at all: the probe against relabelings of mice, none retrained.

    A row with `n_units` 0 and the control `relabelled_mice`: value and baseline are the mean
    signed score, p is exact where all relabelings fit under `interventions.permutations`.
    """
    rng = numpy_generator("relabelled mice", options.seed, about["seed"])
    labelings = relabelings(folds.lines, folds.mouse_fold, options.permutations, rng)
    scores = []
    for fold in folds.folds:
        training = np.stack([folds.training_lines(fold, row) for row in labelings])
        labels = np.stack([columns_of(row, folds.n_lines) for row in training])
        scores.append(fold.probe().scores(labels))
    told = reads(folds.gathered(scores), labelings, folds.n_lines)["signed_score"]
    observed, null = float(told[0]), with_ties(told[1:], float(told[0]))
    stated = against_controls(observed, null) if len(null) else {"n_controls": 0}
    return about | {
        "intervention": PRIMARY[0],
        "ablation": PRIMARY[1],
        "selected_for": GENOTYPE,
        "measured_on": GENOTYPE,
        "control": "relabelled_mice",
        "n_units": 0,
        "strength": 0.0,
        "metric": "signed_score",
        "value": observed,
        "baseline": observed,
        "drop": 0.0,
        **stated,
    }

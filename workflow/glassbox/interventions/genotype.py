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
from glassbox.interventions.genotype_rows import genotype_rows, identities_of, places_of
from glassbox.interventions.mice import HeldOutFold, standardised_difference
from glassbox.interventions.options import InterventionOptions
from glassbox.interventions.plan import DosePlan, doses_of, plan_doses
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
from glassbox.statistics import bootstrap_weights, weighted_means

GENOTYPE = "genotype"
COHORT, LEVEL = "all-without", "heldout"  # all folds all-without-0, -1, ... together
READS = ("accuracy", "auroc", "signed_score")
Row = dict[str, Any]


class Folds:
    """All folds of mice of one seed, and who is read where.

    Attributes:
        folds: one for each fold of mice and fold of trials.
        fold_of: for each of `folds`, the index of its fold of mice.
        mice, lines: names of all held-out mice, and the index of the line of each.
        line_names: sorted.
    """

    def __init__(self, folds: Sequence[HeldOutFold], fold_of: Sequence[int], sessions: list[dict]):
        self.folds, self.fold_of = list(folds), list(fold_of)
        line_of_mouse = {s["mouse"]: s["cre_line"] for s in sessions}
        self.line_names = tuple(sorted(set(line_of_mouse.values())))
        self.mice: list[str] = []
        self.mouse_fold: list[int] = []
        for fold, of in zip(self.folds, self.fold_of, strict=True):
            for mouse in fold.held_out_mice:
                if mouse not in self.mice:
                    self.mice.append(mouse)
                    self.mouse_fold.append(of)
        self.code = {m: self.line_names.index(line) for m, line in line_of_mouse.items()}
        self.lines = np.array([self.code[m] for m in self.mice])

    @property
    def n_lines(self) -> int:
        return len(self.line_names)

    def places(self, fold: HeldOutFold) -> np.ndarray:
        """Places in `mice` of the mice that a fold holds out."""
        return np.array([self.mice.index(m) for m in fold.held_out_mice])

    def training_lines(self, fold: HeldOutFold, lines: np.ndarray | None = None) -> np.ndarray:
        """Lines of a fold's training mice, true or by a labeling of all mice."""
        if lines is None:
            return np.array([self.code[m] for m in fold.training_mice])
        return np.array([lines[self.mice.index(m)] for m in fold.training_mice])

    def gathered(self, scores: Sequence[np.ndarray]) -> np.ndarray:
        """Scores of all mice, (..., mice, lines): the mean over the folds in which each is read.

        Args:
            scores: of each fold, (..., held-out mice, lines).
        """
        total = np.zeros((*scores[0].shape[:-2], len(self.mice), self.n_lines))
        times = np.zeros((len(self.mice), 1))
        for fold, of_fold in zip(self.folds, scores, strict=True):
            places = self.places(fold)
            total[..., places, :] += of_fold
            times[places] += 1
        return total / times


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
        order = rank_units(
            fold.run,
            units,
            options.ranking,
            options.max_selection_trials,
            options.seed,
            rng,
        )
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
        genotype = _Reads(folds, plans, intervention, ablation)
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
    observed, null = float(told[0]), told[1:]
    # Ties count against the claim; sums of floats tie only up to rounding.
    null = np.where(np.isclose(null, observed, rtol=1e-9, atol=1e-12), observed, null)
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


class _Reads:
    """Reads of genotype under one intervention and ablation."""

    def __init__(
        self, folds: Folds, plans: Sequence[list[DosePlan]], intervention: str, ablation: str
    ):
        self.folds, self.intervention, self.ablation = folds, intervention, ablation
        self.plans = [{plan.n_units: plan for plan in of_fold} for of_fold in plans]
        self.labels = [columns_of(folds.training_lines(f), folds.n_lines) for f in folds.folds]
        self.probes = [
            fold.probe().weights(labels)
            for fold, labels in zip(folds.folds, self.labels, strict=True)
        ]
        none = np.zeros((1, 0), dtype=np.int64)
        self.before = self._frozen([none] * len(folds.folds))[0]

    def _frozen(self, sets: Sequence[np.ndarray]) -> np.ndarray:
        """(sets, mice, lines) for one array of sets in each fold."""
        scores = [
            fold.frozen_scores(*probe, of_fold, self.intervention, self.ablation)
            for fold, probe, of_fold in zip(self.folds.folds, self.probes, sets, strict=True)
        ]
        return self.folds.gathered(scores)

    def _told(self, scores: np.ndarray) -> dict[str, np.ndarray]:
        lines = np.broadcast_to(self.folds.lines, scores.shape[:2])
        return reads(scores, lines, self.folds.n_lines)

    def rows(
        self,
        variable: str,
        n_units: int,
        mouse_weights: np.ndarray,
        n_controls: int,
        retrain: bool,
        confusion: bool,
    ) -> tuple[list[Row], list[Row], list[Row]]:
        """Rows of ablation.csv, controls.csv and confusion.csv of one variable and dose."""
        plans = [of_fold[n_units] for of_fold in self.plans]
        where = {"selected_for": variable, "measured_on": GENOTYPE, "n_units": n_units}
        before = {metric: float(v[0]) for metric, v in self._told(self.before[None]).items()}
        found = self._matched(plans, variable, n_controls, before)
        rows: list[Row] = []
        for control, key in self._sources(plans[0], variable).items():
            after = self._frozen([plan.named[key][None] for plan in plans])[0]
            told = {metric: float(v[0]) for metric, v in self._told(after[None]).items()}
            intervals = self._intervals(after, mouse_weights)
            for metric in READS:
                row = self._row(where, control, metric, before[metric], told[metric])
                row |= intervals.get(metric, {})
                if control == "target" and n_controls:
                    row |= against_controls(row["drop"], found.get(metric))
                rows.append(row)
            if control == "target" and retrain:
                rows += self._retrained(plans, where, key)
            if control == "target" and confusion:
                tables = self._confusion(where, after)
        if n_controls:
            rows += [self._matched_row(where, m, before[m], found.get(m)) for m in READS]
        controls = [
            where | {"set": place, "metric": metric, "drop": float(drop)}
            for metric, drops in found.items()
            for place, drop in enumerate(drops)
        ]
        return rows, controls, tables if confusion else []

    def _row(self, where: Row, control: str, metric: str, before: float, after: float) -> Row:
        return where | {
            "control": control,
            "strength": 1.0,
            "metric": metric,
            "value": after,
            "baseline": before,
            "drop": before - after,
        }

    def _sources(self, plan: DosePlan, variable: str) -> dict[str, tuple[str, str]]:
        others = [of for control, of in plan.named if control == "target" and of != variable]
        sources = {"target": ("target", variable)}
        if others:
            sources["other_variable"] = ("target", others[0])
        for control, of in (("shuffled_labels", variable), ("top_energy", "")):
            if (control, of) in plan.named:
                sources[control] = (control, of)
        return sources

    def _matched(
        self, plans: Sequence[DosePlan], variable: str, n_controls: int, before: dict[str, float]
    ) -> dict[str, np.ndarray]:
        """Drops under the matched sets by metric; none where a fold has too few."""
        if not n_controls or any(len(plan.matched[variable]) < n_controls for plan in plans):
            return {}
        told = self._told(self._frozen([plan.matched[variable] for plan in plans]))
        return {metric: before[metric] - told[metric] for metric in READS}

    def _matched_row(self, where: Row, metric: str, before: float, found: np.ndarray | None) -> Row:
        row = where | {
            "control": "matched_random",
            "strength": 1.0,
            "metric": metric,
            "baseline": before,
        }
        if found is None:
            return row | {"n_controls": 0}
        low, median, high = (float(v) for v in np.percentile(found, [2.5, 50, 97.5]))
        return row | {
            "value": before - median,
            "drop": median,
            "ci_low": low,
            "ci_high": high,
            "n_controls": len(found),
        }

    def _retrained(self, plans: Sequence[DosePlan], where: Row, key: tuple[str, str]) -> list[Row]:
        """Is the information gone, or only unused: the probe trained anew after the ablation."""

        def told(units: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
            scores = [
                fold.retrained_scores(of_fold, labels, self.intervention, self.ablation)
                for fold, labels, of_fold in zip(self.folds.folds, self.labels, units, strict=True)
            ]
            return self._told(self.folds.gathered(scores)[None])

        if not hasattr(self, "retrained_before"):
            nothing = np.zeros(0, dtype=np.int64)
            self.retrained_before = told([nothing] * len(plans))
        after = told([plan.named[key] for plan in plans])
        return [
            self._row(
                where,
                "target",
                f"{metric}_retrained",
                float(self.retrained_before[metric][0]),
                float(after[metric][0]),
            )
            for metric in READS
        ]

    def _intervals(self, after: np.ndarray, weights: np.ndarray) -> dict[str, Row]:
        """Intervals of the drop over mice, for the metrics that are means over mice."""
        mice = np.arange(len(self.folds.mice))
        lines = self.folds.lines
        drops = np.stack(
            [
                (self.before.argmax(1) == lines).astype(float) - (after.argmax(1) == lines),
                self.before[mice, lines] - after[mice, lines],
            ],
            axis=1,
        )
        low, high = np.percentile(weighted_means(weights, drops), [2.5, 97.5], axis=0)
        return {
            metric: {"ci_low": float(low[i]), "ci_high": float(high[i])}
            for i, metric in enumerate(("accuracy", "signed_score"))
        }

    def _confusion(self, where: Row, after: np.ndarray) -> list[Row]:
        """Mice by true and told line, before and after."""
        names, rows = self.folds.line_names, []
        for condition, scores in (("clean", self.before), ("ablated", after)):
            told = scores.argmax(1)
            for true, guess in product(range(len(names)), repeat=2):
                count = int(((self.folds.lines == true) & (told == guess)).sum())
                rows.append(
                    {
                        "selected_for": where["selected_for"],
                        "n_units": where["n_units"],
                        "condition": condition,
                        "task": GENOTYPE,
                        "true": names[true],
                        "predicted": names[guess],
                        "count": count,
                    }
                )
        return rows

"""One fold of held-out mice: their genotype read from latents, before and after an ablation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glassbox.dictionaries.activations import HookTrials
from glassbox.interventions.mouse_features import onto
from glassbox.interventions.probe import MouseMoments, MouseProbe
from glassbox.interventions.runs import Run
from glassbox.tensors.splits import SELECTION, TEST


@dataclass(frozen=True)
class MouseTrials:
    """Trial-mean latents and unit activations of some mice.

    Attributes:
        latent: (trials, dim) f8.
        activation: (trials, width) f8.
        mouse: index into the mice, (trials,).
        n_mice: how many there are.
        labels: class index by task, (trials,), −1 for none.
    """

    latent: np.ndarray
    activation: np.ndarray
    mouse: np.ndarray
    n_mice: int
    labels: Mapping[str, np.ndarray]

    def mean_latent(self) -> np.ndarray:
        """(mice, dim)."""
        return _means(self.latent, self.mouse, self.n_mice)

    def mean_activation(self) -> np.ndarray:
        """(mice, width)."""
        return _means(self.activation, self.mouse, self.n_mice)


def _means(values: np.ndarray, mouse: np.ndarray, n_mice: int) -> np.ndarray:
    return np.stack([values[mouse == m].mean(0) for m in range(n_mice)])


@dataclass(frozen=True)
class HeldOutFold:
    """A decoder whose body never saw some mice.

    Attributes:
        run: the decoder with its dictionary.
        training: the body's mice on selection trials; `training_mice` are their names.
        held_out: the other mice on test trials; `held_out_mice` are their names.
        test: the test trials of the held-out mice.
        mean: mean activation of each unit over latents and selection trials, (width,).
        mouse_of_session: name of the mouse of each session.
    """

    run: Run
    training: MouseTrials
    training_mice: tuple[str, ...]
    held_out: MouseTrials
    held_out_mice: tuple[str, ...]
    test: HookTrials
    mean: np.ndarray
    mouse_of_session: np.ndarray

    @classmethod
    def of(cls, run: Run, sessions: Sequence[dict]) -> HeldOutFold:
        """Split a run's trials by mouse.

        Args:
            run: a decoder with held-out sessions.
            sessions: of `dictionary.json`, in the order of `session_index`.
        """
        mouse_of = np.array([s["mouse"] for s in sessions])
        body = tuple(sorted({s["mouse"] for s in sessions if not s["held_out"]}))
        away = tuple(sorted({s["mouse"] for s in sessions if s["held_out"]}))
        trials = run.trials

        def of_mice(mice: tuple[str, ...], part: int, held_out: bool) -> MouseTrials:
            places = np.flatnonzero((trials.part == part) & (trials.held_out == held_out))
            names = mouse_of[trials.session_index[places]]
            return MouseTrials(
                trials.latents[places].mean(1).numpy().astype(np.float64),
                run.unit_activation[places].astype(np.float64),
                np.searchsorted(np.array(mice), names),
                len(mice),
                {task: label[places] for task, label in trials.labels.items()},
            )

        return cls(
            run,
            of_mice(body, SELECTION, False),
            body,
            of_mice(away, TEST, True),
            away,
            trials.in_part(TEST, held_out=True),
            run.mean.mean(0).numpy().astype(np.float64),
            mouse_of,
        )

    def base(self, mice: MouseTrials, intervention: str) -> np.ndarray:
        """Trial-mean latents with no unit taken away, (trials, dim)."""
        if intervention == "error_preserving":
            return mice.latent
        dictionary = self.run.dictionary
        return mice.activation @ self._rows() + dictionary.b_dec.double().numpy()

    def ablated(
        self, mice: MouseTrials, units: np.ndarray, intervention: str, ablation: str
    ) -> np.ndarray:
        """Trial-mean latents without the units, (trials, dim): exact, for the mean is linear."""
        put = self.mean[units] if ablation == "mean" else 0.0
        change = (put - mice.activation[:, units]) @ self._rows()[units]
        return self.base(mice, intervention) + change

    def probe(self) -> MouseProbe:
        """The probe on clean latents, training mice to held-out mice."""
        moments = MouseMoments.of(self.training.latent, self.training.mouse, self.training.n_mice)
        return MouseProbe.train(moments, onto(moments.mean, self.held_out.mean_latent()))

    def frozen_scores(
        self,
        weights: np.ndarray,
        offset: np.ndarray,
        sets: np.ndarray,
        intervention: str,
        ablation: str,
    ) -> np.ndarray:
        """Scores of the held-out mice by a probe that stays, (sets, mice, lines).

        Every unit adds its share to a mouse's score, so a set costs one sum. Mice are moved as
        their clean latents are (`onto`), whatever is taken away.

        Args:
            weights: (dim, lines); offset: (lines,).
            sets: units of each set, (sets, size).
        """
        mice = self.held_out
        clean = mice.mean_latent()
        base = _means(self.base(mice, intervention), mice.mouse, mice.n_mice)
        base = base + onto(self.training.mean_latent(), clean) - clean
        put = self.mean if ablation == "mean" else 0.0
        change = put - mice.mean_activation()
        share = change[:, :, None] * (self._rows() @ weights)  # (mice, width, lines)
        return base @ weights + offset + share[:, sets].sum(2).swapaxes(0, 1)

    def retrained_scores(
        self, units: np.ndarray, labels: np.ndarray, intervention: str, ablation: str
    ) -> np.ndarray:
        """Scores by a probe that is trained anew on ablated latents, (mice, lines).

        Args:
            labels: of the training mice, (mice, lines), ±1.
        """
        training = self.ablated(self.training, units, intervention, ablation)
        held_out = self.ablated(self.held_out, units, intervention, ablation)
        moments = MouseMoments.of(training, self.training.mouse, self.training.n_mice)
        read = onto(moments.mean, _means(held_out, self.held_out.mouse, self.held_out.n_mice))
        return MouseProbe.train(moments, read).scores(labels[None])[0]

    def _rows(self) -> np.ndarray:
        return self.run.dictionary.W_dec.double().numpy()


def standardised_difference(values: np.ndarray, lines: np.ndarray) -> np.ndarray:
    """How far lines lie apart in units of the spread of mice inside them, (units,).

    The root of the F ratio of a one-way analysis of variance; for two lines of equal size it is
    proportional to the difference of means over the pooled standard deviation. 0 where a unit is
    constant.

    Args:
        values: mean activation of each mouse, (mice, units).
        lines: line of each mouse, (mice,).
    """
    kinds = np.unique(lines)
    grand = values.mean(0)
    between, within = np.zeros(values.shape[1]), np.zeros(values.shape[1])
    for kind in kinds:
        its = values[lines == kind]
        between += len(its) * np.square(its.mean(0) - grand)
        within += np.square(its - its.mean(0)).sum(0)
    between /= max(len(kinds) - 1, 1)
    within /= max(len(values) - len(kinds), 1)
    return np.sqrt(np.divide(between, within, out=np.zeros_like(between), where=within > 0))

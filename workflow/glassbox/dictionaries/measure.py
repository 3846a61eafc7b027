"""What a dictionary does in all trials of its decoder, and what its splice costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from glassbox.decoders.randomness import torch_generator
from glassbox.dictionaries.activations import HookTrials
from glassbox.dictionaries.cached import Activations
from glassbox.dictionaries.dictionary import FIRED, Dictionary
from glassbox.dictionaries.metrics import Reconstruction, reconstruct
from glassbox.dictionaries.options import DictionaryOptions
from glassbox.dictionaries.rows import together
from glassbox.dictionaries.splice import insertion_scores
from glassbox.tensors.splits import SELECTION, TEST, TRAIN


@dataclass(frozen=True)
class UnitActivity:
    """What the units of a dictionary do in all trials.

    Attributes:
        mean: activation averaged over latents, (trials, width) f4.
        density: share of training latents in which a unit fired, (width,) f8.
        session_density: share of a session's training latents in which a unit fired, (sessions,
            width) f4; NaN for a session held out.
        energy: mean squared activation on selection trials × squared decoder norm, (width,) f8.
    """

    mean: np.ndarray
    density: np.ndarray
    energy: np.ndarray
    session_density: np.ndarray


@dataclass(frozen=True)
class Measured:
    """A dictionary measured on all trials of its decoder.

    Attributes:
        activity: of its units.
        sessions: reconstruction of each session's test trials, those held out included.
        test: reconstruction of the body's test trials, pooled.
        scores: of test trials by (condition, task, metric), (test trials,).
        test_session: session of each test trial, (test trials,), i4.
        trials: what is known of each trial by name, (trials, ...).
    """

    activity: UnitActivity
    sessions: tuple[Reconstruction, ...]
    test: Reconstruction
    scores: dict[tuple[str, str, str], np.ndarray]
    test_session: np.ndarray
    trials: dict[str, np.ndarray]

    @property
    def test_activation(self) -> np.ndarray:
        """Activation of each unit in each test trial, averaged over latents, (trials, width)."""
        return self.activity.mean[self.trials["part"] == TEST]


class ActivitySums:
    """Sums over trials from which `UnitActivity` follows; density and energy of the body alone."""

    def __init__(self, dictionary: Dictionary, n_sessions: int):
        self.dictionary, width = dictionary, dictionary.width
        self.mean: list[np.ndarray] = []
        self.squared, self.n_selection = torch.zeros(width).double(), 0
        self.fired = torch.zeros(n_sessions, width).double()
        self.shown = torch.zeros(n_sessions, 1).double()

    @torch.no_grad()
    def add(self, trials: HookTrials, block: int = 512) -> None:
        """Encode these trials, each once."""
        for first in range(0, len(trials), block):
            places = slice(first, first + block)
            z = self.dictionary.encode(trials.latents[places])
            self.mean.append(z.mean(1).numpy())
            body = ~trials.held_out[places]
            of_train = torch.from_numpy((trials.part[places] == TRAIN) & body)
            of_selection = torch.from_numpy((trials.part[places] == SELECTION) & body)
            session = torch.from_numpy(trials.session_index[places]).long()[of_train]
            self.fired.index_add_(0, session, (z[of_train] > FIRED).double().sum(1))
            each = torch.full((len(session), 1), z.shape[1]).double()
            self.shown.index_add_(0, session, each)
            self.squared += z[of_selection].double().square().sum((0, 1))
            self.n_selection += int(of_selection.sum()) * z.shape[1]

    def activity(self) -> UnitActivity:
        """What the units did in all that was added."""
        norm = self.dictionary.W_dec.double().square().sum(1)
        return UnitActivity(
            mean=np.concatenate(self.mean),
            density=(self.fired.sum(0) / self.shown.sum().clamp_min(1)).numpy(),
            energy=(self.squared / max(self.n_selection, 1) * norm).numpy(),
            session_density=(self.fired / self.shown).float().numpy(),
        )


def activity_of(dictionary: Dictionary, trials: HookTrials, block: int = 512) -> UnitActivity:
    """What the units of a dictionary do in these trials."""
    sums = ActivitySums(dictionary, int(trials.session_index.max(initial=0)) + 1)
    sums.add(trials, block)
    return sums.activity()


def measure(dictionary: Dictionary, seen: Activations, options: DictionaryOptions) -> Measured:
    """Run all trials through a dictionary, as many sessions at a time as fit in memory."""
    decoder, mean = seen.decoder, seen.mean()
    noise = torch_generator("noise", options.seed, decoder.seed, decoder.fold)
    activity, n_sessions = ActivitySums(dictionary, len(seen.sessions)), len(seen.sessions)
    sessions = [Reconstruction() for _ in range(n_sessions)]
    scores, test_session, known = [], [], []
    for trials in seen.trials():
        activity.add(trials)
        test = trials.in_part(TEST, held_out=None)
        readout = test.readout(decoder)
        draws = options.noise_draws
        scores.append(
            insertion_scores(dictionary, test.latents, test.labels, readout, draws, noise, mean)
        )
        test_session.append(test.session_index)
        for index in np.unique(test.session_index):
            own = test.latents[torch.from_numpy(test.session_index == index)]
            reconstruct(dictionary, own.flatten(0, 1), pooled=sessions[index])
        known.append(
            {
                "part": trials.part,
                "session_index": trials.session_index,
                "trial_index": trials.trial_index,
                "block": trials.block,
                "latent_mean": trials.latents.mean(1).numpy(),
            }
            | {f"label_{task}": label for task, label in trials.labels.items()}
        )
    body = (s for s, session in zip(sessions, seen.sessions, strict=True) if not session.held_out)
    return Measured(
        activity=activity.activity(),
        sessions=tuple(sessions),
        test=sum(body, Reconstruction()),
        scores=together(scores),
        test_session=np.concatenate(test_session),
        trials={name: np.concatenate([k[name] for k in known]) for name in known[0]},
    )

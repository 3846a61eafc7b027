"""What a unit stands for, as a sentence that can be checked: its content alone predicts the unit.

A description is made of concepts, one for each variable that the unit is claimed to be selective
for, the one that explains most first. A concept sorts the values of its variable into those that
the unit fires for, those that it fires for weakly, and all others, and keeps one level for each
sort: the mean response there, in units of the unit's mean over all values. What it predicts of a
trial is the unit's mean times the level of each concept. Nothing else of the unit's tuning is kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

STRONG = 0.6  # of the way from the smallest response of a tuning curve to its largest
WEAK = 0.3

NOTHING_KNOWN = "no variable that was tested explains when it fires"
_SUBJECTS = {  # in which words a variable opens the sentence, and in which it goes on
    "direction": ("fires for gratings drifting at {}", "most for those drifting at {}"),
    "temporal_frequency": ("fires for gratings of {}", "most at {}"),
    "orientation": ("fires for gratings oriented at {}", "most for those oriented at {}"),
    "spatial_frequency": ("fires for gratings of {}", "most at {}"),
    "phase": ("fires for gratings of phase {}", "most at phase {}"),
    "scene": ("fires for the scenes {}", "most for the scenes {}"),
    "genotype": ("fires in {} mice", "most in {} mice"),
}
_SUFFIXES = {
    "direction": "°",
    "orientation": "°",
    "temporal_frequency": " Hz",
    "spatial_frequency": " cycles/°",
}
CIRCULAR = frozenset({"direction", "orientation", "phase"})
MOST_NAMED = 6  # values; more are counted


@dataclass(frozen=True)
class Curve:
    """Mean response of a unit by value of a variable, as tuning.csv has it.

    Attributes:
        variable: its name.
        values: as texts, in the order of size.
        response: (values,), NaN where a value was never shown.
    """

    variable: str
    values: tuple[str, ...]
    response: tuple[float, ...]


@dataclass(frozen=True)
class Concept:
    """One variable of a description.

    Attributes:
        variable: its name.
        strong, weak: values that the unit fires for, and weakly fires for.
        strong_level, weak_level, rest_level: mean response there and at all other values, in units
            of the mean over values.
        neighbours: all values in their order: what may be said as a range.
    """

    variable: str
    strong: tuple[str, ...]
    weak: tuple[str, ...]
    strong_level: float
    weak_level: float
    rest_level: float
    neighbours: tuple[str, ...]

    @classmethod
    def of(cls, curve: Curve) -> Concept:
        """The concept of a tuning curve that is not flat."""
        response = np.asarray(curve.response, dtype=float)
        shown = np.isfinite(response)
        low, high = response[shown].min(), response[shown].max()
        height = np.where(shown, (response - low) / max(high - low, np.finfo(float).tiny), -1)
        strong, weak = height >= STRONG, (height >= WEAK) & (height < STRONG)
        mean = response[shown].mean()

        def level(which: np.ndarray) -> float:
            which = which & shown
            return float(response[which].mean() / mean) if which.any() and mean > 0 else 1.0

        def named(which: np.ndarray) -> tuple[str, ...]:
            return tuple(value for value, w in zip(curve.values, which, strict=True) if w)

        return cls(
            curve.variable,
            named(strong),
            named(weak),
            level(strong),
            level(weak),
            level(height < WEAK),
            curve.values,
        )

    def factor(self, values: np.ndarray) -> np.ndarray:
        """What the unit's mean is multiplied with, (trials,); 1 for a value that it never met.

        Args:
            values: of the variable, (trials,) of texts.
        """
        factor = np.where(np.isin(values, self.neighbours), self.rest_level, 1.0)
        factor[np.isin(values, self.weak)] = self.weak_level
        factor[np.isin(values, self.strong)] = self.strong_level
        return factor


@dataclass(frozen=True)
class Description:
    """A unit's concepts, with its mean activation.

    Attributes:
        mean: mean activation over selection trials.
        concepts: the variable that explains most first; none where none is claimed.
    """

    mean: float
    concepts: tuple[Concept, ...]

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(concept.variable for concept in self.concepts)

    def relative(self, trials: Mapping[str, np.ndarray]) -> np.ndarray:
        """What it predicts of each trial in units of the unit's mean, (trials,).

        Args:
            trials: values of each variable, (trials,) of texts. A concept of another variable says
                nothing.
        """
        n = len(next(iter(trials.values())))
        predicted = np.ones(n)
        for concept in self.concepts:
            if concept.variable in trials:
                predicted *= concept.factor(trials[concept.variable])
        return predicted

    def predict(self, trials: Mapping[str, np.ndarray]) -> np.ndarray:
        """The activation that it predicts of each trial, (trials,)."""
        return self.mean * self.relative(trials)

    def content(self) -> dict:
        """All that the prediction is made of, as plain numbers and texts."""
        return asdict(self)

    def sentence(self) -> str:
        """The same in words, with the level of the other values of its first variable."""
        if not self.concepts:
            return NOTHING_KNOWN
        parts = [
            _words(concept, _SUBJECTS.get(concept.variable, _other(concept.variable))[place > 0])
            for place, concept in enumerate(self.concepts)
        ]
        first = self.concepts[0]
        share = max(first.rest_level / first.strong_level, 0.0)
        rest = "not otherwise" if share < 0.05 else f"otherwise {share:.0%} as much"
        return f"{', '.join(parts)}; {rest}"


def describe(mean: float, curves: Sequence[Curve]) -> Description:
    """The description of a unit.

    Args:
        mean: its mean activation over selection trials.
        curves: of the variables that it is claimed to be selective for, the one that explains most
            first.
    """
    return Description(mean, tuple(Concept.of(curve) for curve in curves if _varies(curve)))


def _varies(curve: Curve) -> bool:
    response = np.asarray(curve.response, dtype=float)
    response = response[np.isfinite(response)]
    return len(response) > 1 and response.max() > response.min() and response.mean() > 0


def _other(variable: str) -> tuple[str, str]:
    name = variable.replace("_", " ")
    return f"fires for {name} {{}}", f"most for {name} {{}}"


def _words(concept: Concept, frame: str) -> str:
    text = frame.format(_listed(concept, concept.strong))
    return f"{text} (and weakly {_listed(concept, concept.weak)})" if concept.weak else text


def _listed(concept: Concept, values: Sequence[str]) -> str:
    """`90°`, `4–8 Hz`, `90° and 270°`: neighbours as ranges, around the circle if there is one."""
    suffix = _SUFFIXES.get(concept.variable, "")
    if concept.variable not in _SUFFIXES and len(values) > MOST_NAMED:
        return f"{', '.join(values[:MOST_NAMED])} and {len(values) - MOST_NAMED} others"
    texts = [
        f"{run[0]}–{run[-1]}{suffix}" if len(run) > 1 else f"{run[0]}{suffix}"
        for run in _runs(concept, values)
    ]
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def _runs(concept: Concept, values: Sequence[str]) -> list[list[str]]:
    ordered = concept.neighbours
    if not _is_number(ordered[0]):
        return [[value] for value in values]
    places = [ordered.index(value) for value in values]
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][-1] + 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    around = concept.variable in CIRCULAR and len(runs) > 1
    if around and runs[0][0] == 0 and runs[-1][-1] == len(ordered) - 1:
        runs[0] = runs.pop() + runs[0]
    return [[ordered[place] for place in run] for run in runs]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

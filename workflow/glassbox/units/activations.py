"""The activations of a dictionary's units, as stage 4 leaves them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from glassbox.errors import UserError
from glassbox.tensors.splits import SELECTION, TEST, TRAIN
from glassbox.units.variables import ORIENTATION

UNKNOWN = float("nan")
SERIES = "behaviour_"  # how the names of the series begin in the files
_FILE = re.compile(r"activations-seed(\d+)-fold(\d+)\.npz")


@dataclass(frozen=True)
class Session:
    """One session of a dictionary.

    Attributes:
        session, mouse, cre_line: texts.
        held_out: decoder and dictionary were trained without it.
        area: visual area, empty where unknown.
        depth_um: imaging depth, µm, NaN where unknown.
    """

    session: str
    mouse: str
    cre_line: str
    held_out: bool
    area: str = ""
    depth_um: float = UNKNOWN


@dataclass(frozen=True)
class DictionaryFolder:
    """`results/dictionaries/{cohort}/{hook}/`: what stage 5 reads of it.

    Attributes:
        path: the folder.
        dictionary: architecture (topk, ...).
        hook: where in the decoder.
        sessions: in the order of `session_index`.
        classes: values of each task's condition, in the order of the class index.
        holds_session: what passes the hook is made with the session's embedding.
        others: the same folder for the decoder's other stimuli, by stimulus: their own sessions
            and classes, the same units.
        prefix: of the arrays' names, for another stimulus than the decoder's first.
    """

    path: Path
    dictionary: str
    hook: str
    sessions: tuple[Session, ...]
    classes: dict[str, tuple[float, ...]]
    holds_session: bool = False
    others: dict[str, DictionaryFolder] = field(default_factory=dict)
    prefix: str = ""

    @classmethod
    def open(cls, path: str | Path) -> DictionaryFolder:
        """Read `dictionary.json`."""
        path = Path(path)
        file = path / "dictionary.json"
        if not file.exists():
            raise UserError(f"{file}: no such file; run the rule train_dictionary first.")
        meta = json.loads(file.read_text())
        names, confounded = (meta["dictionary"], meta["hook"]), bool(meta.get("holds_session"))
        others = {
            stimulus: cls(path, *names, *_of_stimulus(of_one), confounded, prefix=f"{stimulus}/")
            for stimulus, of_one in meta.get("others", {}).items()
        }
        return cls(path, *names, *_of_stimulus(meta), confounded, others)

    @property
    def shows_orientation(self) -> bool:
        """Whether orientation is a variable of another stimulus, so that the axis of a direction
        must not go by that name."""
        return any(ORIENTATION in other.classes for other in self.others.values())

    def runs(self) -> tuple[tuple[int, int], ...]:
        """Every (seed, fold) of the folder, sorted."""
        found = (_FILE.fullmatch(file.name) for file in self.path.iterdir())
        return tuple(sorted((int(m[1]), int(m[2])) for m in found if m))

    def selection(self, seed: int, fold: int) -> Activations:
        """The selection trials of the sessions that the decoder was trained on."""
        return self._trials(seed, fold, (SELECTION,))

    def trained(self, seed: int, fold: int) -> Activations:
        """The training trials of those sessions."""
        return self._trials(seed, fold, (TRAIN,))

    def unseen(self, seed: int, fold: int) -> Activations:
        """Selection and test trials of those sessions: all that nothing was trained on.

        What is chosen here must not be tried out on the test trials.
        """
        return self._trials(seed, fold, (SELECTION, TEST))

    def _trials(self, seed: int, fold: int, parts: tuple[int, ...]) -> Activations:
        with np.load(self.path / f"activations-seed{seed}-fold{fold}.npz") as stored:
            at = self.prefix
            session, part = stored[f"{at}session_index"], stored[f"{at}part"]
            trained = np.array([not s.held_out for s in self.sessions])
            keep = np.isin(part, parts) & trained[session]
            for task in self.classes:
                keep &= stored[f"{at}label_{task}"] >= 0  # a trial without a class answers nothing
            block = stored[f"{at}block"].astype(np.int64)
            if len(parts) > 1:  # other parts of a block lie apart in time
                block = block * (TEST + 1) + part
            series = [name for name in stored.files if name.startswith(SERIES) and not at]
            return Activations(
                activation=stored[f"{at}unit_activation"][keep],
                session=session[keep].astype(np.int64),
                block=block[keep],
                label={t: stored[f"{at}label_{t}"][keep].astype(np.int64) for t in self.classes},
                density=stored["density"],
                behaviour={name.removeprefix(SERIES): stored[name][keep] for name in series},
            )


def _of_stimulus(meta: dict) -> tuple[tuple[Session, ...], dict[str, tuple[float, ...]]]:
    """Sessions and classes of one stimulus, as `dictionary.json` has them."""
    sessions = tuple(
        Session(
            s["session"],
            str(s["mouse"]),
            str(s["cre_line"]),
            bool(s.get("held_out", False)),
            str(s.get("area") or ""),
            UNKNOWN if s.get("depth_um") is None else float(s["depth_um"]),
        )
        for s in meta["sessions"]
    )
    return sessions, {task: tuple(values) for task, values in meta["classes"].items()}


@dataclass(frozen=True)
class Activations:
    """Trials of one decoder and dictionary.

    Attributes:
        activation: mean over latents and windows of each unit, (trials, width).
        session: index into `DictionaryFolder.sessions`, (trials,).
        block: block of the stimulus in which a trial was shown, (trials,).
        label: class index of each task, (trials,).
        density: share of training latents in which a unit is active, (width,).
        behaviour: mean over each trial's window of what the animal did, by series, (trials,); NaN
            where it was not recorded.
    """

    activation: np.ndarray
    session: np.ndarray
    block: np.ndarray
    label: dict[str, np.ndarray]
    density: np.ndarray
    behaviour: dict[str, np.ndarray] = field(default_factory=dict)

    def alive(self) -> np.ndarray:
        """Units that were active at least once on the training trials, sorted indices."""
        return np.flatnonzero(self.density > 0)


def runs_of(folder: DictionaryFolder) -> Iterator[tuple[int, int, Activations]]:
    """Each seed and fold with its selection trials."""
    runs = folder.runs()
    if not runs:
        raise UserError(
            f"{folder.path}: expected activations-seed*-fold*.npz; found none. Run the rule "
            "train_dictionary again."
        )
    for seed, fold in runs:
        yield seed, fold, folder.selection(seed, fold)

"""Which trial another one takes activations from: one that agrees on the other variables."""

from __future__ import annotations

import numpy as np

from glassbox.dictionaries.activations import HookTrials

NOBODY = -1


def donors_of(
    asking: HookTrials,
    pool: HookTrials,
    variable: str,
    rng: np.random.Generator,
    kind: str = "nearest",
) -> np.ndarray:
    """A random donor of the same session for each trial, (trials,) places in the pool.

    Args:
        asking: trials that want a donor.
        pool: trials that may be one; never a trial for itself.
        variable: the one in which a donor is free.
        kind: `nearest`: the donor agrees on as many others as any does. `agreeing`: it differs in
            the variable and agrees on all others. `differing`: it differs in all. −1 where there
            is no such trial.
        rng: source of the randomness.
    """
    others = [task for task in asking.labels if task != variable]
    found = np.full(len(asking), NOBODY)
    for session in np.unique(asking.session_index):
        here = np.flatnonzero(asking.session_index == session)
        there = np.flatnonzero(pool.session_index == session)
        if len(there) == 0:
            continue

        def pairs(labels: str, here=here, there=there) -> tuple[np.ndarray, np.ndarray]:
            return asking.labels[labels][here, None], pool.labels[labels][None, there]

        agree = np.zeros((len(here), len(there)))
        for task in others:
            mine, theirs = pairs(task)
            agree += mine == theirs
        free = asking.trial_index[here, None] != pool.trial_index[None, there]
        if kind != "nearest":
            mine, theirs = pairs(variable)
            free &= (mine != theirs) & (mine >= 0) & (theirs >= 0)
            free &= agree == (len(others) if kind == "agreeing" else 0)
        chance = np.where(free, agree + rng.random(agree.shape), -1.0)
        best = chance.argmax(1)
        found[here] = np.where(chance[np.arange(len(here)), best] >= 0, there[best], NOBODY)
    return found

"""Random sets of units that match a selected set, drawn without the selected units."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np

TOLERANCE = 0.05  # on summed energy and on mean density, relative to the selected set; never wider
MOST_ENUMERATED = 100_000  # subsets; where there are fewer, all are looked at
ROUNDS = 4  # of chains, before the answer is that too few sets exist
APPROACH_STEPS = 600  # swaps in which a chain may find a match
WARMEST, COLDEST = 0.3, 0.01  # temperature of the approach, in units of the relative mismatch


def is_matched(
    energy: np.ndarray, density: np.ndarray, energy_of_set: float, density_of_set: float
) -> np.ndarray:
    """Whether summed energies and mean densities, both (sets,), lie within the tolerance."""
    near_energy = np.abs(energy - energy_of_set) <= TOLERANCE * energy_of_set
    near_density = np.abs(density - density_of_set) <= TOLERANCE * density_of_set
    return near_energy & near_density


def matched_sets(
    energy: np.ndarray,
    density: np.ndarray,
    selected: np.ndarray,
    alive: np.ndarray,
    n_sets: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Distinct random sets of alive units that match the selected set.

    Many Markov chains run side by side, each a set; a step swaps one unit of the set for one of
    the pool. First they approach a match (Metropolis steps of falling temperature on the
    mismatch); from then on every swap that keeps the match is taken, so that a chain wanders
    evenly over the matched sets that it can reach.

    Args:
        energy: mean squared activation × squared decoder norm, (width,).
        density: share of latents in which the unit fired, (width,).
        selected: the units of the selected set, (size,).
        alive: units that may be drawn, (width,) bool.
        n_sets: how many sets are wanted.
        rng: source of the randomness.

    Returns:
        (sets, size) units in increasing order, no set twice, none with a selected unit; fewer
        than `n_sets` where no more were found.
    """
    size = len(selected)
    allowed = alive.copy()
    allowed[selected] = False
    pool = np.flatnonzero(allowed)
    nothing = np.zeros((0, size), dtype=np.int64)
    if size == 0 or len(pool) < size:
        return nothing
    goal = float(energy[selected].sum()), float(density[selected].mean())
    if goal[0] <= 0 or goal[1] <= 0:
        return nothing
    if comb(len(pool), size) <= MOST_ENUMERATED:
        found = _all_matched(energy, density, pool, size, goal)
        return found[np.sort(rng.permutation(len(found))[:n_sets])]
    found = nothing
    for _ in range(ROUNDS):
        fresh = _wandering_chains(energy[pool], density[pool], size, goal, 2 * n_sets, rng)
        found = _distinct(np.concatenate([found, np.sort(pool[fresh], axis=1)]))
        if len(found) >= n_sets:
            return found[np.sort(rng.permutation(len(found))[:n_sets])]
        if len(found) == 0:
            return nothing
    return found


def _all_matched(energy, density, pool, size, goal) -> np.ndarray:
    sets = np.array(list(combinations(pool, size)), dtype=np.int64).reshape(-1, size)
    return sets[is_matched(energy[sets].sum(1), density[sets].mean(1), *goal)]


def _distinct(sets: np.ndarray) -> np.ndarray:
    _, first = np.unique(sets, axis=0, return_index=True)
    return sets[np.sort(first)]


def _wandering_chains(energy, density, size, goal, n_chains, rng) -> np.ndarray:
    """Matched sets as indices into the pool, (chains that found a match, size)."""
    n_pool = len(energy)
    order = rng.permuted(np.tile(np.arange(n_pool), (n_chains, 1)), axis=1)
    chain = np.arange(n_chains)
    if n_pool == size:
        matched = is_matched(energy.sum()[None], density.mean()[None], *goal)
        return order[:1] if matched[0] else order[:0]
    sum_energy = energy[order[:, :size]].sum(1)
    sum_density = density[order[:, :size]].sum(1)

    def mismatch(e: np.ndarray, d: np.ndarray) -> np.ndarray:
        return np.maximum(np.abs(e / goal[0] - 1), np.abs(d / (size * goal[1]) - 1))

    now = mismatch(sum_energy, sum_density)
    mixing = 50 + 10 * size
    steps = APPROACH_STEPS + 10 * size
    for step in range(steps + mixing):
        inside = rng.integers(size, size=n_chains)
        outside = rng.integers(size, n_pool, size=n_chains)
        leaving, entering = order[chain, inside], order[chain, outside]
        e = sum_energy + energy[entering] - energy[leaving]
        d = sum_density + density[entering] - density[leaving]
        then = mismatch(e, d)
        if step < steps:
            temperature = WARMEST * (COLDEST / WARMEST) ** (step / steps)
            chance = np.exp(np.minimum((now - then) / temperature, 0))
            taken = rng.random(n_chains) < chance
            if step % 32 == 0 and step >= 2 * size and (now <= TOLERANCE).mean() > 0.9:
                steps = step  # most chains have arrived: let them wander
        else:
            taken = (then <= TOLERANCE) | (then < now)
        at = chain[taken]
        order[at, inside[taken]], order[at, outside[taken]] = entering[taken], leaving[taken]
        sum_energy[taken], sum_density[taken], now[taken] = e[taken], d[taken], then[taken]
        if step >= steps + mixing:
            break
    sets = order[:, :size]
    return sets[is_matched(energy[sets].sum(1), density[sets].mean(1), *goal)]

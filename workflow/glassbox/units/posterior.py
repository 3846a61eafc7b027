"""How probable is it that a variable explains little of a unit, seen in the light of all units?

The estimate of a share of variance is noisy; whoever claims all units whose estimate exceeds a
bound claims those, too, that were lucky. How many lucky ones there are depends on how many units
lie just below the bound, which the units themselves tell: a smooth distribution of true shares is
estimated from all of them together, and each unit's probability of lying below the bound follows by
Bayes' rule. Units are claimed as long as the mean of that probability over the claimed ones, the
expected share of false claims, stays below its level.

Source: Efron 2016, Biometrika 103, for the distribution (an exponential family, a little
    penalised); Newton et al. 2004, Biostatistics 5, for claims by the mean probability.
"""

from __future__ import annotations

import numpy as np

from glassbox.units.variance import Explained, variance_of_share

DEGREE = 4  # of the log density of true shares, a polynomial in their root
PENALTY = 1.0  # on the size of its coefficients
# Units of one dictionary share their trials, so their errors are in part common, and claims err
# together. Shown as if each estimate were this much less certain. Without it the share of false
# claims is 0.05 on average over simulated cohorts, and above it in half of them.
COMMON = 1.5


def shares_to_consider(minimum: float) -> np.ndarray:
    """True shares among which the distribution is estimated: dense around and below the bound."""
    fine = minimum * np.linspace(0, 3, 61)
    coarse = np.linspace(fine[-1], 1, 61)[1:-1]
    return np.concatenate([[minimum / 5000], (fine[1:] + fine[:-1]) / 2, coarse])


def probability_below(found: Explained, minimum: float) -> np.ndarray:
    """Probability that a unit's true share of variance is at most `minimum`, (units,).

    The estimate is taken as normal around a true share, with the variance of normal activations at
    that share, larger by the factor by which the unit's own error is larger.

    Args:
        found: shares with their errors; a unit without an error has probability 1.
        minimum: the bound.
    """
    probability = np.ones(len(found.omega2))
    known = np.flatnonzero(np.isfinite(found.error))
    if len(known) == 0:
        return probability
    shares = shares_to_consider(minimum)
    estimate = found.omega2[known, None]
    own = found.error[known, None] ** 2
    usual = variance_of_share(np.clip(estimate, 0.0, 0.98), found.df_between, found.n)
    variance = variance_of_share(shares, found.df_between, found.n) * np.maximum(own / usual, 1.0)
    log = -0.5 * (estimate - shares) ** 2 / (COMMON * variance) - 0.5 * np.log(variance)
    likelihood = np.exp(log - log.max(axis=1, keepdims=True))
    joint = likelihood * _distribution(likelihood, shares)
    probability[known] = joint[:, shares <= minimum].sum(axis=1) / joint.sum(axis=1)
    return probability


def claimed(probability: np.ndarray, level: float) -> np.ndarray:
    """The largest set of units whose mean probability is at most `level`, (units,) bool."""
    order = np.argsort(probability, kind="stable")
    mean = np.cumsum(probability[order]) / np.arange(1, len(order) + 1)
    chosen = np.zeros(len(order), dtype=bool)
    chosen[order[: int((mean <= level).sum())]] = True  # the running mean never falls
    return chosen


def _distribution(likelihood: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The most likely smooth distribution of true shares, (shares,), sum 1."""
    from scipy.optimize import minimize

    powers = np.sqrt(shares)[:, None] ** np.arange(1, DEGREE)
    basis, _ = np.linalg.qr((powers - powers.mean(axis=0)) / powers.std(axis=0))
    basis = basis * np.sqrt(len(shares))
    width = np.log(np.gradient(shares))

    def density(coefficients: np.ndarray) -> np.ndarray:
        log = basis @ coefficients + width
        density = np.exp(log - log.max())
        return density / density.sum()

    def misfit(coefficients: np.ndarray) -> tuple[float, np.ndarray]:
        weight = density(coefficients)
        seen = likelihood @ weight
        size = np.sqrt(coefficients @ coefficients + 1e-12)
        excess = (likelihood * weight / seen[:, None]).sum(axis=0) - len(seen) * weight
        slope = PENALTY * coefficients / size - excess @ basis
        return PENALTY * size - np.log(seen).sum(), slope

    return density(minimize(misfit, np.zeros(basis.shape[1]), jac=True, method="BFGS").x)

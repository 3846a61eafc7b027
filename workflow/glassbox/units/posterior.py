"""How probable is it that a variable explains little of a unit, seen in the light of all units?

The estimate of a share of variance is noisy; whoever claims all units whose estimate exceeds a
bound claims those, too, that were lucky. How many lucky ones there are depends on how many units
lie just below the bound, which the units themselves tell: a smooth distribution of true shares is
estimated from all of them together, and each unit's probability of lying below the bound follows by
Bayes' rule. Units are claimed as long as the mean of that probability over the claimed ones, the
expected share of false claims, stays below its level.

The trials on which the decoder and its dictionary were trained say more, but overstate. They are
not believed but read: what a share there is worth, on average and how surely, is learned over all
units from the trials that nothing was trained on, and is then what a unit's own estimate from those
trials is weighed against.

Source: Efron 2016, Biometrika 103, for the distribution (an exponential family, a little
    penalised); Newton et al. 2004, Biostatistics 5, for claims by the mean probability; Ignatiadis
    & Wager 2019, NeurIPS 32, for estimates weighed against what a covariate predicts.
"""

from __future__ import annotations

import numpy as np

from glassbox.units.variance import Explained, variance_of_share

DEGREE = 4  # of the log density of true shares, a polynomial in their root
PENALTY = 1.0  # on the size of its coefficients
# Units of one dictionary share their trials, so their errors are in part common, and claims err
# together. Taken as if each estimate were this much more variable than it looks.
COMMON = 2.0
LEAST_UNITS = 30  # from which what training trials are worth can be learned
ROUNDS = 10  # of fitting the worth of training trials and its sureness in turn
SUREST = 0.2  # scatter about the worth of training trials, at least this share of their own error


def shares_to_consider(minimum: float) -> np.ndarray:
    """True shares among which the distribution is estimated: dense around and below the bound."""
    fine = minimum * np.linspace(0, 3, 61)
    coarse = np.linspace(fine[-1], 1, 61)[1:-1]
    return np.concatenate([[minimum / 5000], (fine[1:] + fine[:-1]) / 2, coarse])


def probability_below(
    found: Explained, minimum: float, trained: Explained | None = None
) -> np.ndarray:
    """Probability that a unit's true share of variance is at most `minimum`, (units,).

    The estimate is taken as normal around a true share, with the variance of normal activations at
    that share, larger by the factor by which the unit's own error is larger.

    Args:
        found: shares with their errors; a unit without an error has probability 1.
        minimum: the bound.
        trained: the same on training trials, of which only what they predict of `found` is used;
            without them, or of few units, all units have one distribution of true shares.
    """
    probability = np.ones(len(found.omega2))
    known = np.flatnonzero(np.isfinite(found.error))
    if trained is not None:
        both = known[trained.error[known] > 0]  # not where it is unknown either
        if len(both) >= LEAST_UNITS:
            known = both
        else:
            trained = None
    if len(known) == 0:
        return probability
    shares = shares_to_consider(minimum)
    estimate = found.omega2[known, None]
    own = found.error[known, None] ** 2
    usual = variance_of_share(np.clip(estimate, 0.0, 0.98), found.df_between, found.n)
    variance = variance_of_share(shares, found.df_between, found.n) * np.maximum(own / usual, 1.0)
    log = -0.5 * (estimate - shares) ** 2 / (COMMON * variance) - 0.5 * np.log(variance)
    likelihood = np.exp(log - log.max(axis=1, keepdims=True))
    if trained is None:
        joint = likelihood * _distribution(likelihood, shares)
    else:
        mean, scatter = _worth(found, trained, known)
        log -= 0.5 * (shares - mean[:, None]) ** 2 / (COMMON * scatter[:, None])
        joint = np.exp(log - log.max(axis=1, keepdims=True)) * np.gradient(shares)
    probability[known] = joint[:, shares <= minimum].sum(axis=1) / joint.sum(axis=1)
    return probability


def claimed(probability: np.ndarray, level: float) -> np.ndarray:
    """The largest set of units whose mean probability is at most `level`, (units,) bool."""
    order = np.argsort(probability, kind="stable")
    mean = np.cumsum(probability[order]) / np.arange(1, len(order) + 1)
    chosen = np.zeros(len(order), dtype=bool)
    chosen[order[: int((mean <= level).sum())]] = True  # the running mean never falls
    return chosen


def _worth(
    found: Explained, trained: Explained, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What shares on training trials predict of the true ones: mean and variance, (known,).

    The mean is a smooth curve through the estimates from unseen trials. The variance is what they
    scatter about it beyond their own error, in proportion to the squared error on training trials.
    """
    share, own = found.omega2[known], found.error[known] ** 2
    there, error = trained.omega2[known], trained.error[known] ** 2
    curve = np.stack(
        [np.ones(len(known)), np.sqrt(np.maximum(there, 0) + 1e-4), there, there**2], 1
    )
    scatter = 1.0
    for _ in range(ROUNDS):
        weight = 1 / (own + scatter * error)
        root = np.sqrt(weight)
        mean = curve @ np.linalg.lstsq(curve * root[:, None], share * root, rcond=None)[0]
        off = (share - mean) ** 2 * len(share) / (len(share) - curve.shape[1])
        of_scatter = weight**2 * error
        scatter = max(SUREST, float((of_scatter * (off - own)).sum() / (of_scatter * error).sum()))
    return mean, scatter * error


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

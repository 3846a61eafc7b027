"""How much of a unit's variance a label explains, with the bias of small samples removed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glassbox.units.groups import without_group_means


@dataclass(frozen=True)
class Explained:
    """What a label explains of the variance of each unit.

    Attributes:
        eta2: share of the variance between the classes, (units,), 0 to 1; 0 for a constant unit.
        omega2: the same without the bias of η², (units,); below 0 where chance gives more.
        p_minimum: p of the hypothesis "at most `minimum` of the variance", (units,).
        error: standard error of both shares, (units,), whatever the distribution of the
            activations; NaN for a constant unit, or where there are too few trials.
        df_between: classes that the label tells apart, less one.
        n: number of trials.
    """

    eta2: np.ndarray
    omega2: np.ndarray
    p_minimum: np.ndarray
    error: np.ndarray
    df_between: int
    n: int


def explained_variance(
    activation: np.ndarray,
    label: np.ndarray,
    strata: np.ndarray,
    others: tuple[np.ndarray, ...] = (),
    minimum: float = 0.05,
) -> Explained:
    """Share of a unit's variance within strata that a label explains.

    The linear model has a mean for each stratum, additive effects of the `others`, and the label.
    The sum of squares of the label is what it adds to that model; the variance that it is a share
    of is all variance within strata, the others' included.

    Args:
        activation: (trials, units).
        label: class of each trial, (trials,).
        strata: session and stimulus block of each trial, (trials,).
        others: labels, each (trials,), whose additive effect is taken away first.
        minimum: share of the variance that `p_minimum` tests against.

    Source: ω² of Hays 1963; Olejnik & Algina 2003, Psychol. Methods 8; the test against a
        minimum effect by noncentral F, Murphy & Myors 1999, J. Appl. Psychol. 84; the error by
        influence functions, Hampel 1974, J. Am. Stat. Assoc. 69.
    """
    found = _sums_of_squares(activation, label, strata, others)
    df_between, df_within, n = found.df_between, found.df_within, len(label)
    if df_between == 0 or df_within <= 0:
        zero = np.zeros(len(found.total))
        unknown = np.full_like(zero, np.nan)
        return Explained(zero, zero.copy(), np.ones_like(zero), unknown, df_between, n)
    total, between, constant = found.total, found.between, found.constant
    mean_within = np.where(constant, 1.0, np.maximum(found.within / df_within, 1e-12 * total))
    eta2 = np.where(constant, 0.0, between / total)
    omega2 = np.where(constant, 0.0, (between - df_between * mean_within) / (total + mean_within))
    # all variance but the label's own is 1 − minimum of the variance where the hypothesis is true
    noncentrality = minimum / (1 - minimum) * (total - between) / mean_within
    f = between / df_between / mean_within
    p_minimum = _noncentral_f_tail(f, df_between, df_within, noncentrality)
    return Explained(
        eta2,
        omega2,
        np.where(constant, 1.0, p_minimum),
        np.where(constant, np.nan, found.error),
        df_between,
        n,
    )


def variance_of_share(share: np.ndarray, df_between: int, n: int) -> np.ndarray:
    """Variance of an estimated share of variance where activations are normal.

    Args:
        share: the true share, below 1.
        df_between: classes less one.
        n: number of trials.

    Source: the noncentral F distribution, to first order in 1/n (Johnson, Kotz & Balakrishnan 1995,
        ch. 30).
    """
    between = 2 * (df_between + 2 * n * share / (1 - share)) * (1 - share) ** 4 / n**2
    return between + 2 * share**2 * (1 - share) ** 2 / n


def explained_share(activation: np.ndarray, label: np.ndarray, strata: np.ndarray) -> np.ndarray:
    """Share of a unit's variance within strata that a label explains, bias and all, (units,)."""
    found = _sums_of_squares(activation, label, strata, ())
    return np.where(found.constant, 0.0, found.between / found.total)


@dataclass(frozen=True)
class _Sums:
    """Sums of squares of each unit, within strata; 1 in all for one that is constant."""

    total: np.ndarray
    between: np.ndarray
    within: np.ndarray
    constant: np.ndarray
    error: np.ndarray
    df_between: int
    df_within: int


def _sums_of_squares(
    activation: np.ndarray,
    label: np.ndarray,
    strata: np.ndarray,
    others: tuple[np.ndarray, ...],
) -> _Sums:
    values = without_group_means(np.asarray(activation, dtype=float), strata)
    total = (values**2).sum(axis=0)
    constant = total <= 1e-12 * len(values) * np.abs(activation).max(axis=0, initial=0.0) ** 2
    total = np.where(constant, 1.0, total)
    nuisance = _basis([without_group_means(_one_hot(o), strata) for o in others], len(values))
    target = without_group_means(_one_hot(label), strata)
    rest = values - nuisance @ (nuisance.T @ values)
    target = _basis([target - nuisance @ (nuisance.T @ target)], len(values))
    fit = target.T @ rest
    between = (fit**2).sum(axis=0)
    left = rest - target @ fit
    within = (left**2).sum(axis=0)
    # What one trial more would change the share by: its influence, whose squares add up.
    influence = (rest**2 - left**2 - between / total * values**2) / total
    df_between = target.shape[1]
    df_within = len(values) - len(np.unique(strata)) - nuisance.shape[1] - df_between
    error = np.sqrt((influence**2).sum(axis=0))
    return _Sums(total, between, within, constant, error, df_between, df_within)


def _noncentral_f_tail(f: np.ndarray, df1: int, df2: int, noncentrality: np.ndarray) -> np.ndarray:
    from scipy.special import ncfdtr

    return np.clip(1.0 - ncfdtr(df1, df2, noncentrality, f), 0.0, 1.0)


def _one_hot(label: np.ndarray) -> np.ndarray:
    _, codes = np.unique(np.asarray(label), return_inverse=True)
    return np.eye(codes.max(initial=0) + 1)[codes]


def _basis(columns: list[np.ndarray], rows: int) -> np.ndarray:
    """Orthonormal columns that span the given ones, (rows, rank)."""
    matrix = np.concatenate([np.zeros((rows, 0)), *columns], axis=1)
    if matrix.shape[1] == 0:
        return matrix
    left, size, _ = np.linalg.svd(matrix, full_matrices=False)
    return left[:, size > 1e-9 * max(1.0, np.sqrt(rows))]

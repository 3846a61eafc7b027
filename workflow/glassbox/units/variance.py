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
    """

    eta2: np.ndarray
    omega2: np.ndarray
    p_minimum: np.ndarray


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
        minimum effect by noncentral F, Murphy & Myors 1999, J. Appl. Psychol. 84.
    """
    values = without_group_means(np.asarray(activation, dtype=float), strata)
    total = (values**2).sum(axis=0)
    constant = total <= 1e-12 * len(values) * np.abs(activation).max(axis=0, initial=0.0) ** 2
    total = np.where(constant, 1.0, total)
    nuisance = _basis([without_group_means(_one_hot(o), strata) for o in others], len(values))
    target = without_group_means(_one_hot(label), strata)
    values = values - nuisance @ (nuisance.T @ values)
    target = _basis([target - nuisance @ (nuisance.T @ target)], len(values))
    between = ((target.T @ values) ** 2).sum(axis=0)
    df_between = target.shape[1]
    df_within = len(values) - len(np.unique(strata)) - nuisance.shape[1] - df_between
    if df_between == 0 or df_within <= 0:
        zero = np.zeros(values.shape[1])
        return Explained(zero, zero.copy(), np.ones_like(zero))
    within = np.maximum((values**2).sum(axis=0) - between, 0.0)
    mean_within = np.where(constant, 1.0, np.maximum(within / df_within, 1e-12 * total))
    eta2 = np.where(constant, 0.0, between / total)
    omega2 = np.where(constant, 0.0, (between - df_between * mean_within) / (total + mean_within))
    # all variance but the label's own is 1 − minimum of the variance where the hypothesis is true
    noncentrality = minimum / (1 - minimum) * (total - between) / mean_within
    p_minimum = _noncentral_f_tail(
        between / df_between / mean_within, df_between, df_within, noncentrality
    )
    return Explained(eta2, omega2, np.where(constant, 1.0, p_minimum))


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

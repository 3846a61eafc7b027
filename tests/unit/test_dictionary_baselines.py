"""Laws of what dictionaries are held against."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from glassbox.dictionaries import baselines
from glassbox.dictionaries.metrics import reconstruct
from scipy.optimize import nnls


@pytest.fixture(scope="module")
def x():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(300, 6, generator=generator) @ torch.randn(6, 6, generator=generator) + 2


def made(name, x, k=3):
    labels = {"direction": np.arange(len(x)) % 4}
    return {
        "pca": lambda: baselines.pca(x, k),
        "pca_leading": lambda: baselines.leading_pca(x, k),
        "ica": lambda: baselines.ica(x, k, 0),
        "raw": lambda: baselines.raw(x, k),
        "nmf": lambda: baselines.nmf(x, k, 10, 0),
        "semi_nmf": lambda: baselines.semi_nmf(x, k, 10, 0),
        "random": lambda: baselines.random_dictionary(x, k, 24, 0),
        "difference_in_means": lambda: baselines.difference_in_means(x, labels),
    }[name]()


NAMES = "pca pca_leading ica raw nmf semi_nmf random difference_in_means".split()


@pytest.mark.parametrize("name", NAMES)
def test_a_baseline_speaks_as_a_dictionary_does(name, x):
    baseline = made(name, x)
    z = baseline.encode(x)
    assert baseline.architecture == name
    assert z.shape == (300, baseline.width) and baseline.W_dec.shape == (baseline.width, 6)
    assert int((z != 0).sum(1).max()) <= max(baseline.k, 4)
    torch.testing.assert_close(baseline(x), baseline.decode(z))
    torch.testing.assert_close(baseline.W_dec.norm(dim=1)[:3], torch.ones(3), atol=0.5, rtol=0)
    found = reconstruct(baseline, x)
    assert 0 < found.l0 <= max(baseline.k, 4) and -0.2 < found.explained_variance <= 1


@pytest.mark.parametrize("name", ["pca", "ica", "raw"])
def test_a_basis_with_all_its_coefficients_loses_nothing(name, x):
    assert reconstruct(made(name, x, k=6), x).explained_variance == pytest.approx(1, abs=1e-5)


def test_the_leading_components_explain_what_their_eigenvalues_say(x):
    values = torch.linalg.eigvalsh(torch.cov(x.double().T)).flip(0)
    share = float(values[:3].sum() / values.sum())
    assert reconstruct(made("pca_leading", x), x).explained_variance == pytest.approx(share)
    # Each sample's own best three can only be better.
    assert reconstruct(made("pca", x), x).explained_variance >= share


def test_a_non_negative_code_is_that_of_least_squares(x):
    rows = torch.randn(8, 6, generator=torch.Generator().manual_seed(1))
    z = baselines.non_negative_code(x[:10], rows, steps=5000)
    for sample, code in zip(x[:10], z, strict=True):
        best = nnls(rows.T.double().numpy(), sample.double().numpy())[1]
        assert float((code @ rows - sample).norm()) == pytest.approx(best, abs=1e-3)


def test_what_lies_below_the_mean_is_kept_apart_in_nmf(x):
    baseline = made("nmf", x)
    assert float(baseline.rows.min()) >= 0 and float(baseline.W_dec.min()) < 0


def test_coefficients_of_class_means_are_as_large_as_the_data_though_the_means_sum_to_nothing(x):
    labels = {"direction": np.arange(len(x)) % 4, "temporal_frequency": np.arange(len(x)) % 2}
    moved = x + torch.from_numpy(labels["direction"])[:, None] * torch.arange(6)
    baseline = baselines.difference_in_means(moved, labels)
    assert float(baseline.encode(moved).abs().max()) < 10 * float(moved.abs().max())


def test_the_difference_in_means_tells_the_classes_apart(x):
    label = np.arange(300) % 2
    shift = torch.zeros(6)
    shift[2] = 5
    moved = x + torch.from_numpy(label)[:, None] * shift
    baseline = baselines.difference_in_means(moved, {"direction": label})
    direction = torch.nn.functional.normalize(baseline.W_dec[1] - baseline.W_dec[0], dim=0)
    assert float(direction[2]) > 0.9

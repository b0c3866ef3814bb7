"""Density ratios of a reference and a window."""

import numpy as np
import pytest

from driftline import stats


def test_weights_are_the_density_ratio():
    """Normal inputs whose mean moved: the logarithm of the weights is a line with its slope."""
    rng = np.random.default_rng(1)
    ref, cur = rng.normal(0, 1, (4_000, 2)), rng.normal([0.7, 0.0], 1, (4_000, 2))
    weights = stats.importance_weights(ref, cur)
    slope, _ = np.polyfit(ref[:, 0], np.log(weights.values), 1)
    assert slope == pytest.approx(0.7, abs=0.1)
    assert weights.values.mean() == pytest.approx(1.0)
    assert np.average(ref[:, 0], weights=weights.values) == pytest.approx(0.7, abs=0.08)


def test_weights_follow_a_change_of_spread():
    """A window with half the standard deviation: rows far from the mean hardly weigh."""
    rng = np.random.default_rng(2)
    ref, cur = rng.normal(0, 1, (3_000, 1)), rng.normal(0, 0.5, (3_000, 1))
    w = stats.importance_weights(ref, cur).values
    assert np.sqrt(np.average(ref[:, 0] ** 2, weights=w)) == pytest.approx(0.5, abs=0.05)


def test_effective_rows_are_all_rows_without_a_shift():
    """Equal inputs keep nearly all rows; inputs far apart keep few."""
    rng = np.random.default_rng(3)
    ref = rng.normal(0, 1, (500, 3))
    assert stats.importance_weights(ref, rng.normal(0, 1, (500, 3))).effective_rows > 450
    assert stats.importance_weights(ref, rng.normal(2, 1, (500, 3))).effective_rows < 100
    assert stats.ImportanceWeights(np.array([1.0, 1.0, 0.0, 0.0])).effective_rows == 2.0


@pytest.mark.parametrize(("ref", "cur"), [((9, 2), (50, 2)), ((50, 2), (9, 2)), ((50, 0), (50, 0))])
def test_few_rows_or_no_columns_have_no_weights(ref, cur):
    """Below ten rows of a side there is nothing to learn from."""
    assert stats.importance_weights(np.zeros(ref), np.zeros(cur)) is None


def test_constant_and_separated_columns_have_finite_weights():
    """A constant column changes nothing; sides without overlap have weights that are bounded."""
    ref, cur = np.zeros((50, 2)), np.zeros((50, 2))
    cur[:, 1] = 10.0
    weights = stats.importance_weights(ref, cur)
    assert np.isfinite(weights.values).all()
    assert weights.effective_rows == pytest.approx(50)

"""What can be seen: the planned power is the power of the tests when they are run."""

import math

import numpy as np
import pytest
import scipy.stats as ss

from driftline import stats


def test_the_planned_rows_find_the_rate_as_often_as_planned():
    """With the rows asked for, the test of a rate against a known one finds the change in 90 of 100
    windows.
    """
    n = stats.rows_for_rate(0.1, 0.13, alpha=0.01, power=0.9)
    seen = np.random.default_rng(1).binomial(n, 0.13, 20_000) / n
    found = np.abs(seen - 0.1) / math.sqrt(0.1 * 0.9 / n) > ss.norm.isf(0.005)
    assert found.mean() == pytest.approx(0.9, abs=0.015)
    assert (
        stats.rows_for_rate(0.1, 0.1)
        is stats.rows_for_rate(0.0, 0.1)
        is stats.rows_for_rate(0.1, 1.0)
        is None
    )


def test_the_planned_shift_of_a_mean_is_found_as_often_as_planned():
    """The z test of two means finds the planned shift in 80 of 100 windows, wobble between windows
    counted.
    """
    n, m, wobble = 4_000, 300, 0.05
    shift = stats.detectable_mean(n, m, wobble, alpha=0.01, power=0.8)
    rng = np.random.default_rng(2)
    spread = math.sqrt(1 / n + 1 / m + wobble**2)
    z = (shift + spread * rng.normal(size=20_000)) / spread
    assert np.mean(z > ss.norm.isf(0.005)) == pytest.approx(0.8, abs=0.015)
    assert stats.detectable_mean(0, 5) is None


@pytest.mark.parametrize("tolerance", [0.0, 0.02])
@pytest.mark.parametrize("m", [300, 10_000])
def test_the_planned_psi_solves_scipys_noncentral_law(tolerance, m):
    """At the planned PSI the chance to exceed the critical value is the power asked for, to
    0.0001.
    """
    n, cells, h = 20_000, 10, 1 / 20_000 + 1 / m
    planned = stats.detectable_psi(cells, n, m, tolerance, alpha=0.01, power=0.9)
    critical = (
        ss.ncx2.isf(0.01, cells - 1, tolerance / h) if tolerance else ss.chi2.isf(0.01, cells - 1)
    ) * h
    assert ss.ncx2.sf(critical / h, cells - 1, planned / h) == pytest.approx(0.9, abs=1e-4)
    assert planned > tolerance
    assert stats.detectable_psi(1, n, m) is None


def test_the_design_effect_is_the_variance_of_a_mean_over_that_of_independent_rows():
    """Rows that share a window's wobble have a mean that varies more by exactly the design
    effect.
    """
    rng = np.random.default_rng(3)
    rows, correlation = 200, 0.02
    means = np.array(
        [
            math.sqrt(correlation) * rng.normal()
            + math.sqrt(1 - correlation) * rng.normal(size=rows).mean()
            for _ in range(20_000)
        ]
    )
    assert np.var(means) * rows == pytest.approx(stats.design_effect(rows, correlation), rel=0.05)
    assert stats.effective_rows(10**9, 0.001) == pytest.approx(1_000, rel=1e-3)
    assert stats.effective_rows(0, 0.1) == 0
    assert stats.effective_rows(50, 0.0) == 50

"""Shifts of means from moments alone: against scipy, and by how often the interval holds the
truth.
"""

import math

import numpy as np
import pytest
import scipy.stats as ss

from driftline import stats


def known(n, mean, variance):
    """A side of which the moments matter only."""
    return stats.Side(edges=np.empty(0), counts=np.array([n]), mean=mean, variance=variance)


def moments(values):
    return known(
        len(values),
        float(np.mean(values)),
        float(np.var(values, ddof=1)) if len(values) > 1 else None,
    )


@pytest.mark.parametrize(("n", "m"), [(12, 10), (5_000, 40), (40, 5_000), (300, 2)])
def test_a_mean_shift_is_glass_delta_with_the_p_value_of_welch(n, m):
    """The value is the difference over the reference's sd, the p-value scipy's of unequal
    variances.
    """
    rng = np.random.default_rng(n + m)
    was, now = rng.normal(3, 2, n), rng.normal(3.5, 3, m)
    shift = stats.mean_shift(moments(was), moments(now))
    assert shift.value == pytest.approx((now.mean() - was.mean()) / was.std(ddof=1), rel=1e-12)
    assert shift.p_value == pytest.approx(ss.ttest_ind(now, was, equal_var=False).pvalue, rel=1e-9)
    assert shift.interval[0] < shift.value < shift.interval[1]


@pytest.mark.parametrize(
    ("true", "n", "m", "sd"),
    [(0, 50, 50, 1), (0.5, 2_000, 100, 2), (-3, 60, 500, 0.5), (1, 30, 10, 1)],
)
def test_the_interval_of_a_mean_shift_holds_the_truth_as_often_as_it_says(true, n, m, sd):
    """Of 4,000 draws at least 93.5% and at most 97.5% have the true shift within."""
    rng = np.random.default_rng(7)
    held = 0
    for _ in range(4_000):
        shift = stats.mean_shift(moments(rng.normal(0, 1, n)), moments(rng.normal(true, sd, m)))
        held += shift.interval[0] <= true <= shift.interval[1]
    assert 0.935 <= held / 4_000 <= 0.975


def test_a_mean_shift_turns_its_sign_with_the_values():
    """Mirrored values give the mirrored shift."""
    rng = np.random.default_rng(1)
    was, now = rng.normal(0, 1, 200), rng.normal(1, 1, 80)
    there, back = (stats.mean_shift(moments(sign * was), moments(sign * now)) for sign in (1, -1))
    assert back.value == pytest.approx(-there.value)
    assert back.interval == pytest.approx((-there.interval[1], -there.interval[0]))


def test_a_mean_shift_without_rows_or_spread_is_none():
    """Empty sides, a constant reference, one of a single row and numbers beyond floats have no
    shift; others have no NaN.
    """
    wide, flat = known(100, 0.0, 1.0), known(100, 1.0, 0.0)
    for was, now in [
        (known(0, 0.0, None), wide),
        (wide, known(0, 0.0, None)),
        (flat, wide),
        (known(1, 0.0, None), wide),
        (known(100, 0.0, 1e-300), known(100, 1e150, 1.0)),
    ]:
        assert stats.mean_shift(was, now) == stats.Shift(None)
    assert stats.mean_shift(wide, wide)[:3] == (0, (0, 0), 1)
    assert stats.mean_shift(wide, flat).value == 1
    alone = stats.mean_shift(wide, known(1, 2.0, None))
    assert alone.value == 2
    assert all(math.isfinite(end) for end in alone.interval)

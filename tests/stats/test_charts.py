"""Control charts: their paths against plain definitions, their run lengths against tables and
simulation.
"""

import math

import numpy as np
import pytest
import scipy.stats as ss

from driftline import stats


def test_a_chart_goes_on_where_it_was_left():
    """A path from the last point of an earlier one is the path of all values."""
    x = np.random.default_rng(1).normal(size=50)
    for chart in (stats.ewma, stats.cusum):
        first = chart(x[:20])
        assert chart(x[20:], start=first[-1]) == pytest.approx(chart(x)[20:])
    assert len(stats.ewma([])) == len(stats.cusum([])) == len(stats.page_hinkley([])) == 0


def test_the_paths_are_their_closed_forms():
    """EWMA is a weighted sum, CUSUM and Page-Hinkley are a walk less its lowest point."""
    x = np.random.default_rng(2).normal(size=40)
    weights = 0.3 * 0.7 ** np.arange(39, -1, -1)
    assert stats.ewma(x, 0.3)[-1] == pytest.approx(float(weights @ x))
    walk = np.concatenate(([0], np.cumsum(x - 0.25)))
    assert stats.cusum(x, 0.25) == pytest.approx((walk - np.minimum.accumulate(walk))[1:])
    means = np.array([x[: i + 1].mean() for i in range(40)])
    sums = np.cumsum(x - means - 0.1)
    assert stats.page_hinkley(x, 0.1) == pytest.approx(
        [sums[i] - sums[: i + 1].min() for i in range(40)]
    )


def test_the_limits_are_three_deviations_of_the_chart():
    """The variance of a point is that of its weighted sum."""
    for t in (1, 2, 10):
        weights = 0.2 * 0.8 ** np.arange(t)
        assert stats.ewma_limits(t)[-1] == pytest.approx(3 * math.sqrt(float(weights @ weights)))


def test_known_run_lengths():
    """Without memory both charts are Shewhart's, with 1/P(outside); Page's sum has the textbooks'
    465 and 10.4.
    """
    assert stats.ewma_arl(weight=1.0, width=3.0) == pytest.approx(1 / (2 * ss.norm.sf(3)), rel=1e-9)
    assert stats.ewma_arl(weight=1.0, width=3.0, mean=1.0) == pytest.approx(
        1 / (ss.norm.sf(2) + ss.norm.sf(4)), rel=1e-9
    )
    assert both_sides(0.0, 1.0) == pytest.approx(465, rel=2e-3)
    assert both_sides(1.0, 1.0) == pytest.approx(10.4, abs=0.05)


def simulated(windows, seed):
    """Windows per false alarm of both charts, started anew after each; mean and sd from `windows`
    windows, or known.
    """
    rng = np.random.default_rng(seed)
    charts, steps = 4_000, 600
    baselines = rng.normal(size=(charts, windows or 2))
    mean, sd = (baselines.mean(axis=1), baselines.std(axis=1, ddof=1)) if windows else (0.0, 1.0)
    z, age, up, down, alarms = (
        np.zeros(charts),
        np.zeros(charts),
        np.zeros(charts),
        np.zeros(charts),
        [0, 0],
    )
    for _ in range(steps):
        x = (rng.normal(size=charts) - mean) / sd
        z, age = 0.2 * x + 0.8 * z, age + 1
        outside = np.abs(z) > 3 * np.sqrt(0.2 / 1.8 * (1 - 0.8 ** (2 * age)))
        z, age = np.where(outside, 0, z), np.where(outside, 0, age)
        up, down = np.maximum(0, up + x - 0.5), np.maximum(0, down - x - 0.5)
        over = (up > 5) | (down > 5)
        up, down = np.where(over, 0, up), np.where(over, 0, down)
        alarms[0] += int(outside.sum())
        alarms[1] += int(over.sum())
    return [charts * steps / count for count in alarms]


def both_sides(mean, sd):
    return 1 / (1 / stats.cusum_arl(0.5, 5, mean, sd) + 1 / stats.cusum_arl(0.5, 5, -mean, sd))


def test_run_lengths_with_a_known_mean_are_those_of_a_simulation():
    """The integral equations give the run lengths of charts that are run."""
    ewma, cusum = simulated(None, seed=4)
    assert stats.ewma_arl() == pytest.approx(ewma, rel=0.06)
    assert both_sides(0.0, 1.0) == pytest.approx(cusum, rel=0.06)


def test_estimated_limits_alarm_as_often_as_a_simulation_with_estimates():
    """With mean and sd from 30 windows false alarms come three times as often, and the stated rate
    says so.
    """
    ewma, cusum = simulated(30, seed=5)
    rates = (
        stats.estimated_rate(lambda m, s: stats.ewma_arl(mean=m, sd=s), 30),
        stats.estimated_rate(both_sides, 30),
    )
    assert 1 / rates[0] == pytest.approx(ewma, rel=0.06)
    assert 1 / rates[1] == pytest.approx(cusum, rel=0.06)
    assert ewma < stats.ewma_arl() / 3


def test_an_estimated_shewhart_chart_has_the_rate_of_student():
    """Averaged over estimates, limits at 3 s around the mean are left as often as Student's t
    says.
    """
    rate = stats.estimated_rate(
        lambda m, s: 1 / (ss.norm.sf((3 - m) / s) + ss.norm.sf((3 + m) / s)), 20
    )
    assert rate == pytest.approx(stats.limit_rate(20, 3, ddof=1), rel=5e-3)
    assert stats.estimated_rate(lambda m, s: 1.0, 2) is None
    assert 1 / stats.estimated_rate(both_sides, 100_000) == pytest.approx(
        both_sides(0.0, 1.0), rel=2e-3
    )


def test_a_chart_that_never_alarms_has_a_finite_run_length():
    """Limits far out give a large number, never infinity or a negative one."""
    assert stats.cusum_arl(0.5, 5, sd=0.2) == stats.ewma_arl(width=12) == 1e12


def test_normal_scores_are_finite_for_every_p():
    """P-values of 0 and 1 have large scores, not infinite ones."""
    assert np.all(np.isfinite(stats.normal_scores([0.0, 1e-320, 0.5, 1.0])))
    assert stats.normal_scores(0.025) == pytest.approx(ss.norm.isf(0.025))

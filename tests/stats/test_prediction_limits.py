"""Limits for one more window: against scipy, and against how often simulated windows leave them."""

import math

import numpy as np
import pytest
import scipy.stats as ss

from driftline import stats

RNG = np.random.default_rng(9)
HISTORIES = RNG.normal(5, 2, (40_000, 10))
NEW = RNG.normal(5, 2, 40_000)


def test_the_prediction_is_a_t_test_of_one_window_against_the_rest():
    """One new value against K is Student's two-sample test with a sample of one."""
    history, new = HISTORIES[0], 11.0
    got = stats.prediction(history, new)
    mean, sd = history.mean(), history.std(ddof=1)
    assert got.t == pytest.approx((new - mean) / math.sqrt(sd**2 + sd**2 / 10))
    assert got.p_value == pytest.approx(2 * ss.t.sf(abs(got.t), 9))
    theirs = ss.ttest_ind([new, new - 1e-9], np.concatenate((history, history)), equal_var=True)
    assert np.sign(got.t) == np.sign(theirs.statistic)


def test_limits_are_left_as_often_as_stated():
    """The share of simulated new windows outside is the rate that is computed, for any multiple,
    ddof and side.
    """
    mean = HISTORIES.mean(axis=1)
    for ddof, k in ((0, 3.0), (1, 3.0), (0, 2.0)):
        outside = np.abs(NEW - mean) > k * HISTORIES.std(axis=1, ddof=ddof)
        assert stats.limit_rate(10, k, ddof) == pytest.approx(outside.mean(), rel=0.08)
    outside = np.abs(NEW - mean) > stats.limit_multiplier(10, 0.01) * HISTORIES.std(axis=1, ddof=1)
    assert outside.mean() == pytest.approx(0.01, rel=0.12)


@pytest.mark.parametrize("k", [2, 5, 60, 10_000])
def test_multiplier_and_rate_undo_each_other(k):
    """The rate of a multiplier is the rate that it was made for."""
    for rate in (0.2, 0.01, 1 / 8760):
        assert stats.limit_rate(k, stats.limit_multiplier(k, rate), ddof=1) == pytest.approx(
            rate, rel=1e-6
        )
    assert stats.limit_multiplier(math.inf, 0.05) == pytest.approx(ss.norm.isf(0.025))
    assert stats.limit_multiplier(10**7, 0.05) == pytest.approx(ss.norm.isf(0.025), rel=1e-5)


def test_the_rank_p_value_is_uniform_at_its_steps():
    """A new window is above all ten earlier ones in 1 of 11 cases."""
    p = np.array(
        [stats.rank_p(history, new) for history, new in zip(HISTORIES[:5_000], NEW, strict=False)]
    )
    for step in (1, 3, 8):
        assert np.mean(p <= step / 11 + 1e-9) == pytest.approx(step / 11, abs=0.02)
    assert stats.rank_p([], 3.0) == 1
    assert stats.rank_p([3.0, 3.0], 3.0) == 1


def test_the_median_is_not_moved_by_a_few_bad_windows():
    """With two of twelve windows broken z by MAD still sees the new one, and z by sd does not;
    scipy's scale is the witness.
    """
    history = [10.2, 9.8, 10.5, 10.1, 9.9, 10.3, 10.0, 9.7, 10.4, 10.1, 90.0, 80.0]
    assert stats.mad_z(history, 12.0) > 4 > 1 > abs(stats.plain_z(history, 12.0))
    theirs = (12 - np.median(history)) / ss.median_abs_deviation(history, scale=1 / 1.4826)
    assert stats.mad_z(history, 12.0) == pytest.approx(theirs)
    assert stats.plain_z(history, 12.0) == pytest.approx(ss.zmap([12.0], history)[0])


@pytest.mark.parametrize("history", [[], [1.0], [0.1] * 8, [math.nan, 2.0], [5e-324, 0.0]])
def test_a_history_that_cannot_tell_has_no_limits(history):
    """Without values or spread there is no distance, and no warning."""
    assert stats.prediction(history, 3.0) is None
    assert stats.plain_z(history, 3.0) is None
    assert stats.mad_z(history, 3.0) is None
    assert (
        stats.limit_rate(1)
        is stats.limit_multiplier(1, 0.1)
        is stats.limit_multiplier(10, 1.5)
        is None
    )

"""How sure it is that importances moved, from mean sizes with their errors."""

import numpy as np
import pytest
import scipy.stats as ss

from driftline import stats


def test_the_mean_size_has_the_error_of_its_rows():
    """The mean of |x| and its standard error, from sums alone; a single row is as unsure as it is
    large.
    """
    values = np.array([-2.0, -1.0, 0.0, 0.5, 3.0])
    found = stats.mean_size(np.abs(values).sum(), 5, values.mean(), np.var(values, ddof=1))
    assert found == pytest.approx((1.3, np.abs(values).std() / np.sqrt(5)))
    assert stats.mean_size(3.0, 1, -3.0, None) == (3.0, 3.0)
    assert stats.mean_size(0.0, 0, 0.0, None) is None


def sizes(values, se=0.0):
    return [stats.MeanSize(value, se) for value in values]


def test_exact_importances_have_the_plain_numbers_without_width():
    """With nothing to be unsure of, the intervals are the values: NDCG, Spearman and the mass
    moved.
    """
    ref, live = (0.4, 0.3, 0.15, 0.1, 0.05), (0.2, 0.35, 0.05, 0.3, 0.1)
    found = stats.attribution_shift(sizes(ref), sizes(live), np.random.default_rng(0))
    for shift, value in zip(found, (0.884359785, 0.3, 0.3), strict=True):
        assert shift.value == pytest.approx(value, rel=1e-6)
        assert shift.interval == pytest.approx((shift.value, shift.value), abs=1e-12)


def test_the_same_importances_have_moved_by_nothing():
    """One side against itself: order 1, moved 0, surely."""
    same = sizes((0.2, 0.3, 0.31), 0.1)
    found = stats.attribution_shift(same, list(same), np.random.default_rng(0))
    assert [(shift.value, shift.interval) for shift in found] == [
        (1, (1, 1)),
        (0, (0, 0)),
        (1, (1, 1)),
    ]


def test_noise_alone_is_within_the_intervals():
    """Over 100 samples of unchanged importances the intervals hold 1 for both orders, and 0 for the
    mass moved.
    """
    true, se, held = np.array([3.0, 2.0, 1.9, 1.0, 0.2]), 0.15, [0, 0, 0]
    for seed in range(100):
        rng = np.random.default_rng(seed)
        sides = [sizes(np.abs(true + se * rng.standard_normal(5)), se) for _ in range(2)]
        found = stats.attribution_shift(*sides, rng)
        for place, value in enumerate((1.0, 0.0, 1.0)):
            low, high = found[place].interval
            held[place] += low <= value + 1e-9 and value - 1e-9 <= high
    assert min(held) >= 90


def test_a_swap_at_the_top_is_surely_below_the_usual_bound():
    """The leading features change places: NDCG's whole interval is below 0.9."""
    was, now = sizes((9.0, 1.0, 0.5), 0.05), sizes((0.5, 1.0, 9.0), 0.05)
    found = stats.attribution_shift(was, now, np.random.default_rng(0))
    assert found.ndcg.interval[1] < 0.9
    assert found.mass.interval[0] > 0.7
    assert found.spearman.value == -1


@pytest.mark.parametrize(
    ("ref", "cur"), [((), ()), ((1.0,), (2.0,)), ((0.0, 0.0), (1.0, 2.0)), ((1.0, 2.0), (0.0, 0.0))]
)
def test_without_importances_nothing_has_moved(ref, cur):
    """No feature, one feature, or a side without any importance."""
    assert stats.attribution_shift(sizes(ref), sizes(cur), np.random.default_rng(0)) is None


def test_equal_importances_have_no_order_to_correlate():
    """All equal on a side: Spearman has no value, the others have."""
    found = stats.attribution_shift(sizes((1.0, 1.0)), sizes((1.0, 2.0)), np.random.default_rng(0))
    assert found.spearman.value is None
    assert found.mass.value == pytest.approx(1 / 6)


def test_rank_correlation_is_scipys_and_its_interval_holds_the_truth():
    """Spearman's, ties and missing values left out; over 100 samples the interval holds the true
    one of normal pairs.
    """
    rng = np.random.default_rng(0)
    a, b = rng.poisson(3, 60).astype(float), rng.poisson(3, 60).astype(float)
    expected = ss.spearmanr(a[2:], b[2:]).statistic
    a[0], b[1] = np.nan, np.inf
    found = stats.rank_correlation([None, *a[1:]], b)
    assert found.value == pytest.approx(expected)
    assert found.n == 58
    true, held = 6 / np.pi * np.arcsin(0.7 / 2), 0
    for seed in range(100):
        x, y = np.random.default_rng(seed).multivariate_normal([0, 0], [[1, 0.7], [0.7, 1]], 60).T
        low, high = stats.rank_correlation(x, y).interval
        held += low <= true <= high
    assert held >= 88


@pytest.mark.parametrize(
    ("a", "b", "value"),
    [
        ([], [], None),
        ([1], [1], None),
        ([1, 1, 1], [1, 2, 3], None),
        ([None, 1], [1, None], None),
        ([1, 2], [3, 4], 1),
    ],
)
def test_rank_correlation_of_little(a, b, value):
    """No pair, one pair, a constant side: none; two pairs: a value without interval."""
    found = stats.rank_correlation(a, b)
    assert (found.value, found.interval) == (value, None)
    assert found.reason or value is not None


def test_perfect_order_has_an_interval_below_1():
    """A correlation of 1 in few rows is not known to be 1."""
    low, high = stats.rank_correlation(range(12), range(12)).interval
    assert 0.9 < low < high <= 1

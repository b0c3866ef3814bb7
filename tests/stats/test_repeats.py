"""How many rows repeat another one, and how many distinct values there are: exact, and from a
sample of hashes.
"""

import numpy as np
import pytest
import scipy.stats as ss

from driftline import stats


def sampled(counts, bound, rng):
    """What is known of values that occur so often, when only `bound` of them are kept."""
    hashes = rng.random(len(counts))
    order = np.argsort(hashes)[:bound]
    extra = counts[order] - 1
    reach = float(hashes[order[-1]]) if len(counts) > bound else 1.0
    return stats.Repeats(
        int(counts.sum()),
        len(order),
        int((extra > 0).sum()),
        int(extra.sum()),
        int((extra**2).sum()),
        reach,
    )


def test_exact_counts_are_exact():
    """4 of 10 rows repeat another: the rate has the interval of Clopper and Pearson, distinct none
    to speak of.
    """
    seen = sampled(np.array([3, 2, 2, 1, 1, 1]), 100, np.random.default_rng(0))
    rate, distinct = stats.repeat_rate(seen), stats.distinct(seen)
    exact = ss.binomtest(4, 10).proportion_ci(0.95, "exact")
    assert rate.value == 0.4
    assert rate.interval == pytest.approx((exact.low, exact.high), rel=1e-9)
    assert (distinct.value, distinct.interval) == (6, (6, 6))


def test_no_rows_give_no_value():
    """A rate of nothing is None, with the reason."""
    nothing = stats.Repeats(0, 0, 0, 0, 0)
    assert stats.repeat_rate(nothing).value is stats.distinct(nothing).value is None
    assert stats.repeat_rate(nothing).reason


@pytest.mark.parametrize(
    "law",
    [
        lambda rng: np.ones(20_000, int),
        lambda rng: np.where(rng.random(20_000) < 0.003, 2, 1),
        lambda rng: rng.poisson(1.0, 20_000) + 1,
        lambda rng: rng.geometric(0.2, 20_000),
    ],
    ids=["unique", "retries", "poisson", "geometric"],
)
def test_intervals_from_a_sample_hold_the_truth(law):
    """In 200 windows each interval holds the true value at least 92% of the time, and estimates are
    right on average.
    """
    rng = np.random.default_rng(5)
    held, counted, ratios = 0, 0, []
    for _ in range(200):
        counts = law(rng)
        seen = sampled(counts, 1000, rng)
        rate, distinct = stats.repeat_rate(seen), stats.distinct(seen)
        truth = 1 - len(counts) / counts.sum()
        held += rate.interval[0] <= truth <= rate.interval[1]
        counted += distinct.interval[0] <= min(len(counts), counts.sum()) <= distinct.interval[1]
        ratios.append((rate.value - truth, distinct.value / len(counts)))
    assert held >= 184
    assert counted >= 184
    errors, sizes = np.array(ratios).T
    assert abs(errors.mean()) < 0.005
    assert abs(sizes.mean() - 1) < 0.02


def test_one_value_with_very_many_rows_is_proven_by_what_is_distinct():
    """It escapes the sample, and yet the rate holds it: there are fewer distinct values than rows
    allow.
    """
    rng = np.random.default_rng(1)
    counts = np.ones(50_000, int)
    counts[7] = 50_000
    caught = 0
    for _ in range(20):
        rate = stats.repeat_rate(sampled(counts, 1000, rng))
        caught += rate.interval[0] <= 0.5 <= rate.interval[1] and rate.value > 0.3
    assert caught >= 18

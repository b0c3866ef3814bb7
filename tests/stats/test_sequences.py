"""Confidence sequences and betting: against loops written from their definitions, and by how often
they fail at any time.
"""

import math

import numpy as np
import pytest
import scipy.stats as ss

from driftline import stats

pytestmark = pytest.mark.system


def test_capital_is_what_a_gambler_has():
    """Bet by bet, with stakes that change: the product of wins and losses; Hoeffding's is never the
    larger for small bets.
    """
    rng = np.random.default_rng(1)
    x, bets = rng.random(30), rng.random(30)
    wealth, path = 1.0, []
    for value, bet in zip(x, bets, strict=True):
        wealth *= 1 + bet * (value - 0.4)
        path.append(wealth)
    assert stats.betting_capital(x, 0.4, bets) == pytest.approx(path)
    logs = [bet * (value - 0.4) - bet**2 / 8 for value, bet in zip(x, bets, strict=True)]
    assert stats.hoeffding_capital(x, 0.4, bets) == pytest.approx(np.exp(np.cumsum(logs)))
    assert np.isfinite(stats.hoeffding_capital([1.0] * 9, 0.0, 500.0)).all()


def test_the_plug_in_bets_look_back_only():
    """The i-th bet is made of the first i-1 values, as a loop makes it; a later value changes no
    earlier bet.
    """
    x = np.random.default_rng(2).beta(2, 5, 200)
    bets = stats.plug_in_bets(x, alpha=0.05, most=0.9)
    mean, squares, total = 0.5, 0.25, 0.5
    for i, value in enumerate(x, start=1):
        variance = squares / i
        assert bets[i - 1] == pytest.approx(
            min(0.9, math.sqrt(2 * math.log(40) / (variance * i * math.log(1 + i))))
        )
        total += value
        mean = total / (i + 1)
        squares += (value - mean) ** 2
    changed = x.copy()
    changed[100:] = 0
    assert np.array_equal(stats.plug_in_bets(changed, most=0.9)[:101], bets[:101])


def coverage_at_all_times(interval, draw, mean, runs=300, steps=400):
    held = 0
    for seed in range(runs):
        x = draw(np.random.default_rng(seed), steps)
        held += all(
            abs(interval(x[:t]).centre - mean) <= interval(x[:t]).half for t in range(5, steps, 13)
        )
    return held / runs


def test_empirical_bernstein_holds_at_every_look():
    """Looked at again and again, the interval holds the mean in 95% of the runs or more."""
    assert (
        coverage_at_all_times(
            stats.empirical_bernstein, lambda rng, n: rng.beta(2, 6, n), 0.25, runs=100
        )
        >= 0.95
    )


def test_the_asymptotic_sequence_holds_at_every_look():
    """From 100 values on, means of unit normal values stay within it in 95% of the runs; `best_at`
    is where it is best.
    """
    rng = np.random.default_rng(3)
    t = np.arange(1, 3_001)
    means = np.cumsum(rng.normal(size=(800, 3_000)), axis=1) / t
    half = np.array([stats.asymptotic_half(n) for n in t])
    outside = (np.abs(means) > half)[:, 99:].any(axis=1)
    assert outside.mean() <= 0.06
    assert half[999] / (1.96 / math.sqrt(1_000)) < 1.6
    assert stats.asymptotic_half(100, sd=3) == pytest.approx(3 * stats.asymptotic_half(100))
    widths = [
        stats.asymptotic_half(1_000, best_at=best) for best in (500, 900, 1_000, 1_100, 2_000)
    ]
    assert min(widths) == pytest.approx(widths[2], rel=1e-3)


def test_distances_of_distributions_stay_within_their_bounds():
    """Uniform values lie within DKW's bound at one time in 95% of the runs, and within the
    sequence's at every look.
    """
    rng = np.random.default_rng(4)
    once, ever = 0, 0
    for _ in range(300):
        x = rng.random(2_000)
        distances = {n: ss.ks_1samp(x[:n], ss.uniform.cdf).statistic for n in (50, 200, 700, 2_000)}
        once += distances[700] <= stats.dkw_half(700)
        ever += all(distance <= stats.cdf_half(n) for n, distance in distances.items())
    assert once / 300 >= 0.93
    assert ever / 300 >= 0.95
    assert stats.dkw_half(500) == pytest.approx(math.sqrt(math.log(40) / 1_000))


def test_before_the_first_value_there_is_nothing():
    """No values have no interval and no bets."""
    assert (
        stats.empirical_bernstein([])
        is stats.asymptotic_half(0)
        is stats.cdf_half(0)
        is stats.dkw_half(0)
        is None
    )
    assert len(stats.plug_in_bets([])) == len(stats.betting_capital([], 0.5, 0.5)) == 0
    assert stats.cdf_half(1) > 1

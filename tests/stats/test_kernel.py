"""The maximum mean discrepancy with how sure it is."""

import math

import numpy as np
import pytest

from driftline import stats


def kernel(a, b, variance):
    return math.exp(-sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) / (2 * variance))


def test_the_definition_gives_the_same_numbers():
    """Sums over pairs, written out, give the unbiased and the biased MMD², and an offset costs no
    digits.
    """
    rng = np.random.default_rng(0)
    ref, cur, variance = rng.normal(size=(7, 3)), rng.normal(1, 1, (5, 3)), 1.7
    pairs = {
        side: [
            kernel(a, b, variance)
            for i, a in enumerate(x)
            for j, b in enumerate(y)
            if x is not y or i != j
        ]
        for side, (x, y) in {"xx": (ref, ref), "yy": (cur, cur), "xy": (ref, cur)}.items()
    }
    unbiased = np.mean(pairs["xx"]) + np.mean(pairs["yy"]) - 2 * np.mean(pairs["xy"])
    biased = (sum(pairs["xx"]) + 7) / 49 + (sum(pairs["yy"]) + 5) / 25 - 2 * np.mean(pairs["xy"])
    for offset in (0.0, 1e6):
        found = stats.discrepancy(ref + offset, cur + offset, variance)
        assert (found.unbiased, found.biased) == pytest.approx(
            (unbiased, biased), abs=1e-8 if offset else 1e-12
        )
        assert stats.mmd2(ref + offset, cur + offset, variance) == (found.unbiased, found.biased)


def test_the_interval_holds_the_true_discrepancy():
    """Of normal samples the true MMD² is known in closed form, and at least 90 of 100 intervals
    hold it, moved or not.
    """
    variance = 1.5
    for shift in (0.0, 0.7):
        true = (
            2
            * math.sqrt(variance / (variance + 2))
            * -math.expm1(-(shift**2) / (2 * (variance + 2)))
        )
        held = 0
        for seed in range(100):
            rng = np.random.default_rng(seed)
            low, high = stats.discrepancy(
                rng.normal(size=80), rng.normal(shift, 1, 80), variance
            ).interval
            held += low <= true <= high
        assert held >= 90


def test_permutation_is_uniform_when_nothing_changed_and_never_0():
    """Over 100 null samples p falls below 5% about 5 times; far samples have 1/(B+1), and the same
    generator gives the same.
    """
    low = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        p = stats.discrepancy(
            rng.normal(size=(25, 2)), rng.normal(size=(40, 2)), 1.0, 199, rng
        ).p_value
        low += p <= 0.05
        assert p * 200 == pytest.approx(round(p * 200))
    assert 1 <= low <= 12
    far = [
        stats.discrepancy(np.zeros(20), np.ones(20), 1.0, 199, np.random.default_rng(1))
        for _ in range(2)
    ]
    assert far[0] == far[1]
    assert far[0].p_value == 1 / 200


def test_a_deal_counts_as_the_definition_does():
    """A permuted deal is the MMD² of the rows so dealt: p counts those at least as large."""
    rows = np.random.default_rng(2).normal(size=13)
    observed = stats.mmd2(rows[:6], rows[6:], 0.8)[0]
    rng, dealt = np.random.default_rng(3), []
    for _ in range(199):
        first = np.isin(np.arange(13), rng.permutation(13)[:6])
        dealt.append(stats.mmd2(rows[first], rows[~first], 0.8)[0])
    p = (sum(value >= observed - 1e-12 for value in dealt) + 1) / 200
    assert stats.discrepancy(rows[:6], rows[6:], 0.8, 199, np.random.default_rng(3)).p_value == p


def test_the_kernel_follows_the_reference():
    """Half the median squared distance; half the mean one where most rows are alike; none where all
    are, or below two rows.
    """
    assert stats.kernel_variance([0.0, 1.0, 3.0]) == 4 / 2
    assert stats.kernel_variance([0.0] * 9 + [1.0]) == pytest.approx(0.09)
    for rows in ([], [1.0], [2.0] * 5):
        assert stats.kernel_variance(rows) is None

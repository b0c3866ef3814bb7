"""Distances of profiles against scipy on the raw values, and against the definitions written out
cell by cell.
"""

import math

import numpy as np
import pytest
import scipy.stats as ss
from hypothesis import given, settings
from hypothesis import strategies as st
from test_second_opinion import draw, quantile_edges, seeds, shapes, side

from driftline import stats

pytestmark = pytest.mark.system


def two_sides(seed, shape, shift, n=12_000, m=3_000):
    rng = np.random.default_rng(seed)
    x, y = draw(rng, shape, n), draw(rng, shape, m, shift)
    edges = quantile_edges(x)
    return x, y, side(edges, x), side(edges, y)


def line_square(start, end):
    return (start * start + start * end + end * end) / 3


def line_size(start, end):
    if start * end >= 0:
        return (abs(start) + abs(end)) / 2
    return (start**2 + end**2) / (2 * (abs(start) + abs(end)))


@settings(max_examples=20, deadline=None)
@given(seeds, shapes, st.sampled_from([0.0, 0.2, 3.0]))
def test_distances_on_the_grid_are_their_definitions_cell_by_cell(seed, shape, shift):
    """KS, W1, energy and Cramér-von Mises between the edges are, to 1e-12, sums over cells of F - G
    as a line in each.
    """
    _, _, a, b = two_sides(seed, shape, shift, 900, 300)
    edges, rows, rows_now = a.edges, 0, 0
    largest = width = square = pooled = 0.0
    for cell, (before, now) in enumerate(zip(a.counts.tolist(), b.counts.tolist(), strict=True)):
        start = rows / 900 - rows_now / 300
        rows, rows_now = rows + before, rows_now + now
        end = rows / 900 - rows_now / 300
        largest = max(largest, abs(end))
        inside = cell % 2 == 0
        if inside and 0 < cell < 2 * len(edges):
            wide = edges[cell // 2] - edges[cell // 2 - 1]
            width += wide * line_size(start, end)
            square += wide * line_square(start, end)
        pooled += (before + now) * (line_square(start, end) if inside else ((start + end) / 2) ** 2)
    assert stats.grid_ks(a, b)[0] == pytest.approx(largest, abs=1e-12)
    assert stats.grid_cramer_von_mises(a, b) == pytest.approx(
        900 * 300 / 1_200**2 * pooled, rel=1e-12, abs=1e-12
    )
    if not b.counts[0] and not b.counts[-1]:
        assert stats.grid_wasserstein(a, b) == pytest.approx(width, rel=1e-12, abs=1e-12)
        assert stats.grid_energy(a, b) == pytest.approx(math.sqrt(2 * square), rel=1e-12, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(
    seeds, st.sampled_from(["normal", "lognormal", "mostly_zero"]), st.sampled_from([0.0, 0.2, 1.0])
)
def test_energy_from_the_grid_is_near_scipys(seed, shape, shift):
    """The energy distance is scipy's within 3%."""
    x, y, a, b = two_sides(seed, shape, shift)
    exact = ss.energy_distance(x, y)
    assert stats.grid_energy(a, b) == pytest.approx(exact, rel=0.03, abs=1e-3 * math.sqrt(x.std()))


@pytest.mark.parametrize(
    ("scale", "shift", "error"),
    [(1, 4, 0.01), (1, 40, 0.03), (-1, -40, 0.03), (999, 0, 0.3), (31, 90, 0.3)],
)
def test_energy_beyond_the_grid(scale, shift, error):
    """Rows beyond the reference count with their mean distance and their extreme."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(0, 1, 12_000), scale * rng.normal(0, 1, 3_000) + shift
    edges = quantile_edges(x)
    assert stats.grid_energy(side(edges, x), side(edges, y)) == pytest.approx(
        ss.energy_distance(x, y), rel=error
    )


@settings(max_examples=20, deadline=None)
@given(seeds, st.sampled_from(["normal", "lognormal", "cauchy"]), st.sampled_from([0.0, 0.1, 1.0]))
def test_cramer_von_mises_from_the_grid_is_scipys_without_ties(seed, shape, shift):
    """T is scipy's within 0.1% and a thousandth, and so is its p-value."""
    x, y, a, b = two_sides(seed, shape, shift)
    theirs = ss.cramervonmises_2samp(x, y, method="asymptotic")
    got = stats.cramer_von_mises_shift(a, b)
    assert got.value == pytest.approx(theirs.statistic, rel=1e-3, abs=2e-3)
    assert got.p_value == pytest.approx(theirs.pvalue, rel=0.02, abs=1e-4)


def test_cramer_von_mises_has_no_p_value_of_ties_alone():
    """Two samples of different sizes with one value, or the same few, have T 0 and p 1, where
    midranks give much more.
    """
    edges = np.array([1.0, 2.0])
    one, other = (
        stats.Side(
            edges=edges,
            counts=np.array([0, 2 * n, 0, n, 0]),
            minimum=1,
            maximum=2,
            mean=4 / 3,
            variance=0.2,
        )
        for n in (1_000, 30)
    )
    assert stats.cramer_von_mises_shift(one, other)[:3] == (
        pytest.approx(0, abs=1e-12),
        None,
        pytest.approx(1),
    )


@pytest.mark.parametrize(
    ("shift", "truth"),
    [
        (stats.energy_shift, math.sqrt(2 * 0.0112833)),
        (stats.wasserstein_shift, 0.2),
        (stats.ks_shift, 2 * ss.norm.cdf(0.1) - 1),
    ],
)
def test_the_interval_of_a_distance_holds_the_true_one(shift, truth):
    """Of 200 windows, 0.2 sd off, at least 190 have the distance of the two laws themselves
    within.
    """
    if shift is stats.energy_shift:
        x = np.linspace(-9, 9, 20_001)
        truth = math.sqrt(2 * float(np.trapezoid((ss.norm.cdf(x) - ss.norm.cdf(x - 0.2)) ** 2, x)))
    rng, held = np.random.default_rng(8), 0
    for _ in range(200):
        x, y = rng.normal(0, 1, 2_000), rng.normal(0.2, 1, 500)
        edges = quantile_edges(x)
        low, high = shift(side(edges, x), side(edges, y)).interval
        held += low <= truth <= high
    assert held >= 190


@pytest.mark.parametrize(
    ("law", "least"),
    [
        (ss.norm(), 0.93),
        *(
            pytest.param(law, least, marks=pytest.mark.slow)
            for law, least in ((ss.laplace(), 0.9), (ss.uniform(), 0.93), (ss.expon(), 0.86))
        ),
    ],
)
def test_the_interval_of_a_spread_holds_the_truth(law, least):
    """Twice the spread is held in at least so many of 400 windows: heavy tails hide part of their
    own error.
    """
    rng, held = np.random.default_rng(9), 0
    for _ in range(400):
        x, y = law.rvs(2_000, random_state=rng), 2 * law.rvs(300, random_state=rng)
        edges = quantile_edges(x)
        low, high = stats.spread_shift(side(edges, x), side(edges, y)).interval
        held += low <= math.log(2) <= high
    assert held / 400 >= least


@settings(max_examples=15, deadline=None)
@given(seeds, st.sampled_from(["normal", "integers", "mostly_zero"]))
def test_the_kurtosis_of_the_grid_is_scipys_or_more(seed, shape):
    """It is hardly below that of the values, and above it by what the outermost cells and rows
    beyond the edges leave open.
    """
    x, y, a, b = two_sides(seed, shape, 0.1)
    for grid, values in ((a, x), (b, y)):
        assert 0.85 <= grid.kurtosis / ss.kurtosis(values, fisher=False) <= 3


@pytest.mark.parametrize("moved", [0.0, 0.04, 0.15])
def test_the_interval_of_hellinger_and_total_variation_holds_the_truth(moved):
    """In at least 93 of 100 windows the interval holds the distance of the two laws themselves."""
    p = np.array([0.4, 0.3, 0.2, 0.1])
    q = p + moved * np.array([1, -1, 1, -1]) / 2
    truths = (
        math.sqrt(float(np.sum((np.sqrt(p) - np.sqrt(q)) ** 2)) / 2),
        float(np.abs(p - q).sum()) / 2,
    )
    rng, held = np.random.default_rng(3), np.zeros(2)
    for _ in range(300):
        ref, cur = rng.multinomial(5_000, p), rng.multinomial(900, q)
        for place, shift in enumerate((stats.hellinger_shift(ref, cur), stats.tvd_shift(ref, cur))):
            held[place] += shift.interval[0] <= truths[place] <= shift.interval[1]
            assert shift.interval[0] <= shift.value <= shift.interval[1]
    assert np.all(held >= 0.93 * 300)


def test_hellinger_is_debiased_and_total_variation_is_plain():
    """Hellinger's `raw` and total variation's value are the plain distances; identical counts have
    Hellinger 0 to 0.
    """
    ref, cur = [50, 30, 20], [40, 35, 25]
    assert stats.hellinger_shift(ref, cur).raw == pytest.approx(0.07171172728)
    assert stats.hellinger_shift(ref, cur).value < 0.07
    assert stats.tvd_shift(ref, cur).value == pytest.approx(0.1)
    assert stats.hellinger_shift(ref, ref)[:2] == (0, (0, 0))
    assert stats.hellinger_shift([5, 0], [0, 0]).value is None
    assert stats.tvd_shift([5, 0], [0, 0]).value is None


@pytest.mark.parametrize("rows", [20, 100, 1_000])
def test_categories_are_gone_by_chance_as_often_as_expected(rows):
    """Without a change the share beyond chance is 0 on average before it is cut there, and proven
    gone in at most 2.5%.
    """
    rng = np.random.default_rng(4)
    p = 1 / np.arange(1, 60)
    p /= p.sum()
    proven, beyond, draws = 0, [], 2_000
    for _ in range(draws):
        ref = rng.multinomial(2_000, p)
        cur = rng.multinomial(rows, p)
        found = stats.gone_shift(ref, cur, 2_000, rows)
        assert found.interval[0] <= found.value <= found.interval[1]
        proven += found.interval[0] > 0
        chance = (2_000 / (2_000 + rows)) ** ref
        beyond.append(found.raw - float(np.sum(ref * chance)) / 2_000)
    assert proven / draws <= 0.03
    assert abs(np.mean(beyond)) <= 0.01


def test_a_large_category_that_is_gone_is_proven_and_a_rare_one_is_not():
    """A fifth of the rows gone from 100 is beyond chance; one row in a thousand may be gone by
    chance.
    """
    large = stats.gone_shift([800, 200], [100, 0], 1_000, 100)
    assert large.value == pytest.approx(0.2, abs=1e-6)
    assert large.interval[0] > 0.17
    rare = stats.gone_shift([999, 1], [100, 0], 1_000, 100)
    assert rare.interval[0] == 0
    assert rare.value < 2e-4
    assert rare.raw == 0.001
    assert stats.gone_shift([1], [0], 1, 0).value is None
    assert stats.gone_shift([], [], 0, 10).value is None

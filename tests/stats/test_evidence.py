"""Evidence over windows: against integrals, against leaving values out one by one, and by
simulation.
"""

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from driftline.stats.sequential.evidence import (
    LARGEST,
    calibrate,
    cusum_path,
    shiryaev_roberts,
    studentise,
    tail_p,
)

VALUES = st.lists(st.floats(-1e3, 1e3), min_size=4, max_size=30)


@pytest.mark.parametrize("p", [1e-6, 0.003, 0.2, 0.6, 0.9, 0.9985, 0.9995, 0.999999])
def test_an_e_value_is_the_average_of_the_power_calibrators(p):
    """It is the integral of k p^(k-1) over k, also where its formula is 0/0."""
    assert calibrate(p) == pytest.approx(
        quad(lambda k: k * p ** (k - 1), 0, 1, epsabs=1e-12, limit=200)[0], rel=1e-7
    )


def test_e_values_average_one_over_uniform_p_values():
    """Their integral over p is 1; they fall as p rises; 0 and 1 have their limits."""
    # With p = exp(-x): the integral of e(p) p dx.
    mass = quad(lambda x: calibrate(math.exp(-x)) * math.exp(-x), 0, 600, limit=2_000)[0]
    assert mass == pytest.approx(1, abs=1 / 600 + 1e-6)
    e = calibrate(
        np.sort(np.concatenate(([0.0], np.logspace(-300, 0, 2_000), 1 - np.logspace(-2, -9, 50))))
    )
    assert np.all(np.diff(e) <= 0)
    assert np.all(np.isfinite(e))
    assert calibrate(1.0) == 0.5


@settings(max_examples=40, deadline=None)
@given(VALUES)
def test_a_studentised_value_is_measured_by_the_others(values):
    """Each is the distance from the mean of the *others*, over what such a distance varies by,
    judged by the others alone.
    """
    y = np.array(values)
    if np.ptp(y) < 1e-3:
        return
    got = studentise(y)
    for place in range(len(y)):
        others = np.delete(y, place)
        spread = others.std(ddof=1) * math.sqrt(1 + 1 / len(others))
        if spread > 1e-3 * np.ptp(y):
            assert got[place] == pytest.approx(
                (y[place] - others.mean()) / spread, rel=1e-6, abs=1e-9
            )


def test_columns_and_gaps_are_independent():
    """A column beside others, and one with windows missing, gives what it gives alone; a gap stays
    a gap.
    """
    rng = np.random.default_rng(1)
    table = rng.normal(size=(20, 3))
    table[[2, 7], 1] = np.nan
    got = studentise(table)
    assert got[:, 0] == pytest.approx(studentise(table[:, 0]))
    known = ~np.isnan(table[:, 1])
    assert got[known, 1] == pytest.approx(studentise(table[known, 1]))
    assert np.all(np.isnan(got[~known, 1]))
    t = rng.normal(size=(6, 3)) * 4
    p = tail_p(got, t)
    assert p.shape == (6, 3)
    for column in range(3):
        assert p[:, column] == pytest.approx(tail_p(got[:, column], t[:, column]))
        assert p[2, column] == pytest.approx(
            tail_p(got[known, column] if column == 1 else got[:, column], t[2, column])
        )


@pytest.mark.parametrize(
    "values",
    [[], [3.0], [1.0, 2.0], [0.1] * 9, [1e8 + 0.1] * 7, [math.nan] * 4, [0.0, math.nan, 5.0]],
)
def test_a_baseline_without_spread_says_nothing(values):
    """Constant, short and empty baselines have scores of 0, and raise no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = studentise(values)
    assert np.all((got == 0) | np.isnan(values))


def test_one_value_apart_has_a_finite_score():
    """Where all other values are the same the score is large, and a number."""
    assert 1e5 < studentise([0.0] * 9 + [1.0])[-1] < 1e8
    assert np.all(np.isfinite(studentise([1e150, -1e150, 0.0, 1e150])))


def test_the_tail_falls_steadily_from_rank_to_pareto():
    """P falls as t rises, from near 1 far below to 0 far above; beyond the largest score it falls
    with the fourth power.
    """
    scores = studentise(np.random.default_rng(2).normal(size=40))
    top = scores.max()
    t = np.concatenate(
        ([-np.inf], np.linspace(-4, top - 1e-9, 200), top * np.array([1.001, 2, 20, 1e6]), [np.inf])
    )
    p = tail_p(scores, t)
    assert np.all(np.diff(p) <= 0)
    assert p[0] == pytest.approx(40.5 / 41)
    assert p[-1] == 0
    assert tail_p(scores, 2 * top) == pytest.approx(1 / 16 / 41)
    assert tail_p(scores, 2 * top, index=1) == pytest.approx(1 / 2 / 41)
    assert tail_p(scores, math.nan) != tail_p(scores, math.nan)
    assert tail_p([], 3.0) == 1


@pytest.mark.parametrize("zeros", [60, 59, 50, 20])
def test_a_column_that_is_often_the_same_gives_no_evidence_by_being_it_again(zeros):
    """A value that the baseline holds many times over counts half for each: 0 again in a column of
    zeros is no news.
    """
    baseline = np.concatenate((np.zeros(zeros), np.arange(1, 61 - zeros)))
    mean, sd = baseline.mean(), baseline.std(ddof=1)
    t = (0 - mean) / (sd * math.sqrt(1 + 1 / 60)) if sd else 0.0
    p = tail_p(studentise(baseline), t)
    assert p == pytest.approx((60 - zeros + (zeros + 1) / 2) / 61)
    assert calibrate(tail_p(-studentise(baseline), -t)) < 2


def test_the_paths_are_their_recurrences():
    """R <- (1 + R) e and R <- max(1, R) e, from any start, stream by stream; a missing window
    leaves the total.
    """
    e = np.array([[0.5, 3.0], [4.0, np.nan], [2.0, 0.1]])
    assert shiryaev_roberts(e, start=[1.0, 0.0]).tolist() == [
        [1.0, 3.0],
        [8.0, 3.0],
        [18.0, pytest.approx(0.4)],
    ]
    assert cusum_path(e).tolist() == [[0.5, 3.0], [4.0, 3.0], [8.0, pytest.approx(0.3)]]
    halves = shiryaev_roberts(e[2:], start=shiryaev_roberts(e[:2])[-1])
    assert np.array_equal(halves, shiryaev_roberts(e)[2:])
    assert shiryaev_roberts([1e300] * 5)[-1] == LARGEST
    assert shiryaev_roberts(np.empty((0, 3))).shape == (0, 3)


def test_false_alarms_are_as_rare_as_promised():
    """With e-values of uniform p-values the threshold A is reached at most once in A windows, on
    average.
    """
    p = np.random.default_rng(3).random((3_000, 200))
    for path in (shiryaev_roberts(calibrate(p)), cusum_path(calibrate(p))):
        first = np.where((path >= 100).any(axis=0), (path >= 100).argmax(axis=0) + 1, len(p))
        assert first.mean() > 100

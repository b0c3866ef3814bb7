"""Distances of clouds of vectors, each against a second derivation and against its own promise."""

import math

import numpy as np
import pytest
import scipy.stats

from driftline import stats

pytestmark = pytest.mark.system


def draw(seed, n, d=8, shift=0.0):
    """Correlated rows, the mean moved along the first axis."""
    mixing = np.random.default_rng(99).normal(size=(d, d)) * np.exp(-np.arange(d) / 4)[:, None]
    rows = np.random.default_rng(seed).normal(size=(n, d))
    rows[:, 0] += shift
    return rows @ mixing


def ledoit_wolf_plainly(rows):
    """Ledoit and Wolf's own steps, row by row."""
    n, d = rows.shape
    x = rows - rows.mean(axis=0)
    s = sum(np.outer(row, row) for row in x) / n

    def squared(matrix):
        return float(np.trace(matrix @ matrix.T)) / d

    m = float(np.trace(s)) / d
    d2 = squared(s - m * np.eye(d))
    b2 = min(sum(squared(np.outer(row, row) - s) for row in x) / n**2, d2)
    return b2 / d2 * m * np.eye(d) + (d2 - b2) / d2 * s, b2 / d2


@pytest.mark.parametrize(("n", "d"), [(40, 3), (30, 20), (12, 30)])
def test_the_shrunk_covariance_is_ledoit_and_wolfs(n, d):
    """Matrix and share are those of the paper's steps, also with more dimensions than rows; it can
    be inverted.
    """
    rows = draw(5, n, d)
    found = stats.shrunk_covariance(rows)
    matrix, share = ledoit_wolf_plainly(rows)
    assert np.allclose(found.matrix, matrix)
    assert found.share == pytest.approx(share)
    assert np.linalg.eigvalsh(found.matrix)[0] > 0


def test_the_mean_shift_is_mahalanobis_distance():
    """Of large samples it is the distance of the means by the true covariance; the plain number is
    that of the matrix.
    """
    found = stats.mahalanobis_shift(draw(1, 20_000), draw(2, 20_000, shift=1.5))
    assert found.value == pytest.approx(1.5, abs=0.05)
    ref, cur = draw(1, 60), draw(2, 50, shift=1.5)
    way = cur.mean(axis=0) - ref.mean(axis=0)
    inverse = np.linalg.inv(stats.shrunk_covariance(ref).matrix)
    assert stats.mahalanobis_shift(ref, cur).raw == pytest.approx(
        math.sqrt(way @ inverse @ way), rel=0.1
    )


def test_one_dimension_is_a_difference_in_standard_deviations():
    """Of single numbers the shift is their difference over the sd of the reference, with the
    p-value of a z-test.
    """
    ref, cur = (
        np.random.default_rng(0).normal(3, 2, 4_000),
        np.random.default_rng(1).normal(3.5, 2, 3_000),
    )
    found = stats.mahalanobis_shift(ref, cur)
    z = (cur.mean() - ref.mean()) / math.sqrt(ref.var() / 4_000 + cur.var() / 3_000)
    assert found.raw == pytest.approx((cur.mean() - ref.mean()) / ref.std(), rel=1e-3)
    assert found.p_value == pytest.approx(2 * scipy.stats.norm.sf(abs(z)), rel=0.05)
    assert found.interval[0] < 0.25 < found.interval[1]


DISTANCES = {
    "mahalanobis": stats.mahalanobis_shift,
    "cosine": lambda ref, cur: stats.cosine_shift(ref + 3, cur + 3),
    "fourier": lambda ref, cur: stats.fourier_shift(ref, cur, 8.0, np.random.default_rng(4)),
}


@pytest.mark.parametrize("distance", DISTANCES.values(), ids=DISTANCES)
@pytest.mark.parametrize(
    ("n", "m", "d"), [pytest.param(200, 200, 8, marks=pytest.mark.slow), (200, 50, 40)]
)
def test_without_a_change_the_p_value_is_uniform(distance, n, m, d):
    """Of 120 pairs of samples of one law about 5% have p below 0.05, the interval holds 0, and p is
    0.5 on average.
    """
    found = [distance(draw(2 * seed, n, d), draw(2 * seed + 1, m, d)) for seed in range(120)]
    ps = np.array([one.p_value for one in found])
    assert np.mean(ps < 0.05) <= 0.11
    assert np.mean(ps < 0.01) <= 0.04
    assert abs(np.mean(ps) - 0.5) < 0.1
    assert np.mean([one.interval[0] == 0 for one in found]) >= 0.92
    assert all(one.interval[0] <= one.value <= one.interval[1] for one in found)


@pytest.mark.parametrize("distance", DISTANCES.values(), ids=DISTANCES)
@pytest.mark.parametrize("shift", [0.4, pytest.param(1.5, marks=pytest.mark.slow)])
def test_the_interval_holds_the_true_distance(distance, shift):
    """The distance between 20,000 rows a side lies in the interval of 200 a side in at least 70 of
    80 draws.
    """
    true = distance(draw(10**6, 20_000), draw(10**6 + 1, 20_000, shift=shift)).value
    found = [
        distance(draw(2 * seed, 200), draw(2 * seed + 1, 200, shift=shift)) for seed in range(80)
    ]
    assert sum(one.interval[0] <= true <= one.interval[1] for one in found) >= 70
    assert np.mean([one.value for one in found]) == pytest.approx(true, rel=0.15)


def test_the_cosine_is_that_of_the_centroids():
    """The plain number is the cosine distance of the means; without a common direction there is
    none.
    """
    ref, cur = draw(1, 200) + 3, draw(2, 150, shift=1.0) + 3
    assert stats.cosine_shift(ref, cur).raw == pytest.approx(
        stats.centroid_distances(ref, cur).cosine
    )
    assert stats.cosine_shift(draw(1, 200), draw(2, 200)) == stats.Shift(None)
    assert stats.cosine_shift(ref, -ref).raw == pytest.approx(2)


def test_the_features_stand_for_the_kernel():
    """Averaged over their draws the plain number is the biased squared MMD of the kernel itself."""
    ref, cur = draw(1, 80), draw(2, 70, shift=1.0)
    raws = [
        stats.fourier_shift(ref, cur, 8.0, np.random.default_rng(seed)).raw for seed in range(60)
    ]
    _, biased = stats.mmd2(ref, cur, 8.0)
    assert np.mean(raws) == pytest.approx(biased, rel=0.1)
    again = stats.fourier_shift(ref, cur, 8.0, np.random.default_rng(3))
    assert again == stats.fourier_shift(ref, cur, 8.0, np.random.default_rng(3))


def test_the_p_value_is_that_of_permutations():
    """Where rows are dealt to the sides anew, the distance is as often as large as the law says."""
    rng = np.random.default_rng(7)
    for shift in (0.1, 0.35, 0.5):
        ref, cur = draw(1, 150), draw(2, 150, shift=shift)
        pooled = np.concatenate((ref, cur))
        waves = pooled @ np.random.default_rng(0).normal(size=(8, 128)) / math.sqrt(8)
        kernel = np.cos(waves[:, None] - waves[None]).mean(axis=2)
        signs = np.where(np.arange(300) < 150, 1, -1)
        dealt = np.array([signs, *(rng.permutation(signs) for _ in range(1_000))])
        values = np.einsum("pi,ij,pj->p", dealt, kernel, dealt, optimize=True)
        found = stats.fourier_shift(ref, cur, 8.0, np.random.default_rng(0))
        assert found.p_value == pytest.approx(np.mean(values >= values[0]), abs=0.06)


@pytest.mark.parametrize("distance", DISTANCES.values(), ids=DISTANCES)
def test_degenerate_clouds_have_a_defined_answer(distance):
    """Identical samples are 0 apart; too few rows and rows that don't vary have no value or a
    finite one, never NaN.
    """
    rows, same = draw(3, 50), np.ones((40, 8))
    assert distance(rows, rows)[:3] == (0.0, (0.0, 0.0), 1.0)
    for ref, cur in ((rows[:1], rows), (rows, rows[:1]), (rows[:0], rows), (rows, rows[:0])):
        assert distance(ref, cur) == stats.Shift(None)
    for ref, cur in (
        (same, same),
        (same, 2 * same),
        (same, rows),
        (rows, same),
        (rows[:2], rows[2:4]),
        (rows * 1e9, rows * 1e9 + 1),
    ):
        found = distance(ref, cur)
        numbers = [found.value, found.raw, found.p_value, *(found.interval or ())]
        assert all(number is None or math.isfinite(number) for number in numbers)
    assert stats.mahalanobis_shift(same, rows) == stats.Shift(None)
    assert stats.fourier_shift(rows, rows, 0.0, np.random.default_rng(0)) == stats.Shift(None)
    assert stats.shrunk_covariance(rows[:1]) is None
    assert stats.shrunk_covariance(same).share == 1


def test_clusters_are_found_and_ordered():
    """Four far groups have their means as centres, the largest first; the same seed gives the same
    centres.
    """
    rng = np.random.default_rng(0)
    places = np.array([[0, 0, 0], [20, 0, 0], [0, 20, 0], [0, 0, 20.0]]) + 1e6
    sizes = (50, 120, 30, 80)
    rows = np.concatenate(
        [place + rng.normal(size=(size, 3)) for place, size in zip(places, sizes, strict=True)]
    )
    centres = stats.kmeans(rows[rng.permutation(280)], 4, np.random.default_rng(1))
    assert np.allclose(centres, places[[1, 3, 0, 2]], atol=0.6)
    assert np.array_equal(
        stats.kmeans(rows, 4, np.random.default_rng(1)),
        stats.kmeans(rows, 4, np.random.default_rng(1)),
    )
    nearest, far = stats.assign(rows, centres)
    distances = np.sqrt(((rows[:, None] - centres[None]) ** 2).sum(axis=2))
    assert np.array_equal(nearest, distances.argmin(axis=1))
    assert np.allclose(far, distances.min(axis=1))


def test_clusters_of_few_rows():
    """No rows have no centre; rows all alike have one; fewer distinct rows than clusters have one
    centre each.
    """
    assert stats.kmeans(np.empty((0, 3)), 4, np.random.default_rng(0)).shape == (0, 3)
    assert stats.kmeans(np.ones((9, 3)), 4, np.random.default_rng(0)).tolist() == [[1, 1, 1]]
    two = np.array([[0.0, 0.0], [5.0, 5.0], [5.0, 5.0]])
    assert stats.kmeans(two, 8, np.random.default_rng(0)).tolist() == [[5, 5], [0, 0]]


def test_means_and_quantiles_have_their_intervals():
    """The mean has Student's interval, the quantile one between ranks by the binomial law; what is
    not finite is left out.
    """
    values = np.random.default_rng(0).exponential(size=101)
    found = stats.mean_estimate([*values, float("nan"), float("inf"), None])
    expected = scipy.stats.t.interval(0.95, 100, values.mean(), scipy.stats.sem(values))
    assert (found.value, found.n) == (pytest.approx(values.mean()), 101)
    assert found.interval == pytest.approx(expected)
    for q in (0.5, 0.9):
        tail = stats.quantile_estimate(values, q)
        ranks = scipy.stats.quantile_test(values, q=0, p=q).confidence_interval(0.95)
        assert tail.value == np.quantile(values, q, method="inverted_cdf")
        assert tail.interval == pytest.approx((ranks.low, ranks.high))
    assert stats.quantile_estimate([], 0.5).value is stats.mean_estimate([1.0]).value is None
    assert stats.quantile_estimate([2.0], 0.95)[:3] == (2.0, None, (2.0, 2.0))

"""Second derivations of what has no other: scipy where it has the number, plain definitions over
rows where it hasn't.
"""

import math
import warnings

import numpy as np
import pytest
import scipy.stats as ss
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon

from driftline import stats

seeds = st.integers(0, 10_000)
COUNTS = st.lists(st.integers(0, 30), min_size=3, max_size=6)


@settings(max_examples=20, deadline=None)
@given(seeds, st.integers(4, 40), st.integers(4, 40))
def test_effects_of_raw_samples(seed, n, m):
    """Anderson-Darling and Brown-Forsythe are scipy's; Cohen's d is Student's t without the rows, g
    its bias taken off.
    """
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=n).round(1), rng.normal(0.5, 2, m).round(1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its p-value ends at 0.001 and 0.25
        theirs = ss.anderson_ksamp([x, y]).statistic
    assert stats.anderson_darling(x, y) == pytest.approx(theirs)
    assert stats.brown_forsythe(x, y) == pytest.approx(tuple(ss.levene(x, y, center="median")))
    d = -ss.ttest_ind(x, y).statistic * math.sqrt(1 / n + 1 / m)
    assert stats.cohen_d(x, y) == pytest.approx(d)
    assert stats.hedges_g(x, y) == pytest.approx(d * (1 - 3 / (4 * (n + m) - 9)))


def test_the_squared_discrepancy_is_a_sum_over_pairs():
    """MMD with and without the pairs of a row with itself, counted one by one."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(7, 2)), rng.normal(1, 1, (5, 2))

    def k(a, b):
        return math.exp(-float(np.sum((a - b) ** 2)) / (2 * 1.7))

    def mean(a, b, others_only):
        return np.mean(
            [
                k(p, q)
                for i, p in enumerate(a)
                for j, q in enumerate(b)
                if not (others_only and i == j)
            ]
        )

    cross = 2 * mean(x, y, False)
    expected = (
        mean(x, x, True) + mean(y, y, True) - cross,
        mean(x, x, False) + mean(y, y, False) - cross,
    )
    assert stats.mmd2(x, y, 1.7) == pytest.approx(expected)
    pairs = [float(np.sum((p - q) ** 2)) for i, p in enumerate(x) for q in x[i + 1 :]]
    assert stats.median_squared_distance(x) == pytest.approx(np.median(pairs))


@settings(max_examples=40, deadline=None)
@given(COUNTS, st.data())
def test_distances_on_counts(a, data):
    """Jensen-Shannon, Kullback-Leibler and Cramér's V are scipy's; PSI is the sum of both
    directions of Kullback-Leibler.
    """
    b = data.draw(st.lists(st.integers(0, 30), min_size=len(a), max_size=len(a)))
    if not sum(a) or not sum(b):
        return
    p, q = np.array(a) / sum(a), np.array(b) / sum(b)
    assert stats.js_distance(a, b, "e") == pytest.approx(jensenshannon(p, q), abs=1e-7)
    assert stats.js_divergence(a, b) == pytest.approx(jensenshannon(p, q, base=2) ** 2, abs=1e-12)
    assert stats.hellinger(a, b) == pytest.approx(
        math.sqrt(max(0.0, 1 - float(np.sum(np.sqrt(p * q))))), abs=1e-7
    )
    assert stats.tvd(a, b) == pytest.approx(float(np.maximum(p - q, 0).sum()), abs=1e-12)
    assert stats.linf(a, b) == max(abs(p - q))
    half = len(a) / 2
    smooth_p, smooth_q = (
        (np.array(a) + 0.5) / (sum(a) + half),
        (np.array(b) + 0.5) / (sum(b) + half),
    )
    assert stats.psi(a, b) == pytest.approx(
        ss.entropy(smooth_p, smooth_q) + ss.entropy(smooth_q, smooth_p), abs=1e-12
    )
    table = np.array([a, b])[:, (np.array(a) + np.array(b)) > 0]
    if table.shape[1] > 1:
        assert stats.cramers_v(a, b) == pytest.approx(
            ss.contingency.association(table, "cramer"), abs=1e-9
        )
    if min(a) and min(b):
        both = ss.entropy(p, q) + ss.entropy(q, p)
        assert stats.psi_raw(a, b) == pytest.approx(both, abs=1e-12) == stats.psi_filled(a, b)
        assert stats.kl_divergence(a, b) == pytest.approx(ss.entropy(p, q), abs=1e-12)
        assert stats.cohen_w(a, b) == pytest.approx(
            math.sqrt(ss.chisquare(q, p).statistic), abs=1e-9
        )


def test_bergsmas_correction_is_near_zero_where_nothing_is_associated():
    """Cramér's V of equal laws is biased up, and its correction takes that off; at full association
    both are 1.
    """
    rng = np.random.default_rng(2)
    raw, corrected = [], []
    for _ in range(400):
        a, b = rng.multinomial(100, [0.1] * 10), rng.multinomial(100, [0.1] * 10)
        raw.append(stats.cramers_v(a, b) ** 2)
        corrected.append(stats.cramers_v(a, b, bias_corrected=True) ** 2)
    assert np.mean(raw) > 3 * np.mean(corrected)
    assert stats.cramers_v([50, 0], [0, 50], bias_corrected=True) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("x1", "n1", "x2", "n2"),
    [(3, 40, 9, 50), (0, 30, 4, 20), (10, 10, 7, 12), (500, 10_000, 560, 9_000)],
)
def test_rates(x1, n1, x2, n2):
    """Wilson is scipy's, Jeffreys a beta law's, z the root of chi-square, Newcombe made of Wilson's
    ends.
    """
    interval = ss.binomtest(x1, n1).proportion_ci(method="wilson")
    assert stats.wilson(x1, n1) == pytest.approx((interval.low, interval.high), abs=1e-12)
    low, high = ss.beta.ppf([0.025, 0.975], x1 + 0.5, n1 - x1 + 0.5)
    assert stats.jeffreys(x1, n1) == pytest.approx((low if x1 else 0, high if x1 < n1 else 1))
    z, p = stats.two_proportion_z(x1, n1, x2, n2)
    chi = ss.chi2_contingency([[x1, n1 - x1], [x2, n2 - x2]], correction=False)
    assert (z * z, p) == pytest.approx((chi.statistic, chi.pvalue))
    assert np.sign(z) == np.sign(x1 / n1 - x2 / n2)
    other = ss.binomtest(x2, n2).proportion_ci(method="wilson")
    a, b = x1 / n1, x2 / n2
    below, above = (
        math.hypot(a - interval.low, other.high - b),
        math.hypot(interval.high - a, b - other.low),
    )
    assert stats.newcombe(x1, n1, x2, n2) == pytest.approx((a - b - below, a - b + above))
    assert stats.cohen_h(x1, n1, x2, n2) == pytest.approx(
        abs(math.acos(1 - 2 * a) - math.acos(1 - 2 * b))
    )


@pytest.mark.parametrize(
    ("cells", "n", "m"), [(2, 500, 500), (10, 10_000, 300), (30, 2_000, 10**6)]
)
def test_the_law_of_psi_is_scipys_chi_square(cells, n, m):
    """Mean, spread, quantiles and p-values are those of chi-square, central and not, times 1/n +
    1/m.
    """
    h, df = 1 / n + 1 / m, cells - 1
    assert stats.psi_law(cells, n, m) == pytest.approx((ss.chi2.mean(df) * h, ss.chi2.std(df) * h))
    assert stats.psi_quantile(cells, n, m, 0.99) == pytest.approx(ss.chi2.ppf(0.99, df) * h)
    assert stats.psi_critical(cells, n, m, 0.02, 0.05) == pytest.approx(
        ss.ncx2.isf(0.05, df, 0.02 / h) * h
    )
    for value in (0.01, 0.03):
        assert stats.psi_p_value(value, cells, n, m) == pytest.approx(ss.chi2.sf(value / h, df))
        assert stats.psi_p_value(value, cells, n, m, 0.02) == pytest.approx(
            ss.ncx2.sf(value / h, df, 0.02 / h), abs=1e-9
        )
    assert stats.psi_debiased(0.5, cells, n, m) == pytest.approx(0.5 - ss.chi2.mean(df) * h)


def test_the_law_of_psi_is_that_of_drawn_counts():
    """PSI of counts drawn from one law has the mean and the upper 1% that the law says."""
    rng = np.random.default_rng(3)
    drawn = [
        stats.psi(rng.multinomial(5_000, [0.1] * 10), rng.multinomial(1_000, [0.1] * 10))
        for _ in range(4_000)
    ]
    assert np.mean(drawn) == pytest.approx(stats.psi_law(10, 5_000, 1_000).mean, rel=0.03)
    assert np.mean(np.array(drawn) > stats.psi_quantile(10, 5_000, 1_000, 0.99)) == pytest.approx(
        0.01, abs=0.006
    )


@pytest.mark.parametrize(("d", "n", "m"), [(0.1, 200, 300), (0.5, 12, 10), (0.03, 5_000, 8_000)])
def test_bounds_of_ks(d, n, m):
    """The limit law is scipy's; the margin solves 2 exp(-2 x^2) = level, as the tail of that law
    does.
    """
    effective = math.sqrt(n * m / (n + m))
    assert stats.ks_p_limit(d, n, m) == pytest.approx(ss.kstwobign.sf(effective * d))
    assert 2 * math.exp(-2 * (stats.ks_margin(n, m, 0.99) * effective) ** 2) == pytest.approx(0.01)
    assert stats.ks_margin(n, m, 0.99) == pytest.approx(
        ss.kstwobign.isf(0.01) / effective, rel=1e-4
    )
    assert stats.ks_robust(d, n, m) == pytest.approx(max(0.0, d - 1.8 / effective))
    assert stats.ks_p_limit(d, 0, m) is None


@settings(max_examples=20, deadline=None)
@given(seeds, st.integers(5, 60))
def test_classification_metrics_are_means_over_rows(seed, n):
    """Each metric from counts and sums is what the rows say, one by one."""
    rng = np.random.default_rng(seed)
    y, s = rng.integers(0, 2, n), rng.uniform(0.01, 0.99, n).round(2)
    guess = (s >= 0.5).astype(int)
    c = stats.Confusion(
        *(int(np.sum((guess == a) & (y == b))) for a, b in ((1, 1), (1, 0), (0, 0), (0, 1)))
    )
    pairs = {(str(a), str(b)): int(np.sum((y == a) & (guess == b))) for a in (0, 1) for b in (0, 1)}
    assert stats.accuracy(pairs).value == pytest.approx(np.mean(guess == y))
    for metric, among in (
        (stats.precision, guess == 1),
        (stats.recall, y == 1),
        (stats.specificity, y == 0),
    ):
        expected = np.mean((guess == y)[among]) if among.any() else None
        assert metric(c).value == pytest.approx(expected)
    if len(set(y)) == 2:
        sides = [np.mean((guess == y)[y == label]) for label in (0, 1)]
        assert stats.balanced_accuracy(c).value == pytest.approx(np.mean(sides))
        if len(set(guess)) == 2:
            assert stats.mcc(pairs).value == pytest.approx(np.corrcoef(y, guess)[0, 1], abs=1e-12)
        cells = np.unique(s)
        counted = [[int(np.sum((s == cell) & (y == label))) for cell in cells] for label in (0, 1)]
        assert stats.separation(*counted) == pytest.approx(
            ss.ks_2samp(s[y == 0], s[y == 1]).statistic
        )
    squares, losses = (s - y) ** 2, -ss.bernoulli.logpmf(y, s)
    assert stats.brier(n, squares.sum(), (squares**2).sum()).value == pytest.approx(squares.mean())
    assert stats.brier(n, squares.sum(), (squares**2).sum()).se == pytest.approx(
        ss.sem(squares), abs=1e-9
    )
    assert stats.log_loss(n, losses.sum(), (losses**2).sum()).value == pytest.approx(losses.mean())


@settings(max_examples=20, deadline=None)
@given(seeds, st.integers(3, 60))
def test_regression_metrics_are_means_over_rows(seed, n):
    """Each metric from sums is what the rows say; R² is one less the unexplained variance."""
    rng = np.random.default_rng(seed)
    y = rng.normal(10, 3, n)
    e = rng.normal(0.5, 1, n)
    total, e2, e4 = abs(e).sum(), (e**2).sum(), (e**4).sum()
    assert stats.mae(n, total, e2)[:2] == pytest.approx((abs(e).mean(), ss.sem(abs(e))))
    root = math.sqrt(np.mean(e**2))
    assert stats.rmse(n, e2, e4)[:2] == pytest.approx(
        (root, np.std(e**2, ddof=1) / (2 * root * math.sqrt(n)))
    )
    bias = stats.bias(n, e.sum(), e2)
    assert bias.value == pytest.approx(e.mean())
    assert bias.interval == pytest.approx(tuple(ss.ttest_1samp(e, 0).confidence_interval()))
    assert stats.wape(total, abs(y).sum()) == pytest.approx(abs(e).mean() / abs(y).mean())
    assert stats.r2(n, e2, e4, (y - 10).sum(), ((y - 10) ** 2).sum()).value == pytest.approx(
        1 - np.mean(e**2) / np.var(y)
    )


def test_the_standard_error_of_an_auc_by_its_value():
    """Hanley and McNeil's is exact for exponential scores: the spread of their AUC over many
    draws.
    """
    rng = np.random.default_rng(4)
    negatives, positives = rng.exponential(1, (3_000, 40)), rng.exponential(3, (3_000, 25))
    aucs = ss.mannwhitneyu(positives, negatives, axis=1, method="asymptotic").statistic / 1_000
    assert np.mean(aucs) == pytest.approx(0.75, abs=0.005)
    assert stats.hanley_mcneil_se(0.75, 25, 40) == pytest.approx(np.std(aucs), rel=0.05)


def test_intervals_on_other_scales():
    """Symmetric on the logit and on the log; the interval of a difference has the length of
    independent errors.
    """
    low, high = stats.logit_interval(0.9, 0.02)
    logit = np.log(np.array([low, 0.9, high]) / (1 - np.array([low, 0.9, high])))
    assert (
        logit[1] - logit[0]
        == pytest.approx(logit[2] - logit[1])
        == pytest.approx(1.959964 * 0.02 / 0.09)
    )
    low, high = stats.log_interval(5.0, 1.0)
    assert low * high == pytest.approx(25)
    assert stats.difference_interval(3, (2, 4), 1, (0, 2)) == pytest.approx(
        (2 - math.sqrt(2), 2 + math.sqrt(2))
    )
    assert stats.robust_scale(np.random.default_rng(5).normal(0, 2, 200_000)) == pytest.approx(
        2, rel=0.01
    )

"""The statistics against scipy.stats and against plain definitions, on random data."""

import math
from collections import Counter

import numpy as np
import pytest
import scipy.stats as ss
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline import stats

seeds = st.integers(0, 10_000)
shapes = st.sampled_from(["normal", "lognormal", "cauchy", "integers", "mostly_zero"])


def draw(rng, shape, n, shift=0.0):
    match shape:
        case "normal":
            return rng.normal(shift, 1, n)
        case "lognormal":
            return rng.lognormal(shift, 1, n)
        case "cauchy":
            return rng.standard_cauchy(n) + shift
        case "integers":
            return rng.poisson(3 + 5 * shift, n).astype(float)
        case _:
            return np.where(rng.random(n) < 0.6, 0.0, rng.exponential(1 + shift, n))


def on_grid(edges, values):
    place = np.searchsorted(edges, values)
    hit = (place < len(edges)) & (edges[np.minimum(place, len(edges) - 1)] == values)
    return np.bincount(2 * place + hit, minlength=2 * len(edges) + 1)


def side(edges, values):
    spread = float(np.var(values, ddof=1)) if len(values) > 1 else None
    return stats.Side(
        edges=edges,
        counts=on_grid(edges, values),
        minimum=float(values.min()),
        maximum=float(values.max()),
        mean=float(values.mean()),
        variance=spread,
    )


def quantile_edges(values, levels=1500):
    return np.unique(np.quantile(values, np.linspace(0, 1, levels), method="inverted_cdf"))


@settings(max_examples=25, deadline=None)
@given(seeds, shapes, st.integers(2, 60), st.integers(2, 60))
def test_raw_statistics_agree_with_scipy(seed, shape, n, m):
    """Kolmogorov-Smirnov, Wasserstein, energy, Cramér-von Mises, Mann-Whitney and Welch are
    scipy's, ties or not.
    """
    rng = np.random.default_rng(seed)
    x, y = draw(rng, shape, n), draw(rng, shape, m, 0.3)
    assert stats.ks_distance(x, y) == pytest.approx(ss.ks_2samp(x, y).statistic)
    assert stats.wasserstein(x, y) == pytest.approx(ss.wasserstein_distance(x, y), abs=1e-12)
    assert stats.energy_distance(x, y) == pytest.approx(ss.energy_distance(x, y), abs=1e-12)
    assert stats.cramer_von_mises(x, y)[0] == pytest.approx(
        ss.cramervonmises_2samp(x, y, method="asymptotic").statistic
    )
    theirs = ss.mannwhitneyu(
        x, y, method="exact" if len(np.unique(np.r_[x, y])) == n + m else "asymptotic"
    )
    ours = stats.mann_whitney(x, y)
    assert (ours.u, ours.p_value) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-9)
    if np.ptp(x) and np.ptp(y):
        assert stats.welch(x, y).p_value == pytest.approx(
            ss.ttest_ind(x, y, equal_var=False).pvalue
        )


@pytest.mark.parametrize(("n", "m"), [(7, 5), (30, 45), (99, 101)])
@pytest.mark.parametrize("d", [0.05, 0.2, 0.45, 0.8])
def test_the_exact_ks_p_value_is_scipys(n, m, d):
    """Counting paths gives the p-value scipy gives for every distance that can occur."""
    reachable = math.ceil(d * math.lcm(n, m)) / math.lcm(n, m)
    x = np.arange(n, dtype=float)
    theirs = ss._stats_py._attempt_exact_2kssamp(n, m, math.gcd(n, m), reachable, "two-sided")[2]
    assert stats.ks_p_exact(reachable, n, m) == pytest.approx(theirs, rel=1e-9)
    assert stats.ks_p_exact(0.0, len(x), m) == 1


@pytest.mark.parametrize("n", [1, 4, 20, 60, 61, 99, 101, 141, 500, 2_000, 20_000])
@pytest.mark.parametrize("z", [0.4, 0.7, 1.0, 1.2, 1.25, 1.5, 2.5, 4.0])
def test_the_asymptotic_ks_p_value_is_scipys(n, z):
    """The asymptotic p-value agrees with scipy to a thousandth down to 1e-12, and to a millionth up
    to 60 effective rows.
    """
    d = min(z / math.sqrt(n), 0.999)
    theirs = ss.kstwo.sf(d, n)
    assert stats.ks_p_asymptotic(d, 2 * n, 2 * n) == pytest.approx(
        theirs, rel=1e-6 if n <= 60 else 1e-3, abs=1e-15
    )


@pytest.mark.parametrize("d", [0.15, 0.3, 0.45])
def test_the_far_tail_of_ks_keeps_its_order_of_magnitude(d):
    """Far below any level that matters, the logarithm of the p-value is right to a tenth and never
    NaN.
    """
    for n in (150, 700):
        assert math.log(stats.ks_p_asymptotic(d, 2 * n, 2 * n)) == pytest.approx(
            math.log(ss.kstwo.sf(d, n)), rel=0.1
        )


def test_the_limit_law_of_cramer_von_mises_is_scipys():
    """Beyond 400 pairs the p-value is scipy's asymptotic one."""
    rng = np.random.default_rng(3)
    for shift in (0, 0.1, 0.3):
        x, y = rng.normal(0, 1, 80), rng.normal(shift, 1, 120)
        assert stats.cramer_von_mises(x, y)[1] == pytest.approx(
            ss.cramervonmises_2samp(x, y, method="asymptotic").pvalue, rel=1e-6
        )


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 40), min_size=2, max_size=8),
    st.lists(st.integers(0, 40), min_size=8, max_size=8),
)
def test_table_statistics_agree_with_scipy(a, b):
    """Chi-square, G and Jensen-Shannon are scipy's wherever scipy has an answer."""
    b = b[: len(a)]
    table = np.array([a, b])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2 or not table.sum(axis=1).all():
        assert stats.chi_square(a, b) is None
        return
    for ours, kind in ((stats.chi_square(a, b), "pearson"), (stats.g_test(a, b), "log-likelihood")):
        theirs = ss.chi2_contingency(table, correction=False, lambda_=kind)
        assert ours[:3] == pytest.approx((theirs.statistic, theirs.dof, theirs.pvalue), abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 60), st.integers(1, 60), st.integers(0, 60), st.integers(1, 60))
def test_fisher_and_the_exact_interval_agree_with_scipy(x1, n1, x2, n2):
    """Fisher's p and Clopper-Pearson's interval are scipy's."""
    x1, x2 = min(x1, n1), min(x2, n2)
    assert stats.fisher_exact(x1, n1, x2, n2) == pytest.approx(
        ss.fisher_exact([[x1, n1 - x1], [x2, n2 - x2]]).pvalue
    )
    theirs = ss.binomtest(x1, n1).proportion_ci(method="exact")
    assert stats.clopper_pearson(x1, n1) == pytest.approx((theirs.low, theirs.high))


@settings(max_examples=20, deadline=None)
@given(seeds, shapes, st.sampled_from([0.0, 0.2, 1.0]))
def test_ks_from_the_grid_is_within_a_cell_of_exact(seed, shape, shift):
    """The distance on the grid is never above the exact one, and below it by less than a tenth of a
    percent.
    """
    rng = np.random.default_rng(seed)
    x, y = draw(rng, shape, 12_000), draw(rng, shape, 3_000, shift)
    edges = quantile_edges(x)
    got, slack = stats.grid_ks(side(edges, x), side(edges, y))
    exact = ss.ks_2samp(x, y).statistic
    assert got <= exact + 1e-12
    assert exact - got <= 1e-3
    assert exact <= got + slack + 1e-12


@settings(max_examples=25, deadline=None)
@given(seeds, shapes, st.sampled_from([0.0, 0.2, 1.0]))
def test_wasserstein_from_the_grid_is_near_exact(seed, shape, shift):
    """W1 on the grid is off by no more than half the mass of each cell times its width; smooth and
    light-tailed, within 12%.
    """
    rng = np.random.default_rng(seed)
    x, y = draw(rng, shape, 12_000), draw(rng, shape, 3_000, 0.0) * (1 + shift)
    edges = quantile_edges(x)
    a, b = side(edges, x), side(edges, y)
    got, exact = stats.grid_wasserstein(a, b), ss.wasserstein_distance(x, y)
    mass = a.counts / 12_000 + b.counts / 3_000
    bound = float(np.sum(np.diff(edges) * mass[2:-1:2])) / 2
    bound += mass[0] * (edges[0] - y.min()) + mass[-1] * (y.max() - edges[-1])
    assert abs(got - exact) <= bound + 1e-9
    if shape in ("normal", "mostly_zero"):
        assert got == pytest.approx(exact, rel=0.12, abs=0.02 * x.std())


@pytest.mark.parametrize(
    ("scale", "shift", "error"),
    [(1, 40, 0.001), (1000, 5000, 0.001), (-1, -40, 0.001), (31, 0, 0.35)],
)
def test_wasserstein_beyond_the_grid(scale, shift, error):
    """Rows beyond one end of the reference count with their exact mean; beyond both ends,
    roughly.
    """
    rng = np.random.default_rng(2)
    x, y = rng.normal(0, 1, 12_000), scale * rng.normal(0, 1, 3_000) + shift
    edges = quantile_edges(x)
    got = stats.grid_wasserstein(side(edges, x), side(edges, y))
    assert got == pytest.approx(ss.wasserstein_distance(x, y), rel=error)


@settings(max_examples=15, deadline=None)
@given(seeds, shapes)
def test_quantile_groups_hold_about_a_tenth_each(seed, shape):
    """Without heavy values the groups are deciles; a heavy value stands alone."""
    rng = np.random.default_rng(seed)
    x = draw(rng, shape, 5_000)
    edges = quantile_edges(x)
    counts = on_grid(edges, x)
    groups = stats.group_counts(counts, stats.quantile_groups(counts))
    assert groups.sum() == 5_000
    if shape not in ("integers", "mostly_zero"):
        assert len(groups) == 10
        assert np.all(np.abs(groups - 500) <= 5)
    if shape == "mostly_zero":
        assert int(np.sum(x == 0)) in groups


@settings(max_examples=20, deadline=None)
@given(seeds, st.integers(2, 40), st.integers(2, 40))
def test_auc_is_the_share_of_pairs_and_its_variance_delongs(seed, n, m):
    """AUC and its standard error are those of all pairs of rows, counted one by one, with ties."""
    rng = np.random.default_rng(seed)
    neg, pos = rng.integers(0, 12, n), rng.integers(2, 15, m)
    wins = (pos[:, None] > neg[None, :]) + 0.5 * (pos[:, None] == neg[None, :])
    variance = np.var(wins.mean(axis=1), ddof=1) / m + np.var(wins.mean(axis=0), ddof=1) / n
    got = stats.roc_auc(np.bincount(neg, minlength=15), np.bincount(pos, minlength=15))
    assert (got.value, got.se) == pytest.approx((wins.mean(), math.sqrt(variance)))


@pytest.mark.parametrize("metric", ["precision", "recall", "f1"])
@pytest.mark.parametrize(
    ("labels", "predictions"),
    [("aabbb", "aabbc"), ("aabbc", "aabbb"), ("aabbb", "ddccc"), ("aaaaa", "aabcd")],
    ids=["only predicted", "only labelled", "nothing in common", "three only predicted"],
)
def test_macro_averages_count_the_classes_that_scikit_learn_counts(labels, predictions, metric):
    """Every class counts, also one that occurs on one side only: with 0 where it has no rows.

    The definition is that of scikit-learn with `average="macro"` and `zero_division=0`.
    """
    rows = list(zip(labels, predictions, strict=True))
    values = []
    for name in sorted({*labels, *predictions}):
        right = sum(pair == (name, name) for pair in rows)
        sizes = {"precision": predictions.count(name), "recall": labels.count(name)}
        sizes["f1"] = sum(sizes.values()) / 2
        values.append(right / sizes[metric] if sizes[metric] else 0.0)
    found = stats.macro(Counter(rows), metric)
    assert found.value == pytest.approx(np.mean(values))


def test_macro_standard_errors_match_resampling():
    """The delta method's standard error of a macro average is that of redrawing the rows."""
    rng = np.random.default_rng(1)
    table = np.array([[80, 10, 5], [12, 60, 9], [6, 7, 30]])
    names = "abc"

    def as_mapping(counts):
        return {(names[i], names[j]): int(counts[i, j]) for i in range(3) for j in range(3)}

    for metric in ("precision", "recall", "f1"):
        draws = rng.multinomial(table.sum(), table.ravel() / table.sum(), 3_000).reshape(-1, 3, 3)
        redrawn = [stats.macro(as_mapping(counts), metric).value for counts in draws]
        assert stats.macro(as_mapping(table), metric).se == pytest.approx(np.std(redrawn), rel=0.06)


def test_a_class_of_few_rows_is_not_known_exactly():
    """Of 40 rows some classes have two or three, all right or all wrong by chance: the interval of
    the macro recall has the true value in nine of ten draws.
    """
    rng = np.random.default_rng(2)
    shares = np.array([[0.56, 0.07, 0.07], [0.02, 0.16, 0.02], [0.01, 0.01, 0.08]])
    truth = np.mean(np.diag(shares) / shares.sum(axis=1))
    hits = 0
    for counts in rng.multinomial(40, shares.ravel(), 1_000).reshape(-1, 3, 3):
        rows = {("abc"[i], "abc"[j]): int(counts[i, j]) for i in range(3) for j in range(3)}
        low, high = stats.macro(rows, "recall").interval
        hits += low <= truth <= high
    assert hits >= 900


@pytest.mark.parametrize("true_shift", [0.0, 0.3, 0.6])
def test_the_psi_interval_covers_the_true_value(true_shift):
    """In about 95 of 100 windows the interval holds the PSI of the two laws themselves, with and
    without a change.
    """
    rng = np.random.default_rng(7)
    cuts = ss.norm.ppf(np.arange(1, 10) / 10)
    q = np.diff(np.concatenate(([0], ss.norm.cdf(cuts - true_shift), [1])))
    truth = float(np.sum((q - 0.1) * np.log(q / 0.1)))
    held = 0
    for _ in range(400):
        ref, cur = rng.multinomial(5_000, np.full(10, 0.1)), rng.multinomial(800, q)
        low, high = stats.psi_interval(stats.psi(ref, cur), 10, 5_000, 800)
        held += low <= truth <= high
    assert held / 400 >= 0.92


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
@pytest.mark.parametrize("df", [1, 3, 9, 50])
def test_the_ends_of_a_noncentrality_are_those_of_its_law(df, confidence):
    """At either end the chance of a value beyond the one seen is what it should be, to 0.0001, for
    any value.
    """
    tail = (1 - confidence) / 2
    for x in (0.5, df, 2 * df + 10, 2 * df + 49, 2 * df + 51, 400, 30_000, 10**6):
        low, high = stats.noncentrality_interval(x, df, confidence)
        above, below = ss.ncx2.sf(x, df, low), ss.ncx2.cdf(x, df, high)
        assert above == pytest.approx(tail, abs=1e-4) if low else above >= tail
        assert below == pytest.approx(tail, abs=1e-4) if high else below <= tail


def test_the_wasserstein_margin_covers_the_true_distance():
    """The measured distance lies within the margin of the true one in at least 95 of 100
    windows.
    """
    rng = np.random.default_rng(8)
    held = 0
    for _ in range(200):
        x, y = rng.normal(0, 1, 2_000), rng.normal(0.2, 1, 500)
        edges = quantile_edges(x)
        a, b = side(edges, x), side(edges, y)
        held += abs(stats.grid_wasserstein(a, b) - 0.2) <= stats.wasserstein_margin(a, b)
    assert held >= 190


@pytest.mark.parametrize("k", [math.inf, 20.0, 2.0])
def test_the_volume_interval_inverts_the_tails(k):
    """At either end of the interval the count seen is exactly at its 2.5% tail."""
    for x in (0, 1, 37, 100_000):
        low, high = stats.mean_interval(x, k)
        assert stats.count_at_most(x, high, k) == pytest.approx(0.025, rel=1e-6)
        if x:
            assert stats.count_at_least(x, low, k) == pytest.approx(0.025, rel=1e-6)


def test_dispersion_is_found_again():
    """The dispersion of negative binomial counts is recovered, an outage among them or not."""
    rng = np.random.default_rng(5)
    counts = rng.negative_binomial(20, 20 / (20 + 500), 400).astype(float)
    counts[:10] = 0
    assert stats.dispersion(list(counts), [500.0] * 400) == pytest.approx(20, rel=0.3)
    assert stats.dispersion([100.0] * 10, [100.0] * 10) == math.inf


def test_correlations_are_numpys_over_the_rows_that_have_both():
    """Each column with one of them, by the rows in which neither is missing; none for few rows and
    for constants.
    """
    rng = np.random.default_rng(5)
    values = rng.normal(size=(60, 5))
    values[:, 1] = values[:, 0] * -2 + rng.normal(size=60) * 0.1
    values[rng.random(60) < 0.3, 2] = np.nan
    values[:50, 3] = np.nan
    values[:, 4] = 7.0
    found = stats.correlations(values, 0)
    both = np.isfinite(values[:, 2])
    assert found[:3] == pytest.approx(
        [1.0, np.corrcoef(values[:, :2].T)[0, 1], np.corrcoef(values[both][:, [0, 2]].T)[0, 1]]
    )
    assert found[3:].tolist() == [0.0, 0.0]

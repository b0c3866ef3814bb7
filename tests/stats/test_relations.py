"""Importances, components, centres, segments and pairs: against scipy and plain definitions."""

import math
from itertools import pairwise, permutations

import numpy as np
import pytest
import scipy.stats as ss
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cosine, euclidean

from driftline import stats

IMPORTANCES = st.lists(st.sampled_from([0.0, 0.1, 0.1, 0.3, 1.0, 2.5]), min_size=2, max_size=5)


def dcg(ref, order):
    return sum(ref[feature] / math.log2(place + 2) for place, feature in enumerate(order))


@settings(max_examples=60, deadline=None)
@given(IMPORTANCES, st.data())
def test_ndcg_is_the_mean_over_all_orders_that_ties_allow(ref, data):
    """Every order of the live importances counts the same; none is better than the reference's
    own.
    """
    live = data.draw(
        st.lists(st.sampled_from([0.0, 0.2, 0.2, 1.0]), min_size=len(ref), max_size=len(ref))
    )
    got = stats.ndcg(ref, live)
    if not max(ref):
        assert got is None
        return
    orders = [
        o for o in permutations(range(len(ref))) if all(live[a] >= live[b] for a, b in pairwise(o))
    ]
    best = max(dcg(ref, order) for order in permutations(range(len(ref))))
    assert got == pytest.approx(np.mean([dcg(ref, order) for order in orders]) / best)
    assert 0 < got <= 1 + 1e-12
    assert stats.ndcg(ref, ref) == pytest.approx(1)


@settings(max_examples=40, deadline=None)
@given(IMPORTANCES, st.data())
def test_spearman_is_scipys_and_the_mass_is_total_variation(ref, data):
    """Correlation of midranks; half the sum of the changes of shares; none where there is no order
    or no mass.
    """
    live = data.draw(
        st.lists(st.sampled_from([0.0, 0.2, 0.5, 3.0]), min_size=len(ref), max_size=len(ref))
    )
    if len(set(ref)) > 1 and len(set(live)) > 1:
        assert stats.spearman(ref, live) == pytest.approx(ss.spearmanr(ref, live).statistic)
    else:
        assert stats.spearman(ref, live) is None
    moved = stats.mass_moved(ref, live)
    if max(ref) and max(live):
        assert moved == pytest.approx(
            0.5 * np.abs(np.array(ref) / sum(ref) - np.array(live) / sum(live)).sum()
        )
        assert stats.mass_moved(ref, [7 * part for part in ref]) == pytest.approx(0, abs=1e-12)
    else:
        assert moved is None


def test_reconstruction_is_the_best_of_its_rank():
    """Errors are what the truncated SVD of the standardised reference leaves (Eckart and Young);
    all components leave none.
    """
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(80, 3)) @ rng.normal(size=(3, 5)) * [
        1,
        10,
        100,
        0.1,
        1,
    ] + 0.01 * rng.normal(size=(80, 5))
    z = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    u, sizes, v = np.linalg.svd(z, full_matrices=False)
    for count in (1, 2, 4):
        fit = stats.principal_components(rows, count=count)
        rest = z - (u[:, :count] * sizes[:count]) @ v[:count]
        assert fit.errors(rows) == pytest.approx(np.linalg.norm(rest, axis=1), abs=1e-9)
        assert fit.explained == pytest.approx((sizes[:count] ** 2).sum() / (sizes**2).sum())
    assert np.allclose(
        stats.principal_components(rows, count=5).errors(rng.normal(size=(9, 5))), 0, atol=1e-6
    )
    assert len(stats.principal_components(rows, share=0.65).axes) == 1 + int(
        np.sum(np.cumsum(sizes**2) < 0.65 * (sizes**2).sum())
    )


def test_a_broken_tie_between_columns_is_seen_where_no_column_changed():
    """Shuffling one of two tied columns leaves both distributions and raises the error many times
    over.
    """
    rng = np.random.default_rng(2)
    x = rng.normal(size=500)
    rows = np.column_stack((x, 2 * x + 0.1 * rng.normal(size=500)))
    fit = stats.principal_components(rows)
    broken = np.column_stack((rows[:, 0], rng.permutation(rows[:, 1])))
    assert fit.errors(broken).mean() > 10 * fit.errors(rows).mean()


def test_components_of_degenerate_references():
    """Constant columns are carried along, constant references and single rows have no
    components.
    """
    rows = np.column_stack((np.arange(6.0), np.full(6, 0.1), np.arange(6.0) ** 2))
    fit = stats.principal_components(rows, share=1.0)
    assert np.isfinite(fit.errors(rows)).all()
    assert fit.errors([[2, 5.1, 4]])[0] == pytest.approx(5)
    assert stats.principal_components(np.full((5, 2), 0.1)) is None
    assert (
        stats.principal_components([[1.0, 2.0]])
        is stats.principal_components(np.empty((0, 3)))
        is None
    )
    assert len(fit.errors(np.empty((0, 3)))) == 0


def test_centres_are_scipys_distances():
    """Euclidean and cosine distance of the mean rows; no direction at the origin; none without
    rows.
    """
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(30, 8)) + 1, rng.normal(size=(20, 8))
    got = stats.centroid_distances(a, b)
    assert got.euclidean == pytest.approx(euclidean(a.mean(axis=0), b.mean(axis=0)))
    assert got.cosine == pytest.approx(cosine(a.mean(axis=0), b.mean(axis=0)))
    assert stats.centroid_distances(a, np.zeros((2, 8))).cosine is None
    assert stats.centroid_distances(a, []) is None
    assert stats.centroid_distances(a, a) == (0, pytest.approx(0, abs=1e-12))


def test_parts_of_a_change_add_up_and_turn_with_time():
    """Mix and within sum to the change of the overall value; backwards in time both change their
    sign.
    """
    rng = np.random.default_rng(4)
    weights, later = rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(4))
    rates, now = rng.random(4), rng.random(4)
    there, back = (
        stats.decompose(weights, later, rates, now),
        stats.decompose(later, weights, now, rates),
    )
    assert there.total == pytest.approx(later @ now - weights @ rates)
    assert back.mix == pytest.approx(-there.mix)
    assert back.within == pytest.approx(-there.within)
    assert stats.decompose(weights, later, rates, rates).within == pytest.approx(np.zeros(4))
    same = stats.decompose(weights, later, np.full(4, 0.3), np.full(4, 0.3))
    assert same.mix == pytest.approx(np.zeros(4))


@pytest.mark.parametrize(("x", "n"), [(0, 5), (5, 5), (3, 10), (114, 200), (10_500, 20_000)])
def test_counting_tests_are_scipys(x, n):
    """Guesses and McNemar are exact binomial tests."""
    assert stats.better_than_chance(x, n).p_value == pytest.approx(
        ss.binomtest(x, n, alternative="greater").pvalue
    )
    assert stats.mcnemar(x, n - x) == pytest.approx(ss.binomtest(x, n).pvalue)
    assert stats.binomial_at_least(x, n, 0.3) == pytest.approx(ss.binom.sf(x - 1, n, 0.3))
    assert stats.better_than_chance(0, 0) is stats.auc_null_se(0, 4) is None
    assert stats.mcnemar(0, 0) == 1
    assert stats.binomial_at_least(6, 5) == 0


def test_the_auc_of_a_useless_score_varies_as_stated():
    """The standard deviation over random scores is the formula's."""
    rng = np.random.default_rng(5)
    scores = rng.random((3_000, 80))
    aucs = (
        ss.mannwhitneyu(scores[:, :30], scores[:, 30:], axis=1, method="asymptotic").statistic
        / 1_500
    )
    assert np.std(aucs) == pytest.approx(stats.auc_null_se(30, 50), rel=0.06)


def test_a_paired_difference_is_scipys():
    """t, p and interval are scipy's of one sample; equal differences say nothing."""
    d = np.random.default_rng(6).normal(0.2, 1, 40)
    got, theirs = stats.paired_difference(d), ss.ttest_1samp(d, 0)
    assert (got.t, got.df, got.p_value) == pytest.approx((theirs.statistic, 39, theirs.pvalue))
    assert got.interval == pytest.approx(tuple(theirs.confidence_interval()))
    assert (
        stats.paired_difference([0.1] * 6)
        is stats.paired_difference([1.0])
        is stats.paired_difference([])
        is None
    )

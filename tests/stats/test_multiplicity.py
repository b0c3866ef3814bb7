"""Many p-values at once: against scipy, and against what each procedure means, by trying every
subset.
"""

from itertools import combinations

import numpy as np
import pytest
import scipy.stats as ss
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline import stats

P = st.lists(
    st.sampled_from([0.0, 1e-8, 0.001, 0.01, 0.02, 0.03, 0.049, 0.05, 0.3, 0.8, 1.0]),
    min_size=1,
    max_size=6,
)


@settings(max_examples=50, deadline=None)
@given(P)
def test_adjusted_p_values_are_scipys_and_closed_testing(p):
    """BH and BY are scipy's; Holm is the closure of Bonferroni: the largest that any subset with
    the test in it gives.
    """
    assert stats.bh(p) == pytest.approx(ss.false_discovery_control(p, method="bh"))
    assert stats.by(p) == pytest.approx(ss.false_discovery_control(p, method="by"))
    closed = []
    for one in range(len(p)):
        subsets = [
            s
            for size in range(1, len(p) + 1)
            for s in combinations(range(len(p)), size)
            if one in s
        ]
        closed.append(min(1.0, max(len(s) * min(p[i] for i in s) for s in subsets)))
    assert stats.holm(p) == pytest.approx(closed)
    assert stats.bonferroni(p) == pytest.approx([min(1.0, len(p) * one) for one in p])
    assert stats.simes(p) == pytest.approx(
        min(1.0, min(len(p) * one / (i + 1) for i, one in enumerate(sorted(p))))
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(1e-12, 1), min_size=1, max_size=8))
def test_combinations_are_scipys_and_the_laws_own(p):
    """Fisher is scipy's; Cauchy is the mean of quantiles of Cauchy's law; one p-value alone stays
    itself.
    """
    fisher, cauchy = stats.fisher_combined(p), stats.cauchy_combined(p)
    assert fisher.p_value == pytest.approx(ss.combine_pvalues(p, method="fisher").pvalue, rel=1e-6)
    assert cauchy.p_value == pytest.approx(
        ss.cauchy.sf(np.mean(ss.cauchy.isf(p))), rel=1e-4, abs=1e-15
    )
    for alone in p:
        assert stats.fisher_combined([alone]).p_value == pytest.approx(alone)
        assert stats.cauchy_combined([alone]).p_value == pytest.approx(alone)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 5.0, 13.0, 19.9, 21.0, 41.0, 200.0]), max_size=8))
def test_e_bh_is_bh_of_the_inverses(e):
    """The named ones are those that BH names among the p-values 1/e."""
    expected = stats.bh([min(1.0, 1 / value) if value > 0 else 1.0 for value in e]) <= 0.1
    assert stats.e_bh(e).tolist() == expected.tolist()


def test_order_and_emptiness():
    """Answers come in the order of the questions; no question has no answer."""
    p = np.array([0.2, 0.001, 0.03, 0.7])
    order = np.array([2, 0, 3, 1])
    for adjust in (stats.bonferroni, stats.holm, stats.bh, stats.by):
        assert adjust(p[order]) == pytest.approx(adjust(p)[order])
        assert len(adjust([])) == 0
    assert stats.simes([]) is stats.fisher_combined([]) is stats.cauchy_combined([]) is None
    assert 0 <= stats.cauchy_combined([0.0, 1.0]).p_value <= 1
    assert stats.fisher_combined([0.0, 1.0]).p_value < 1e-290


@pytest.mark.parametrize("correlation", [0.0, 0.7])
def test_the_family_keeps_its_level(correlation):
    """Without any change, in about 1% of families does anything fall below 1%, or in fewer when
    tests go together.
    """
    rng = np.random.default_rng(6)
    z = np.sqrt(1 - correlation) * rng.normal(size=(10_000, 12)) + np.sqrt(
        correlation
    ) * rng.normal(size=(10_000, 1))
    families = ss.norm.sf(z)
    for procedure in (
        lambda p: stats.holm(p).min(),
        stats.simes,
        lambda p: stats.cauchy_combined(p).p_value,
    ):
        alarms = np.mean([procedure(p) <= 0.01 for p in families])
        assert alarms <= 0.013
        assert correlation or alarms >= 0.007

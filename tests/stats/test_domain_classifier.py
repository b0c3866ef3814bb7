"""The classifier two-sample test: what it sees, and how often it sees what is not there."""

import math

import numpy as np
import pytest
import scipy.stats as ss
from scipy.optimize import minimize

from driftline import stats

pytestmark = pytest.mark.system


def draw(rng, n, rho=0.0, shift=0.0):
    """Six columns, of which the first two go together."""
    rows = rng.normal(size=(n, 6))
    rows[:, 1] = rho * rows[:, 0] + math.sqrt(1 - rho**2) * rows[:, 1]
    return rows + np.array([shift, 0, 0, 0, 0, 0])


def encoded(ref, cur):
    return stats.pooled_scores(
        *(
            {f"c{place}": side[:, place].tolist() for place in range(side.shape[1])}
            for side in (ref, cur)
        )
    )


def auc_of(ref, cur):
    sides = encoded(ref, cur)
    return stats.domain_auc(sides.ref, sides.cur)


def by_hand(ref, cur):
    """The same test in other words: scipy's optimiser, loops over pairs, and the AUC by
    counting.
    """
    rows, y = np.vstack((ref, cur)), np.r_[np.zeros(len(ref)), np.ones(len(cur))]
    fold = np.r_[np.arange(len(ref)), np.arange(len(cur))] % 5
    pairs = [(i, j) for i in range(rows.shape[1]) for j in range(i, rows.shape[1])]
    found = []
    for part in range(5):
        train = fold != part
        x, t = rows[train], y[train] - y[train].mean()
        slope = np.linalg.lstsq(
            np.vstack((x, 2 * np.eye(x.shape[1]))), np.r_[t, np.zeros(x.shape[1])], rcond=None
        )[0]
        left = t - x @ slope
        gain = {
            (i, j): abs(left @ (x[:, i] * x[:, j])) / np.std(x[:, i] * x[:, j]) for i, j in pairs
        }
        best = set(sorted(gain, key=gain.get)[-8:])
        best |= {(i, i) for pair in best for i in pair}
        wide = np.column_stack([rows, *[rows[:, i] * rows[:, j] for i, j in sorted(best)]])
        wide[:, 6:] = (wide[:, 6:] - wide[train, 6:].mean(axis=0)) / wide[train, 6:].std(axis=0)

        def loss(w, x=wide[train], t=y[train]):
            margin = x @ w[:-1] + w[-1]
            return np.sum(np.logaddexp(0, margin) - t * margin) + np.sum(w[:-1] ** 2) / 2

        w = minimize(loss, np.zeros(wide.shape[1] + 1), method="BFGS").x
        scores = wide @ w[:-1]
        old, new = scores[~train & (y == 0)], scores[~train & (y == 1)]
        found.append(
            (np.mean(new[:, None] > old) + np.mean(new[:, None] == old) / 2, len(old) * len(new))
        )
    return np.average([auc for auc, _ in found], weights=[weight for _, weight in found])


@pytest.mark.parametrize(("rho", "shift"), [(0.0, 0.0), (0.0, 0.5), (0.6, 0.0)])
def test_a_second_derivation_gives_the_same_auc(rho, shift):
    """Another optimiser and plain counting give the AUC, up to the steps that the fit leaves
    out.
    """
    rng = np.random.default_rng(3)
    sides = encoded(draw(rng, 150), draw(rng, 120, rho, shift))
    assert stats.domain_auc(sides.ref, sides.cur).value == pytest.approx(
        by_hand(sides.ref, sides.cur), abs=0.01
    )


def test_nothing_changed_is_told_apart_as_often_as_promised():
    """Over 120 null samples the p-value is below 5% about so often, z has sd 1, and the interval
    holds 0.5.
    """
    z, rejected, held = [], 0, 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        found = auc_of(draw(rng, 100, 0.5), draw(rng, 100, 0.5))
        z.append((found.value - 0.5) / math.sqrt(2) / stats.auc_null_se(100, 100))
        rejected += found.p_value < 0.05
        held += found.interval[0] <= 0.5 <= found.interval[1]
        assert found.p_value == pytest.approx(ss.norm.sf(z[-1]))
    assert abs(np.mean(z)) < 0.3
    assert 0.8 < np.std(z) < 1.2
    assert rejected <= 13
    assert held >= 107


def test_the_interval_holds_what_the_model_reaches_on_average():
    """Where something changed, the interval holds the mean AUC of many samples."""
    found = [
        auc_of(draw(rng, 120), draw(rng, 120, 0.0, 0.8))
        for rng in map(np.random.default_rng, range(60))
    ]
    mean = np.mean([one.value for one in found])
    assert mean > 0.6
    assert sum(one.interval[0] <= mean <= one.interval[1] for one in found) >= 53


def test_a_broken_correlation_is_found_and_named():
    """Two columns that lost each other part the sides, though each is as it was."""
    rng = np.random.default_rng(0)
    found = auc_of(draw(rng, 500, 0.9), draw(rng, 500, 0.0))
    assert found.interval[0] > 0.7
    assert set(np.argsort(-found.importance)[:2]) == {0, 1}
    assert all(
        ss.ks_2samp(*pair).pvalue > 0.01
        for pair in zip(draw(rng, 500, 0.9).T, draw(rng, 500).T, strict=True)
    )


def test_sides_may_be_swapped_and_rows_of_one_side_used_four_to_one():
    """The AUC is the same the other way round; of many rows the first are used, at most four for
    each of the other side.
    """
    rng = np.random.default_rng(1)
    ref, cur = draw(rng, 100, 0.6), draw(rng, 80)
    sides = encoded(ref, cur)
    assert stats.domain_auc(sides.ref, sides.cur).value == pytest.approx(
        stats.domain_auc(sides.cur, sides.ref).value, abs=1e-9
    )
    sides = encoded(draw(rng, 100), draw(rng, 20))
    found = stats.domain_auc(sides.ref, sides.cur)
    assert found.rows == (80, 20)
    assert found.value == stats.domain_auc(sides.ref[:80], sides.cur).value


def test_identical_rows_are_not_told_apart():
    """A sample against itself has AUC 0.5 exactly, however few different rows there are."""
    rng = np.random.default_rng(2)
    for rows in (rng.normal(size=(200, 5)), rng.integers(0, 2, (200, 2)).astype(float)):
        assert auc_of(rows, rows).value == 0.5


def test_sides_that_part_completely_have_an_interval():
    """AUC 1 comes with Wilson's interval of the smaller side."""
    found = auc_of(np.zeros((50, 1)), np.ones((40, 1)))
    assert found.value == 1
    assert found.interval == stats.wilson(40, 40)
    assert found.p_value < 1e-8


@pytest.mark.parametrize(
    ("ref", "cur"), [(np.zeros((9, 2)), np.zeros((50, 2))), (np.zeros((50, 0)), np.zeros((50, 0)))]
)
def test_too_little_gives_none(ref, cur):
    """Below ten rows of a side, or without columns, there is nothing to fit."""
    assert stats.domain_auc(ref, cur) is None
    assert stats.domain_auc_p_value(ref, cur, 199, np.random.default_rng(0)) is None


def test_a_window_of_many_columns_is_one_of_a_hundred():
    """Of more than a hundred columns those take part that differ most."""
    rng = np.random.default_rng(4)
    ref, cur = rng.normal(size=(2, 300, 130))
    cur[:, 129] += 3
    found = auc_of(ref, cur)
    assert found.value > 0.85
    assert np.argmax(found.importance) == 129


def test_permutation_agrees_with_the_normal_law():
    """p = (k+1)/(B+1), the same for the same generator, small where something changed and large
    where nothing did.
    """
    rng = np.random.default_rng(5)
    same, other = (
        encoded(draw(rng, 50), draw(rng, 50)),
        encoded(draw(rng, 50), draw(rng, 50, shift=1.5)),
    )
    p_same, p_other, again = (
        stats.domain_auc_p_value(sides.ref, sides.cur, 39, np.random.default_rng(6))
        for sides in (same, other, same)
    )
    assert p_other == 1 / 40
    assert p_same == again
    assert p_same * 40 == pytest.approx(round(p_same * 40))
    assert abs(p_same - stats.domain_auc(same.ref, same.cur).p_value) < 0.25

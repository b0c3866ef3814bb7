"""Mixed columns as numbers."""

import warnings

import numpy as np
import pytest
import scipy.stats as ss

from driftline import stats

NAN = float("nan")


def test_standardised_is_in_deviations_of_the_reference():
    """Numbers less the reference's mean over its sd, missing and infinite ones at the mean, far
    ones at ten.
    """
    ref, cur = (
        {"a": [1.0, 2.0, 3.0, None]},
        {"a": [2.0, None, NAN, float("inf"), 1e200, 1e100, -1e9]},
    )
    sides = stats.standardise(ref, cur)
    sd = np.std([1, 2, 3])
    assert sides.names == ("a",)
    assert sides.ref[:, 0] == pytest.approx([-1 / sd, 0, 1 / sd, 0])
    assert sides.cur[:, 0] == pytest.approx([0, 0, 0, 0, 0, 10, -10])


def test_a_category_stands_for_its_share_of_the_reference():
    """Shares of the reference's values, standardised; unseen ones are 0%."""
    sides = stats.standardise({"a": ["x", "x", "x", "y", None]}, {"a": ["y", "new", None]})
    shares = np.array([0.75, 0.75, 0.75, 0.25])
    assert sides.cur[:, 0] == pytest.approx(
        [*((np.array([0.25, 0]) - shares.mean()) / shares.std()), 0]
    )


def test_offsets_and_sizes_cost_no_digits():
    """A second among the years since 1970, and numbers near the largest, spread as any others."""
    plain = np.array([0.0, 1.0, 2.0, 5.0])
    for ref in (1.7e9 + plain, 1e149 * plain, 1e-300 * plain, -1e149 * plain):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            sides = stats.standardise({"a": ref.tolist()}, {"a": [*ref[:2], 1e150]})
        expected = (plain - plain.mean()) / plain.std()
        assert sides.ref[:, 0] == pytest.approx(
            expected if ref[-1] > ref[0] else -expected, abs=1e-6
        )


@pytest.mark.parametrize("values", [[0.1], [0.1, 0.7, 1 / 3], [12.99, 7.5, 0.05, 100.01]])
@pytest.mark.parametrize("encode", [stats.standardise, stats.pooled_scores])
def test_numbers_of_32_bits_are_those_of_64_bits(encode, values):
    """The same numbers, the window in 32 bits: both sides are encoded as if all had 64 bits."""
    rng = np.random.default_rng(3)
    ref, cur = rng.choice([*values, 1.0], 300), rng.choice([*values, 1.0], 200)
    wide = encode({"a": ref.tolist()}, {"a": cur.tolist()})
    for narrow_ref, narrow_cur in ((ref, np.float32(cur)), (np.float32(ref), cur)):
        narrow = encode({"a": narrow_ref.tolist()}, {"a": narrow_cur.tolist()})
        assert narrow.ref == pytest.approx(wide.ref, abs=1e-5)
        assert narrow.cur == pytest.approx(wide.cur, abs=1e-5)


@pytest.mark.parametrize("size", [1e-60, 1e-300, 1e60])
def test_numbers_beyond_32_bits_stay_apart(size):
    """Numbers without a form of 32 bits are not taken for zero or for each other."""
    side = {"a": (np.array([0.0, 1.0, 2.5, 3.5]) * size).tolist()}
    assert len(np.unique(stats.pooled_scores(side, side).ref)) == 4


def test_scores_are_normal_ranks_over_both_sides():
    """The normal scores of mid-ranks, with mean 0 and sd 1 over both sides: any rising scale gives
    the same.
    """
    rng = np.random.default_rng(0)
    ref, cur = rng.poisson(3, 50).astype(float), rng.poisson(4, 30).astype(float)
    sides = stats.pooled_scores({"a": ref.tolist()}, {"a": cur.tolist()})
    scores = ss.norm.ppf((ss.rankdata(np.r_[ref, cur]) - 0.5) / 80)
    assert np.r_[sides.ref[:, 0], sides.cur[:, 0]] == pytest.approx(
        (scores - scores.mean()) / scores.std()
    )
    cubed = stats.pooled_scores({"a": (ref**3).tolist()}, {"a": (cur**3).tolist()})
    assert np.array_equal(cubed.cur, sides.cur)


def test_categories_and_missing_values_have_columns_of_their_own():
    """The frequent categories, unseen ones too, and what is missing; nothing for rare ones and for
    what is everywhere.
    """
    ref = {
        "a": ["x"] * 60 + ["y"] * 40,
        "b": [1.0, None] * 50,
        "c": ["same"] * 100,
        "d": [str(row) for row in range(100)],
    }
    cur = {
        "a": ["new"] * 99 + ["once"],
        "b": [2.0] * 100,
        "c": ["same"] * 100,
        "d": [str(row) for row in range(100, 200)],
    }
    sides = stats.pooled_scores(ref, cur)
    assert sides.names == ("a", "a", "a", "b", "b")
    assert sides.cur.shape == (100, 5)
    both = np.vstack((sides.ref, sides.cur))
    assert both.mean(axis=0) == pytest.approx(0, abs=1e-12)
    assert both.std(axis=0) == pytest.approx(1)


@pytest.mark.parametrize("encode", [stats.standardise, stats.pooled_scores])
@pytest.mark.parametrize(
    ("ref", "cur"),
    [
        ({}, {}),
        ({"a": []}, {"a": []}),
        ({"a": [None] * 3}, {"a": [None]}),
        ({"a": [1.0]}, {"a": [1.0] * 4}),
    ],
)
def test_columns_that_say_nothing_are_left_out(encode, ref, cur):
    """No column, no row, all null, one constant: no column, but the rows are still there."""
    sides = encode(ref, cur)
    assert sides.names == ()
    assert sides.ref.shape == (len(ref.get("a", [])), 0)
    assert sides.cur.shape == (len(cur.get("a", [])), 0)

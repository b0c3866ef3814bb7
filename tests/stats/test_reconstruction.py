"""What components of a reference leave of other rows."""

import numpy as np
import pytest

from driftline import stats


def draw(rng, n, loose=0.4, d=6):
    """Columns that follow one factor, each with noise of its own."""
    return rng.normal(size=(n, 1)) * np.sqrt(1 - loose**2) + loose * rng.normal(size=(n, d))


def shuffled(rng, rows):
    """Every column as it was, none with the others."""
    return np.column_stack([rng.permutation(column) for column in rows.T])


def ratio(found):
    return 1 + stats.growth(found.now, found.was)[0]


def by_svd(ref, rows, share):
    """The same error by a singular value decomposition of the standardised rows."""
    mean, sd = ref.mean(axis=0), ref.std(axis=0)
    _, singular, axes = np.linalg.svd((ref - mean) / sd, full_matrices=False)
    kept = 1 + int(np.argmax(np.cumsum(singular**2) / np.sum(singular**2) >= share))
    z = (rows - mean) / sd
    return np.linalg.norm(z - z @ axes[:kept].T @ axes[:kept], axis=1)


def test_a_second_derivation_gives_the_same_errors():
    """Each fold's rows, judged by an SVD of the other folds, have the same mean error on both
    sides.
    """
    rng = np.random.default_rng(0)
    ref, cur = draw(rng, 103, 0.7), shuffled(rng, draw(rng, 87))
    found = stats.reconstruction(ref, cur, 0.8)
    fold = np.arange(103) % 5
    for side, got in ((ref, found.was), (cur, found.now)):
        errors = np.concatenate(
            [by_svd(ref[fold != part], side[part::5], 0.8) for part in range(5)]
        )
        assert got.value == pytest.approx(errors.mean(), rel=1e-9)
        assert got.se == pytest.approx(errors.std(ddof=1) / np.sqrt(len(side)), rel=1e-9)
        assert got.n == len(side)


def test_residuals_are_what_errors_are_made_of():
    """The error of a row is the length of its residuals."""
    rng = np.random.default_rng(1)
    components = stats.principal_components(draw(rng, 50), 0.9)
    rows = draw(rng, 7)
    assert np.linalg.norm(components.residuals(rows), axis=1) == pytest.approx(
        components.errors(rows)
    )


def test_nothing_changed_stays_within_the_interval():
    """Over 100 null samples the interval of the ratio holds 1 about 95 times: nobody is judged by
    components fitted on it.
    """
    held = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        found = stats.reconstruction(draw(rng, 150, 0.8), draw(rng, 150, 0.8))
        low, high = stats.growth(found.now, found.was)[1]
        held += low <= 0 <= high
    assert held >= 88


def test_broken_correlations_raise_the_error_and_vanished_variance_lowers_it():
    """Shuffled columns lie far from the components; rows in the middle lie near."""
    rng = np.random.default_rng(2)
    ref = draw(rng, 400)
    assert ratio(stats.reconstruction(ref, shuffled(rng, draw(rng, 400)))) > 1.5
    assert ratio(stats.reconstruction(ref, 0.5 * draw(rng, 400))) < 0.7


def test_the_columns_that_broke_have_grown_most():
    """Of two columns that lost each other, both have more of the error than any other."""
    rng = np.random.default_rng(3)
    ref, cur = draw(rng, 300), draw(rng, 300)
    cur[:, 4] = rng.permutation(cur[:, 4])
    assert np.argmax(stats.reconstruction(ref, cur).growth) == 4


def test_equal_samples_have_equal_errors():
    """A window that is its reference has ratio 1, also where the columns determine each other and
    no error is left.
    """
    rng = np.random.default_rng(4)
    rows = draw(rng, 100)
    twins = np.column_stack((rows[:, 0], 3 * rows[:, 0] + 1))
    for side in (rows, twins):
        found = stats.reconstruction(side, side)
        assert found.now == found.was
        assert np.all(found.growth == 0)
    apart = stats.reconstruction(twins, np.column_stack((rows[:, 0], rows[:, 1])))
    assert ratio(apart) > 10


@pytest.mark.parametrize(
    ("ref", "cur"),
    [
        (np.ones((50, 1)), np.ones((50, 1))),
        (np.ones((50, 3)), np.ones((50, 3))),
        (np.eye(9), np.eye(9)),
        (np.eye(12), np.empty((0, 12))),
    ],
)
def test_too_little_gives_none(ref, cur):
    """One column, nothing that varies, nine rows of the reference, no row: no components, no
    error.
    """
    assert stats.reconstruction(ref, cur) is None


def test_uncorrelated_columns_keep_an_error():
    """Where every component is needed to explain enough, the last one is left out, so that there is
    something to compare.
    """
    rng = np.random.default_rng(5)
    found = stats.reconstruction(rng.normal(size=(200, 2)), rng.normal(size=(200, 2)), 0.99)
    assert found.components == 1
    assert found.was.value > 0.3

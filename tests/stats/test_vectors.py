"""The published numbers, each computed independently of this code, and the page that lists them."""

import pytest
from vectors import (
    BEGIN,
    END,
    FAMILIES,
    INPUTS,
    NAMES,
    PAGE,
    Vector,
    is_met,
    page_with,
    table,
    value,
)

from driftline import stats


@pytest.mark.parametrize(
    "vector",
    [
        pytest.param(vector, id=f"{family}-{place}-{vector.what}")
        for family, vectors in FAMILIES.items()
        for place, vector in enumerate(vectors)
    ],
)
def test_the_published_number_is_met(vector):
    """Every published number comes out of the function users call, to a relative 1e-6 or to its
    last digit.
    """
    assert is_met(vector), (vector.call, value(vector), vector.expected)


def test_a_number_that_is_off_is_not_called_met():
    """The word "yes" in the table is earned: 2e-6 beside the value, or a value too few, is no."""
    assert is_met(Vector("", "tvd(A, B)", 0.1))
    assert not is_met(Vector("", "tvd(A, B)", 0.1000002))
    assert is_met(Vector("", "tvd(A, B)", 0.1000002, digits=5e-7))
    assert not is_met(Vector("", "tvd(A, B)", (0.1, 0.1)))


def test_the_page_lists_exactly_these_vectors_with_their_values():
    """docs/statistics.md holds the inputs, and one row a vector with its value as computed now."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == page_with(page, table()), "run python tests/support/vectors.py"
    shown = page.split(BEGIN)[1].split(END)[0]
    assert INPUTS.strip() in shown
    assert shown.count("| yes |\n") == sum(len(vectors) for vectors in FAMILIES.values())


def test_losses_of_rows_are_what_their_sums_say():
    """The vectors of Brier and log loss come from sums that a profile keeps; they are the plain
    means of the rows.
    """
    losses, squares = NAMES["LOSSES"], NAMES["SQUARES"]
    assert losses.mean() == pytest.approx(
        stats.log_loss(12, losses.sum(), (losses**2).sum()).value, rel=1e-12
    )
    assert squares.mean() == pytest.approx(0.20425, rel=1e-12)

"""The range check: what lies outside, and what chance puts there."""

import numpy as np
import pytest
from driftline_plugins.checks.range import OutsideRange
from profile_builder import categorical, compare, context, edges_of, judged, numeric, severity
from pydantic import ValidationError

from driftline import Window, stats

RANGE = OutsideRange()


def draw(seed, n):
    return np.random.default_rng(seed).normal(0, 1, n)


def test_values_beyond_the_reference_are_counted_exactly():
    """The share outside the reference's smallest and largest value is the share of the raw values,
    with its exact interval.
    """
    was, now = draw(1, 5_000), draw(2, 1_000) * 1.5
    outside = int(np.sum((now < was.min()) | (now > was.max())))
    found = compare(RANGE, now, was)["outside_rate"]
    assert outside > 5
    assert found.value == outside / 1_000
    assert found.interval == stats.clopper_pearson(outside, 1_000)
    assert found.detail["low"] == was.min()
    assert found.detail["maximum"] == now.max()


def test_what_chance_puts_outside_is_no_change():
    """New extremes at the rate of 2/(M+1) never change the verdict, in two hundred windows against
    a small reference.
    """
    was = draw(3, 200)
    assert not [
        s
        for s in range(200)
        if judged(RANGE, compare(RANGE, draw(s + 10, 300), was)["outside_excess"]) == "changed"
    ]


def test_a_clean_window_is_ok():
    """Nothing outside in a thousand rows is ok."""
    found = compare(RANGE, draw(1, 5_000)[:1_000], draw(1, 5_000))
    assert found["outside_rate"].value == 0
    assert judged(RANGE, found["outside_excess"]) == "ok"


def test_another_unit_is_critical():
    """Values that are suddenly a thousand times as large page somebody."""
    assert (
        severity(RANGE, compare(RANGE, draw(1, 500) * 1_000, draw(2, 5_000))["outside_excess"])
        == "critical"
    )


def test_a_limit_on_an_edge_is_exact():
    """Limits that are values of the reference count exactly, and values equal to a limit are
    inside.
    """
    was = [float(n % 10) for n in range(1_000)]
    check = OutsideRange(limits={"x": {"low": 2, "high": 7}})
    found = compare(check, was, was)["outside_rate"]
    assert found.value == pytest.approx(0.4)
    assert found.interval == stats.clopper_pearson(400, 1_000)
    assert not found.reason


def test_a_limit_between_edges_widens_the_interval():
    """The rows of the cell that a limit splits may be in or out, and the interval says so."""
    was, now = draw(1, 5_000), draw(2, 2_000)
    limit = (np.sort(was)[4_000] + np.sort(was)[4_001]) / 2
    found = compare(OutsideRange(limits={"x": {"high": limit}}), now, was)["outside_rate"]
    exact = float(np.mean(now > limit))
    assert found.reason.startswith("a limit lies between two edges")
    assert found.interval[0] < exact < found.interval[1]
    assert found.value == pytest.approx(exact, abs=0.005)


def test_a_limit_outside_all_values_is_exact():
    """When the extremes of the window are inside the limits, nothing is outside, wherever the edges
    are.
    """
    found = compare(
        OutsideRange(limits={"x": {"low": -100, "high": 100}}), draw(1, 500), draw(2, 500)
    )
    assert found["outside_rate"].value == 0
    assert not found["outside_rate"].reason


def test_an_owners_limit_needs_no_reference_and_allows_nothing():
    """Given limits are judged without a reference, and every row outside counts."""
    found = compare(OutsideRange(limits={"x": {"low": 0}}), [-1.0] * 50 + [1.0] * 50, None)
    assert found["outside_rate"].value == 0.5
    assert found["outside_excess"].value == 0.5


def test_without_a_grid_a_row_is_outside_once():
    """Where no edge tells the rows apart, all of them may be outside, and not more than all."""
    current = Window(rows=90, columns={"x": numeric("x", [1.0, 2.0, 3.0] * 30, np.empty(0))})
    found = {
        m.name: m
        for m in OutsideRange(limits={"x": {"low": 1.5, "high": 2.5}}).evaluate(context(current))
    }
    rate = found["outside_rate"]
    assert rate.interval[0] < rate.value <= rate.interval[1] == 1


def test_infinite_values_are_outside():
    """An infinite value is outside a finite range."""
    found = compare(RANGE, [0.0, float("inf")] * 50, draw(2, 500))
    assert found["outside_rate"].value == 0.5


@pytest.mark.parametrize(
    ("limits", "words"), [({}, "at least one"), ({"low": 2, "high": 1}, "low is above high")]
)
def test_limits_that_are_no_range_are_refused(limits, words):
    """Empty and crossed limits are mistakes of the configuration."""
    with pytest.raises(ValidationError, match=words):
        OutsideRange(limits={"x": limits})


def test_a_redacted_column_shows_no_extremes():
    """The smallest and largest values of a redacted column are not told."""
    found = compare(RANGE, draw(1, 500), draw(2, 500), redact=frozenset({"x"}))
    assert all(m.detail == {"infinite": 0} for m in found.values())


def test_what_has_no_range_says_why():
    """Categories, absent columns and absent references are reasons."""
    words, number = (
        Window(rows=2, columns={"x": categorical("x", ["a", "b"])}),
        Window(rows=3, columns={"x": numeric("x", [1.0, 2.0, 3.0])}),
    )
    assert list(RANGE.evaluate(context(words, words))) == []
    for check, current, reference, reason in [
        (OutsideRange(columns=("x",)), words, number, "not a numeric column"),
        (OutsideRange(columns=("x",)), Window(rows=2), number, "the window has no such column"),
        (RANGE, number, None, "no reference yet"),
        (
            RANGE,
            Window(rows=1, columns={"x": numeric("x", [None], edges_of([1.0]))}),
            number,
            "no values in the window",
        ),
    ]:
        assert {(m.value, m.reason) for m in check.evaluate(context(current, reference))} == {
            (None, reason)
        }

"""The correlation check: pairs that decouple while each column stays as it is."""

import time

import numpy as np
from driftline_plugins.checks.correlation import Correlation

from driftline import Field, Kind, Schema
from driftline.testing import context
from driftline.testing.windows import window_of

CHECK = Correlation()


def columns(seed, rows, decoupled=False):
    """`a` and `b` with a correlation of 0.9, `c` and `d` with -0.5, and `noise`."""
    rng = np.random.default_rng(seed)
    a, c = rng.normal(size=(2, rows))
    b = 0.9 * a + np.sqrt(1 - 0.81) * rng.normal(size=rows)
    d = -0.5 * c + np.sqrt(0.75) * rng.normal(size=rows)
    if decoupled:
        b = rng.permutation(b)
    noise = rng.normal(size=rows)
    return {"a": a, "b": b, "c": c, "d": d, "noise": noise}


def window(seed, rows, reference=None, **settings):
    return window_of(
        {name: values.tolist() for name, values in columns(seed, rows, **settings).items()},
        reference,
    )


REFERENCE = window(0, 5_000)


def measured(current, reference=REFERENCE, check=CHECK):
    return list(check.evaluate(context(current, reference)))


def test_related_columns_of_the_reference_are_measured_the_strongest_first():
    """Two of ten pairs are related in the reference; the others are not measured."""
    first, second = measured(window(1, 1_000, REFERENCE))
    assert dict(first.labels) == {"column": "a", "with": "b"}
    assert dict(second.labels) == {"column": "c", "with": "d"}
    assert 0.8 < first.value < 0.95
    assert -0.6 < second.value < -0.35
    assert abs(first.was - first.value) < 0.1


def test_a_pair_that_decouples_is_far_beyond_what_matters():
    """The correlation falls from 0.9 to about 0, and the interval proves it in one window."""
    first = measured(window(2, 1_000, REFERENCE, decoupled=True))[0]
    rule = CHECK.default_rules["correlation"]
    assert first.interval[0] < 0 < first.interval[1]
    assert rule.judge(first, first.rows, CHECK.min_rows).verdict == "changed"


def test_missing_values_leave_a_pair_the_rows_where_both_are_there():
    """Half of the values of each column are missing, so a quarter of the rows have both."""
    rng = np.random.default_rng(3)
    holed = {
        name: np.where(rng.random(1_000) < 0.5, np.nan, values).tolist()
        for name, values in columns(4, 1_000).items()
    }
    first = measured(window_of(holed, REFERENCE))[0]
    assert 0.15 < first.rows / 500 < 0.35
    assert first.value > 0.75


def test_without_related_columns_the_reason_is_said_where_they_are_configured():
    """A reference of noise has no pair to compare, which is no lack of data unless the columns are
    named; a constant column has no correlation.
    """
    rng = np.random.default_rng(5)
    noise = window_of({name: rng.normal(size=2_000).tolist() for name in "xy"})
    assert measured(noise, noise) == []
    [only] = Correlation(columns=("x", "y")).evaluate(context(noise, noise))
    assert only.value is None
    assert only.reason == "no two numeric columns of the reference are related"
    flat = {name: values.tolist() for name, values in columns(6, 500).items()} | {"b": [1.0] * 500}
    first = measured(window_of(flat, REFERENCE))[0]
    assert first.value is None
    assert first.reason == "all values of a side are equal"


def test_at_most_twenty_pairs_are_measured_and_the_label_takes_no_part():
    """Eight columns that all move together make 28 pairs."""
    rng = np.random.default_rng(7)
    common = rng.normal(size=2_000)
    values = {f"x{n}": (common + 0.3 * rng.normal(size=2_000)).tolist() for n in range(8)}
    alike = window_of(values)
    assert len(measured(alike, alike)) == 20
    schema = Schema(label=Field("x0", "x0", Kind.NUMERIC))
    labels = [
        m.labels
        for m in CHECK.evaluate(context(alike, alike, schema=schema))
        if "x0" in m.labels.values()
    ]
    assert labels == []


def test_twenty_columns_are_measured_within_a_few_milliseconds():
    """The sample has 500 rows, whatever the window has."""
    rng = np.random.default_rng(8)
    values = {f"x{n}": rng.normal(size=3_000).tolist() for n in range(20)}
    many = window_of(values)
    ctx = context(many, many)
    list(CHECK.evaluate(ctx))
    start = time.perf_counter()
    list(CHECK.evaluate(ctx))
    assert time.perf_counter() - start < 0.1

"""The uniqueness check: records that came twice, and keys that are none."""

import numpy as np
import pytest
import scipy.stats as ss
from driftline_plugins.checks.uniqueness import Uniqueness
from profile_builder import judged

from driftline import Field, Kind, Schema
from driftline.testing import context, window

SCHEMA = Schema(
    features={"n": Field("n", "n", Kind.NUMERIC), "c": Field("c", "c", Kind.CATEGORICAL)},
    id=Field("id", "id"),
)


def measured(check, was=None, schema=SCHEMA, **columns):
    rows = len(next(iter(columns.values())))
    columns = {"n": [1.0] * rows, "c": ["a"] * rows} | columns
    now = window(check=check, schema=schema, **columns)
    return {
        (m.name, *m.labels.values()): m for m in check.evaluate(context(now, was, schema=schema))
    }


def test_repeated_ids_are_counted_exactly():
    """8 of 1,000 rows repeat an id: the rate has the exact interval, and that so many are no chance
    is a warning.
    """
    check = Uniqueness()
    found = measured(check, id=[*range(992), *range(8)])["duplicate_rate",]
    exact = ss.binomtest(8, 1000).proportion_ci(0.95, "exact")
    assert (found.value, found.detail["repeats"]) == (0.008, 8)
    assert found.interval == pytest.approx((exact.low, exact.high), rel=1e-9)
    assert judged(check, found) == "changed"
    assert check.default_rules["duplicate_rate"].judge(found, 1000, 30).severity == "warning"


@pytest.mark.parametrize(
    ("rows", "repeats", "verdict"),
    [(1000, 0, "ok"), (1000, 1, "unsure"), (5000, 0, "ok"), (100, 2, "changed")],
)
def test_a_retried_record_calls_nobody(rows, repeats, verdict):
    """One row of a thousand that came twice is no proof of more than a thousandth."""
    check = Uniqueness()
    found = measured(check, id=[*range(rows - repeats), *range(repeats)])["duplicate_rate",]
    assert judged(check, found) == verdict


def test_rows_without_id_do_not_repeat_each_other():
    """Null and empty ids are none."""
    assert measured(Uniqueness(), id=["a", None, None, ""])["duplicate_rate",].rows == 1
    nothing = measured(Uniqueness(), id=[None, ""])["duplicate_rate",]
    assert (nothing.value, nothing.reason) == (None, "no values in the window")
    without = measured(Uniqueness(), schema=Schema(features=SCHEMA.features), id=[1, 2])[
        "duplicate_rate",
    ]
    assert without.reason == "the schema has no id"


def test_keys_are_looked_at_as_well():
    """Distinct values over rows with a value, for numbers and categories; the reference's rate
    stands beside it.
    """
    check = Uniqueness(keys=("n", "c", "nowhere"))
    was = window(check=check, schema=SCHEMA, n=[1.0, 1.0], c=["a", "b"], id=[1, 2])
    found = measured(
        check,
        was,
        n=[1.0, 1.0, 2.0, None, float("nan")],
        c=["a", "b", "c", "d", None],
        id=[1, 2, 3, 4, 5],
    )
    assert found["distinct_ratio", "n"].value == pytest.approx(2 / 3)
    assert (found["duplicate_rate", "n"].value, found["duplicate_rate", "n"].was) == (
        pytest.approx(1 / 3),
        0.5,
    )
    assert (found["distinct_ratio", "c"].value, found["distinct_ratio", "c"].interval) == (
        1,
        (1, 1),
    )
    assert found["distinct_ratio", "nowhere"].reason == "the schema has no such column"


def test_beyond_the_bound_the_interval_holds_the_truth():
    """Of 60,000 rows with 50,000 ids some 8,000 are counted: the rate is near a sixth, and says
    so.
    """
    check = Uniqueness(keys=("n",))
    ids = np.concatenate((np.arange(50_000), np.arange(10_000)))
    found = measured(check, id=ids.tolist(), n=ids.astype(float).tolist())
    for rate in (found["duplicate_rate",], found["duplicate_rate", "n"]):
        assert rate.interval[0] <= 1 / 6 <= rate.interval[1]
        assert rate.interval[1] - rate.interval[0] < 0.02
        assert "sample" in rate.reason
    ratio = found["distinct_ratio", "n"]
    assert ratio.interval[0] <= 5 / 6 <= ratio.interval[1]

"""Constraints: each kept, broken and open, judged against its own threshold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from driftline_plugins.checks.constraints import Constraints
from hypothesis import given, settings
from hypothesis import strategies as st
from profile_builder import context, pair

from driftline import Field, Kind, above
from driftline.evaluate.check_plan import CheckPlan, run_check

SPREAD = [value / 10 for value in range(200)]
MIXED = (["a"] * 6 + ["b"] * 4) * 100


def judged(now, was=None, invalid=0, rules=(), **feature):
    """The verdict and the measurement of each constraint of column `x`, by name."""
    drift = feature.pop("all_drift", None)
    check = Constraints(features={"x": feature}, drift=drift)
    current, reference = pair(now, was)
    if invalid:
        whole = current.columns["x"]
        current.columns["x"] = type(whole)(
            **{name: getattr(whole, name) for name in whole.__dataclass_fields__}
            | {"invalid": invalid, "rows": whole.rows + invalid, "nulls": whole.nulls + invalid}
        )
    ctx = context(current, reference, features={"x": Field("x", "x", Kind.NUMERIC)})
    plan = CheckPlan(name="model_monitor", check=check, rules=rules)
    return {
        row.measurement.name: row
        for row in run_check(plan, ctx, lambda plan, ctx: list(plan.check.evaluate(ctx)))
    }


def verdicts(*args, **kwargs):
    return {name: row.verdict for name, row in judged(*args, **kwargs).items()}


@pytest.mark.parametrize(
    ("feature", "now", "was", "verdict"),
    [
        ({"completeness": 1.0}, [1.0] * 50, None, "ok"),
        ({"completeness": 1.0}, [1.0] * 49 + [None], None, "changed"),
        ({"completeness": 1.0}, [1.0] * 9 + [None], None, "unsure"),
        ({"completeness": 0.9}, [1.0] * 960 + [None] * 40, None, "ok"),
        ({"completeness": 0.9}, [1.0] * 80 + [None] * 20, None, "changed"),
        ({"completeness": 0.9}, [1.0] * 44 + [None] * 6, None, "unsure"),
        ({"completeness": 0.9}, [math.nan] * 50, None, "changed"),
        ({"completeness": 0.0}, [None] * 50, None, "ok"),
        ({"type": "fractional"}, SPREAD, None, "ok"),
        ({"type": "fractional"}, [1.0, 2.0] * 20, None, "ok"),
        ({"type": "integral"}, [1.0, 2.0] * 20, None, "ok"),
        ({"type": "integral"}, [1.0, 2.5] * 20, [1.0, 2.0, 3.0] * 20, "changed"),
        ({"type": "integral"}, [1.0, 2.5] * 20, [1.0, 9.0] * 20, "unsure"),
        (
            {"type": "integral", "data_type_share": 0.5},
            [1.0] * 90 + [2.5] * 10,
            [1.0, 2.0, 3.0] * 20,
            "ok",
        ),
        ({"type": "string"}, [1.0] * 40, None, "changed"),
        ({"type": "string"}, ["a"] * 40, None, "ok"),
        ({"type": "string"}, ["a"] * 20 + ["12.5"] * 20, None, "changed"),
        ({"type": "string"}, ["1", "0", "a", "a"] * 10, None, "unsure"),
        ({"type": "integral"}, ["a"] * 40, None, "changed"),
        ({"type": "integral"}, ["7"] * 40, None, "ok"),
        ({"type": "fractional"}, ["7", "1e-3", ".5"] * 20, None, "ok"),
        ({"non_negative": True}, [0.0, 5.0] * 20, None, "ok"),
        ({"non_negative": True}, [0.0] * 199 + [-1.0], None, "changed"),
        ({"non_negative": True}, [-3.0] * 50, [1.0, 2.0] * 20, "changed"),
        ({"non_negative": True}, [1.0] * 39 + [-math.inf], None, "unsure"),
        ({"non_negative": True}, [0.0] * 9 + [-1.0], None, "unsure"),
        ({"domain": ["a", "b"]}, MIXED, None, "ok"),
        ({"domain": ["a"]}, ["a"] * 99 + ["z"], None, "changed"),
        ({"domain": ["a"], "domain_share": 0.9}, ["a"] * 990 + ["z"] * 10, None, "ok"),
        ({"domain": ["a"], "domain_share": 0.9}, ["a"] * 46 + ["z"] * 4, None, "unsure"),
        ({"domain": ["true", "2.0"]}, ["1", "2"] * 20, None, "ok"),
        ({"domain": ["1"]}, [1.0] * 40, None, "unsure"),
    ],
)
def test_each_constraint_is_kept_broken_or_open(feature, now, was, verdict):
    """One verdict a constraint: proof breaks it, no broken row keeps it, and what can't be told is
    unsure.
    """
    [(name, found)] = [
        (name, found)
        for name, found in verdicts(now, was, **feature).items()
        if name not in ("missing_column", "extra_columns")
    ]
    assert found == verdict, name


def test_another_type_within_a_numeric_column():
    """Values that are no numbers break a numeric type in their share, and are no missing values."""
    found = judged([1.0] * 90, invalid=10, type="fractional", completeness=1.0)
    assert found["data_type"].measurement.value == pytest.approx(0.9)
    assert found["data_type"].verdict == "changed"
    assert found["data_type"].reason == "below 1"
    assert found["completeness"].verdict == "ok"
    assert judged([1.0] * 90, invalid=10, type="string")[
        "data_type"
    ].measurement.value == pytest.approx(0.1)


@pytest.mark.parametrize("size", [40, 400, 4000])
def test_robust_drift_is_sagemakers(size):
    """The value is D less 1.8 sqrt((n+m)/(nm)), `changed` wherever it is above the threshold, `ok`
    only with proof.
    """
    was = list(np.linspace(0, 1, 2000))
    for moved in (0.0, 0.05, 0.3, 0.9):
        row = judged(
            [value + moved for value in np.linspace(0, 1, size)], was, drift={"threshold": 0.1}
        )["baseline_drift"]
        d = row.measurement.detail["raw"]
        assert d == pytest.approx(moved, abs=0.03)
        assert row.measurement.value == pytest.approx(
            max(0, d - 1.8 * math.sqrt((2000 + size) / (2000 * size)))
        )
        assert (row.verdict == "changed") == (row.measurement.value > 0.1)
        assert row.verdict != "ok" or size >= 400
    assert judged(was, was, drift={"threshold": 0.1})["baseline_drift"].verdict == "ok"


def test_simple_drift_is_the_plain_distance():
    """Without the correction the distance itself is judged, with its interval."""
    was = list(np.linspace(0, 1, 2000))
    row = judged(
        [value + 0.2 for value in np.linspace(0, 1, 500)], was, drift={"method": "simple"}
    )["baseline_drift"]
    assert row.measurement.value == pytest.approx(0.2, abs=0.01)
    assert row.verdict == "changed"


def test_categorical_drift_by_the_largest_share():
    """LInfinity, with a threshold of its own where there is one, and the same correction."""
    now = (["a"] * 2 + ["b"] * 8) * 100
    row = judged(now, MIXED, drift={"method": "simple"})["baseline_drift"]
    assert row.measurement.value == pytest.approx(0.4)
    assert row.verdict == "changed"
    assert (
        judged(now, MIXED, drift={"categorical_threshold": 0.5})["baseline_drift"].verdict == "ok"
    )
    robust = judged(now, MIXED, drift={})["baseline_drift"].measurement.value
    assert robust == pytest.approx(0.4 - 1.8 * math.sqrt(2 / 1000))


def test_categorical_drift_by_chi_square():
    """Against the baseline's shares: 1,000 rows, 600 and 400 expected, 570 and 430 seen, is 3.75; p
    0.0528.
    """
    now = ["a"] * 570 + ["b"] * 430
    asked = {"categorical_method": "chi_squared", "categorical_threshold": 0.05}
    row = judged(now, MIXED, drift=asked)["baseline_drift"]
    assert row.measurement.detail["statistic"] == pytest.approx(3.75)
    assert (row.measurement.value, row.verdict) == (pytest.approx(0.0528, abs=1e-4), "ok")
    assert (
        judged(now, MIXED, drift=asked | {"categorical_threshold": 0.06})["baseline_drift"].reason
        == "below 0.06"
    )
    simple = asked | {"method": "simple", "categorical_threshold": 3}
    assert judged(now, MIXED, drift=simple)["baseline_drift"].reason == "above 3"
    assert judged(["a"] * 50, ["a"] * 50, drift=asked)["baseline_drift"].verdict == "unsure"


def test_small_categories_are_put_together_and_unseen_ones_left_out():
    """Cells of fewer than 5 expected rows are one cell; a category that the baseline lacks does not
    count.
    """
    was = ["a"] * 900 + ["b"] * 96 + ["c", "d", "e", "f"]
    row = judged(
        ["a"] * 90 + ["b"] * 10 + ["new"] * 50, was, drift={"categorical_method": "chi_squared"}
    )["baseline_drift"]
    assert row.measurement.detail["cells"] == 3
    assert row.rows == 100


def test_drift_of_one_column_can_be_other_than_of_all():
    """A column's own drift goes before the check's; `false` leaves it out."""
    now, was = [1.0] * 100, [float(value) for value in range(100)]
    assert judged(now, was, all_drift={"threshold": 0.9})["baseline_drift"].measurement.most == 0.9
    assert (
        judged(now, was, all_drift={"threshold": 0.9}, drift={"threshold": 0.2})[
            "baseline_drift"
        ].measurement.most
        == 0.2
    )
    assert "baseline_drift" not in judged(now, was, all_drift={}, drift=False)


def test_columns_that_are_missing_or_extra():
    """A column without any value is missing; a feature with values that no constraint names is
    extra.
    """
    assert verdicts([None] * 50, completeness=0.5) == {
        "missing_column": "changed",
        "completeness": "changed",
        "extra_columns": "ok",
    }
    current, _ = pair([1.0] * 50, None)
    schema = {"features": {name: Field(name, name, Kind.NUMERIC) for name in ("x", "gone")}}
    found = {
        m.name: m
        for m in Constraints(features={"gone": {"completeness": 1}}).evaluate(
            context(current, **schema)
        )
    }
    assert (found["missing_column"].value, found["completeness"].value) == (1, 0)
    assert (found["extra_columns"].value, found["extra_columns"].detail) == (1, {"columns": "x"})


def test_a_rule_of_the_configuration_goes_before_the_bound():
    """A measurement's own bound holds until the configuration has a rule of that name; the others
    keep theirs.
    """
    rule = above(critical=2).model_copy(update={"measurement": "completeness"})
    found = judged([1.0] * 40 + [None] * 60, rules=(rule,), completeness=1.0, non_negative=True)
    assert (found["completeness"].verdict, found["non_negative"].verdict) == ("ok", "ok")
    assert judged([1.0] * 40 + [None] * 60, completeness=1.0)["completeness"].severity == "warning"


def test_values_of_redacted_columns_are_not_told():
    """What lies outside of a domain is named, but not of a column that is redacted."""
    current, _ = pair(["a"] * 40 + ["secret"] * 5, None)
    check = Constraints(features={"x": {"domain": ["a"]}})
    told = [m.detail.get("outside") for m in check.evaluate(context(current)) if m.name == "domain"]
    hidden = [
        m.detail.get("outside")
        for m in check.evaluate(context(current, redact=frozenset({"x"})))
        if m.name == "domain"
    ]
    assert (told, hidden) == (["secret"], [None])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.floats(-5, 5).map(lambda value: round(value * 4) / 4), min_size=30, max_size=120),
    st.data(),
)
def test_shares_hold_the_truth_within_their_interval(now, data):
    """Whatever the grid: the true share of whole and of non-negative values lies between what is
    sure and what may be.
    """
    was = data.draw(
        st.lists(st.floats(-5, 5).map(lambda value: round(value * 4) / 4), min_size=1, max_size=40)
    )
    found = judged(now, was, type="integral", non_negative=True)
    for name, kept in (
        ("data_type", [v == round(v) for v in now]),
        ("non_negative", [v >= 0 for v in now]),
    ):
        row, truth = found[name], sum(kept) / len(kept)
        low, high = row.measurement.interval
        assert low - 1e-9 <= truth <= high + 1e-9
        if truth == 1:
            assert row.verdict != "changed"

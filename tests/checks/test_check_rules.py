"""Rules over rows: counted exactly, unknown where a value is missing, refused where they are no
rule.
"""

import pytest
import scipy.stats as ss
from driftline_plugins.checks.completeness import Completeness
from driftline_plugins.checks.rules import Rules
from driftline_plugins.checks.skew import Skew
from profile_builder import judged, severity
from pydantic import ValidationError

from driftline import Field, Kind, Schema
from driftline.testing import context, window


def measured(check, now, was=None, segment="", **told):
    """By name, and by what the measurement is about where that is asked for."""
    reference = None if was is None else window(check=check, **was)
    current = window(reference, check=check, segment=segment, **now)
    found = list(check.evaluate(context(current, reference, **told)))
    return {(m.name, *m.labels.values()): m for m in found}


def test_broken_rows_are_counted_exactly_and_unknown_ones_apart():
    """3 of 97 rows break the rule, 3 are unknown: the rate has the exact interval, and the
    reference's stands beside it.
    """
    check = Rules(expressions={"dates": "begin <= finish"})
    now = {
        "begin": ["2026-01-02"] * 100,
        "finish": [None] * 3 + ["2026-01-01"] * 3 + ["2026-01-02"] * 94,
    }
    found = measured(check, now, {"begin": ["a", "b"], "finish": ["a", "a"]})
    broken, unknown = found["broken_rate", "dates"], found["unknown_rate", "dates"]
    exact = ss.binomtest(3, 97).proportion_ci(0.95, "exact")
    assert broken.value == pytest.approx(3 / 97)
    assert broken.interval == pytest.approx((exact.low, exact.high), rel=1e-9)
    assert (broken.rows, broken.was, broken.detail["broken"], broken.detail["unknown"]) == (
        97,
        0.5,
        3,
        3,
    )
    assert (unknown.value, unknown.was) == (0.03, 0)


@pytest.mark.parametrize(
    ("broken", "rows", "verdict"),
    [(0, 500, "ok"), (5, 500, "unsure"), (20, 500, "changed"), (1, 1, "unsure")],
)
def test_a_rule_is_judged_by_its_interval(broken, rows, verdict):
    """More than one row in a hundred must be proven."""
    check = Rules(expressions={"positive": "amount > 0"})
    found = measured(check, {"amount": [-1.0] * broken + [1.0] * (rows - broken)})
    assert judged(check, found["broken_rate", "positive"]) == verdict


def test_a_rule_about_half_the_rows_is_critical():
    """A fifth of the rows is a page."""
    check = Rules(expressions={"either": "email is not null or phone is not null"})
    found = measured(check, {"email": ["a"] * 50 + [None] * 50, "phone": [None] * 100})[
        "broken_rate", "either"
    ]
    assert (found.value, severity(check, found)) == (0.5, "critical")


def test_a_rule_without_answer_says_why():
    """A column that the schema lacks or of another kind, or missing in all rows, is a reason and no
    rate.
    """
    check = Rules(expressions={"a": "nowhere > 0", "b": "plan > 3", "c": "amount > 0"})
    found = measured(check, {"plan": ["x"], "amount": [None]})
    assert all(found["broken_rate", name].value is None for name in "abc")
    assert "no column 'nowhere'" in found["broken_rate", "a"].reason
    assert "text is compared" in found["broken_rate", "b"].reason
    assert "unknown in every row" in found["broken_rate", "c"].reason
    assert found["unknown_rate", "c"].value == 1


def test_a_window_from_before_the_rule_says_so():
    """Its rows are not counted as keeping it."""
    check = Rules(expressions={"a": "amount > 0"})
    found = list(check.evaluate(context(window(amount=[1.0]))))
    assert all(m.value is None and "before this was asked" in m.reason for m in found)


@pytest.mark.parametrize("text", ["amount", "amount - 1", "amount >", "import os"])
def test_what_is_no_condition_is_refused(text):
    """Where the configuration is read, with its place."""
    with pytest.raises(ValidationError) as caught:
        Rules(expressions={"mine": text})
    assert caught.value.errors()[0]["loc"] == ("expressions", "mine")


def test_whole_rows_are_counted_together():
    """30% lack a, 40% lack b, and no row lacks both: 30% are complete."""
    check = Completeness(sets={"both": ("a", "b"), "one": ("a",)})
    now = {"a": [None] * 30 + [1.0] * 70, "b": [1.0] * 60 + [float("nan")] * 40}
    found = measured(check, now, {"a": [1.0] * 100, "b": [1.0] * 90 + [None] * 10})
    assert (found["complete_rate", "both"].value, found["complete_rate", "one"].value) == (0.3, 0.7)
    increase = found["incomplete_increase", "both"]
    assert increase.value == pytest.approx(0.6)
    assert increase.interval[0] < 0.6 < increase.interval[1]
    assert severity(check, increase) == "critical"


def test_without_sets_all_columns_but_the_label_count():
    """Labels come later."""
    schema = Schema(
        features={"a": Field("a", "a", Kind.NUMERIC)}, label=Field("y", "y", Kind.CATEGORICAL)
    )
    check = Completeness()
    current = window(check=check, schema=schema, a=[1.0, None], y=[None, None])
    found = list(check.evaluate(context(current, current, schema=schema)))
    assert [(m.name, m.value) for m in found] == [
        ("complete_rate", 0.5),
        ("incomplete_increase", 0.0),
    ]
    assert judged(check, found[1]) == "unsure"


def test_rows_are_held_against_a_promise():
    """Too few are found whatever their number; a segment has no promise."""
    check = Completeness(rows_promised=100)
    for rows, verdict in ((100, "ok"), (120, "ok"), (98, "changed"), (0, "changed")):
        found = measured(check, {"a": [1.0] * rows})["received",]
        assert (found.value, judged(check, found)) == (rows / 100, verdict)
    assert ("received",) not in measured(check, {"a": [1.0]}, segment="plan=a")


SERVED = [float(place) for place in range(100)]


def test_skew_is_counted_row_by_row():
    """The same distribution in another order is skew in nearly every row, which no distance between
    columns sees.
    """
    check = Skew(pairs={"age": "age_offline"})
    found = measured(
        check, {"age": SERVED, "age_offline": SERVED[::-1]}, {"age": SERVED, "age_offline": SERVED}
    )
    assert (found["skew_rate", "age"].value, found["skew_rate", "age"].was) == (1.0, 0.0)
    assert found["skew_mean", "age"].value == 0
    same = measured(check, {"age": SERVED, "age_offline": SERVED})
    assert (same["skew_rate", "age"].value, same["skew_mean", "age"].interval) == (0.0, (0.0, 0.0))
    assert [judged(check, same[name, "age"]) for name in ("one_sided_rate", "skew_mean")] == [
        "ok",
        "ok",
    ]


def test_float32_is_no_skew_and_tolerances_are_kept():
    """Rounding in the seventh digit is none; a tolerance in the column's unit replaces the relative
    one.
    """
    rounded = [value * (1 + 5e-8) for value in SERVED]
    assert (
        measured(Skew(pairs={"a": "b"}), {"a": SERVED, "b": rounded})["skew_rate", "a"].value == 0
    )
    assert (
        measured(Skew(pairs={"a": "b"}, relative=0), {"a": SERVED, "b": rounded})[
            "skew_rate", "a"
        ].value
        == 0.99
    )
    later = [value + 0.5 for value in SERVED]
    assert (
        measured(Skew(pairs={"a": "b"}, tolerance={"a": 0.5}), {"a": SERVED, "b": later})[
            "skew_rate", "a"
        ].value
        == 0
    )
    assert (
        measured(Skew(pairs={"a": "b"}, tolerance={"a": 0.4}), {"a": SERVED, "b": later})[
            "skew_rate", "a"
        ].value
        == 1
    )


def test_the_mean_of_skew_is_in_standard_deviations():
    """It has the interval of a paired mean, as Student's without his correction."""
    check = Skew(pairs={"a": "b"})
    b = [value - 29 + (place % 3) for place, value in enumerate(SERVED)]
    found = measured(check, {"a": SERVED, "b": b}, {"a": SERVED, "b": SERVED})["skew_mean", "a"]
    differences = [x - y for x, y in zip(SERVED, b, strict=True)]
    sd = ss.tstd(SERVED)
    mean, half = ss.tmean(differences) / sd, 1.959963984540054 * ss.sem(differences) / sd
    assert found.value == pytest.approx(mean, rel=1e-9)
    assert found.interval == pytest.approx((mean - half, mean + half), rel=1e-9)
    assert judged(check, found) == "changed"


def test_one_side_alone_is_counted_apart():
    """Rows with one value are no skew, and are told; categories have no mean."""
    check = Skew(pairs={"plan": "plan_offline"})
    found = measured(
        check, {"plan": ["a", "b", None, None], "plan_offline": ["a", None, "b", None]}
    )
    assert (found["skew_rate", "plan"].value, found["skew_rate", "plan"].rows) == (0.0, 1)
    assert found["one_sided_rate", "plan"].value == 0.5
    assert ("skew_mean", "plan") not in found


def test_settings_of_skew_that_lead_nowhere_are_refused():
    """A tolerance needs its pair, and a size."""
    with pytest.raises(ValidationError, match="no pair of 'b'"):
        Skew(pairs={"a": "c"}, tolerance={"b": 1})
    with pytest.raises(ValidationError, match="from 0 on"):
        Skew(pairs={"a": "c"}, tolerance={"a": -1})

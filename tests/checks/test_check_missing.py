"""The missing check: rates, increases, invalid values and columns that stopped varying."""

import numpy as np
import pytest
from driftline_plugins.checks.missing import Missing
from profile_builder import LABEL, START, column, compare, context, judged, numeric, severity

from driftline import AlertFact, Window, stats
from driftline.types.model import Field, Kind, Severity, Task

MISSING = Missing()


def holed(rows, missing):
    return [None] * missing + [float(n % 7) for n in range(rows - missing)]


def test_nulls_and_nan_are_missing():
    """Half of the ages are null or NaN, so the share is one half, with Wilson's interval and the
    reference's rate.
    """
    found = compare(MISSING, [31.0, None, float("nan"), 57.0] * 10, holed(100, 10))
    assert found["missing_rate"].value == 0.5
    assert found["missing_rate"].interval == stats.wilson(20, 40)
    assert found["missing_rate"].was == 0.1


def test_a_rate_as_high_as_ever_is_ok():
    """A column that always lacked a fifth of its values is fine with a fifth missing."""
    found = compare(MISSING, holed(20_000, 4_000), holed(50_000, 10_000))
    assert found["missing_increase"].value == 0
    assert judged(MISSING, found["missing_increase"]) == "ok"


@pytest.mark.parametrize(
    ("missing", "verdict"),
    [(100, "ok"), (300, "ok"), (900, "ok"), (5_000, "critical"), (10_000, "critical")],
)
def test_an_increase_is_judged_in_points(missing, verdict):
    """Of 10,000 rows: 50 points more are a page at once; 9 are for `unusual` to judge by what was
    before.
    """
    found = compare(MISSING, holed(10_000, missing), holed(100_000, 500))
    assert (
        severity(MISSING, found["missing_increase"]) or judged(MISSING, found["missing_increase"])
    ) == verdict


def test_few_rows_do_not_page():
    """One missing value in ten rows is unsure."""
    assert (
        judged(MISSING, compare(MISSING, holed(10, 1), holed(1_000, 0))["missing_increase"])
        == "unsure"
    )


def test_a_column_that_is_gone_is_all_missing():
    """A column of the reference that the window has not at all is missing in every row."""
    reference = Window(rows=100, columns={"x": column("x", [1.0, 2.0] * 50)})
    found = {m.name: m for m in MISSING.evaluate(context(Window(rows=80), reference))}
    assert found["missing_rate"].value == 1
    assert found["missing_rate"].reason == "the window has no such column"
    assert severity(MISSING, found["missing_increase"]) == "critical"


def test_without_a_reference_there_is_a_rate_and_no_increase():
    """The rate needs no reference; the increase says that it does."""
    found = compare(MISSING, holed(100, 50), None)
    assert found["missing_rate"].value == 0.5
    assert found["missing_increase"].value is None
    assert found["missing_increase"].reason == "no reference for this column yet"


def test_values_of_another_type_are_invalid():
    """A tenth of the values that are text in a numeric column is a ticket."""
    window = Window(rows=1_000, columns={"x": numeric("x", holed(1_000, 100), invalid=100)})
    found = {m.name: m for m in MISSING.evaluate(context(window, window))}
    assert found["invalid_rate"].value == 0.1
    assert severity(MISSING, found["invalid_rate"]) == "warning"


def test_values_of_another_type_that_leave_a_gap_are_named():
    """The sentence of a column without values says that values of another type were there."""
    was = Window(rows=1_000, columns={"x": numeric("x", holed(1_000, 0))})
    for invalid, words in ((700, "missing or of the wrong type in 70%"), (0, "missing in 70%")):
        now = Window(rows=1_000, columns={"x": numeric("x", holed(1_000, 700), invalid=invalid)})
        found = {m.name: m for m in MISSING.evaluate(context(now, was))}["missing_increase"]
        alert = AlertFact(
            check="missing",
            measurement=found.name,
            labels=found.labels,
            state="firing",
            severity=Severity.CRITICAL,
            value=found.value,
            detail=found.detail,
            since=START,
        )
        assert MISSING.wordings[found.name].sentence(alert).startswith(words)


def test_a_column_that_stopped_varying_is_constant():
    """One value in every row, where the reference had many, is a ticket; as constant as ever is
    not.
    """
    draw = np.random.default_rng(1)
    assert (
        judged(MISSING, compare(MISSING, [4.0] * 200, draw.normal(0, 1, 1_000))["constant"])
        == "changed"
    )
    assert judged(MISSING, compare(MISSING, ["a"] * 200, ["a", "b"] * 500)["constant"]) == "changed"
    assert compare(MISSING, [4.0] * 200, [4.0] * 1_000)["constant"].value == 0
    assert compare(MISSING, draw.normal(0, 1, 200), draw.normal(0, 1, 1_000))["constant"].value == 0


def test_a_rare_value_that_did_not_occur_is_no_constant_column():
    """A flag set in one row of a hundred is absent from most windows of fifty rows."""
    found = compare(MISSING, [0.0] * 50, [0.0] * 990 + [1.0] * 10)
    assert found["constant"].value == 0
    assert found["constant"].p_value == pytest.approx(0.99**50)


def test_the_label_is_left_out():
    """Labels come late; that they are missing is no fault of the log."""
    window = Window(rows=2, columns={"x": column("x", [1.0, 2.0]), "y": column("y", [None, None])})
    assert {m.labels["column"] for m in MISSING.evaluate(context(window, None, label=LABEL))} == {
        "x"
    }


def test_outputs_that_training_data_never_has_are_compared_with_nothing():
    """Training data has no scores; that the log has them is no change."""
    schema = {"score": Field("score", "score", Kind.NUMERIC), "task": Task.BINARY}
    names, full, empty = ("age", "score"), holed(100, 0), holed(100, 100)
    current = Window(rows=100, columns={name: column(name, full) for name in names})
    reference = Window(rows=100, columns={name: column(name, empty) for name in names})
    found = {
        (each.labels["column"], each.name): each
        for each in MISSING.evaluate(context(current, reference, **schema))
    }
    assert found["score", "missing_rate"].was is None
    assert found["score", "missing_increase"].value is None
    assert found["age", "missing_rate"].was == 1.0

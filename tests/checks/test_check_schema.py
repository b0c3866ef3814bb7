"""The schema check: columns that go, come, or change their type, on the first window."""

import pytest
from driftline_plugins.checks.schema import SchemaChange
from profile_builder import severity

from driftline.testing import context, window

CHECK = SchemaChange()
WAS = window(age=[1.0, 2.0, None, 4.0] * 100, plan=["a", "b"] * 200, new=[None] * 400)


def measured(**columns):
    rows = next(len(values) for values in columns.values() if values is not None)
    whole = {"age": [1.0] * rows, "plan": ["a"] * rows, "new": [None] * rows} | columns
    now = window(WAS, **{name: values for name, values in whole.items() if values is not None})
    return {(m.name, m.labels["column"]): m for m in CHECK.evaluate(context(now, WAS))}


@pytest.mark.parametrize(
    "values", [None, [None] * 30, [float("nan")] * 30], ids=["absent", "null", "NaN"]
)
def test_a_column_that_is_gone_is_critical_at_once(values):
    """A quarter of the reference's values is missing, all of the window's are."""
    found = measured(age=values, plan=["a"] * 30)
    gone = found["missing_column", "age"]
    assert (gone.value, severity(CHECK, gone)) == (1, "critical")
    assert gone.p_value < 1e-6
    assert found["missing_column", "plan"].value == 0


def test_a_few_rows_without_value_may_be_chance():
    """5 rows of a column that often has none prove nothing; of one that always has a value they
    do.
    """
    found = measured(age=[None] * 5)
    assert (found["missing_column", "age"].value, found["missing_column", "age"].reason[:11]) == (
        0,
        "so few rows",
    )
    assert measured(plan=[None] * 5)["missing_column", "plan"].value == 1


def test_a_column_that_comes_is_told():
    """Values where the reference had none."""
    found = measured(new=[None, 3.0] * 10)["new_column", "new"]
    assert (found.value, severity(CHECK, found)) == (1, "info")
    assert measured(age=[1.0] * 9)["new_column", "new"].value == 0


@pytest.mark.parametrize(
    ("column", "values", "kind"),
    [
        ("age", ["old"] * 40, "values that are not numbers"),
        ("age", ["old"] * 37 + [1.0] * 3, "values that are not numbers"),
        ("plan", ["1", "2"] * 20, "numbers"),
        ("age", ["old"] * 20 + [1.0] * 20, None),
        ("age", [7.0] * 40, None),
        ("plan", ["never seen"] * 40, None),
    ],
)
def test_another_type_is_critical_at_once(column, values, kind):
    """Nine tenths of the values are of a type that the reference hardly has; half of them are
    not.
    """
    found = measured(**{column: values})["type_changed", column]
    assert (found.value, found.detail.get("type")) == (float(kind is not None), kind)
    if kind:
        assert severity(CHECK, found) == "critical"
    assert measured(**{column: values})["missing_column", column].value == 0


def test_without_a_reference_nothing_has_changed():
    """Each measurement has its reason, as where both sides have no values."""
    found = list(CHECK.evaluate(context(window(age=[1.0]))))
    assert all(m.value is None and "no reference" in m.reason for m in found)
    empty = measured(new=[None] * 20)
    assert (empty["missing_column", "new"].value, empty["type_changed", "new"].value) == (0, None)

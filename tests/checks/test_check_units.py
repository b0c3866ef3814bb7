"""The units check: which conversions it names, and that drift is none."""

import numpy as np
import pytest
from driftline_plugins.checks.units import KNOWN, Units
from profile_builder import categorical, compare, context, judged, numeric

from driftline import Window

UNITS = Units()
LAWS = {
    "temperatures": lambda rng, n: rng.normal(15, 8, n),
    "amounts": lambda rng, n: rng.lognormal(3, 0.8, n),
    "counts": lambda rng, n: rng.poisson(4, n).astype(float),
    "ages": lambda rng, n: rng.integers(18, 90, n).astype(float),
    "standardised": lambda rng, n: rng.normal(0, 1, n),
    "half zero": lambda rng, n: np.where(rng.random(n) < 0.5, 0.0, rng.lognormal(2, 0.7, n)),
}


def changed(law, change, rows=1_000, seed=0):
    rng = np.random.default_rng(seed)
    was, now = law(rng, 10_000), law(rng, rows)
    return compare(UNITS, change(now, was, rng), was)["unit_change"]


@pytest.mark.parametrize("unit", KNOWN, ids=lambda unit: unit.looks)
@pytest.mark.parametrize("law", LAWS)
def test_a_conversion_is_named(law, unit):
    """Each known factor above 3, and Fahrenheit, is found in 1,000 rows of any law whose values
    then lie apart.
    """
    found = [
        changed(LAWS[law], lambda now, was, rng: now * unit.factor + unit.offset, seed=seed)
        for seed in range(4)
    ]
    if unit.offset or not 1 / 3 < unit.factor < 3:
        named = [m for m in found if m.value == unit.factor and m.detail["looks"] == unit.looks]
        assert len(named) >= 3 or (law == "half zero" and unit.offset)
        assert all(judged(UNITS, m) == "changed" for m in named)
        # In wide columns 86,400 is not far from 100,000.
        assert all(m.value == 1 or abs(np.log(m.value / unit.factor)) < 0.2 for m in found)
    else:
        assert all(m.value in (1, unit.factor) for m in found)


@pytest.mark.parametrize("factor", [1.609344, 1 / 1.609344, 2.20462262])
def test_a_small_factor_is_named_where_the_data_pin_it_down(factor):
    """Miles and pounds are found in 20,000 rows, or where values vary little; a factor 5% off is
    drift.
    """
    for law, rows in ((LAWS["ages"], 20_000), (lambda rng, n: rng.normal(100, 10, n), 1_000)):
        assert changed(law, lambda now, was, rng: now * factor, rows).value == factor
        assert changed(law, lambda now, was, rng: now * factor * 1.07, rows).value == 1
    assert changed(LAWS["amounts"], lambda now, was, rng: now * factor, 1_000).value == 1


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(
    "drift",
    [
        lambda now, was, rng: now,
        lambda now, was, rng: now + 3 * was.std(),
        lambda now, was, rng: now + 30 * was.std(),
        lambda now, was, rng: 5 * now,
        lambda now, was, rng: -now,
        lambda now, was, rng: np.where(rng.random(len(now)) < 0.05, 1_000 * now, now),
        lambda now, was, rng: np.where(rng.random(len(now)) < 0.5, 1_000 * now, now),
        lambda now, was, rng: now * rng.lognormal(1, 1, len(now)),
    ],
)
def test_drift_is_no_unit(law, drift):
    """Shifts, other factors, outliers, half of the rows converted and spread noise are not called a
    unit.
    """
    for seed in range(5):
        found = changed(LAWS[law], drift, seed=seed)
        assert found.value == 1
        assert "looks" not in found.detail
        assert judged(UNITS, found) == "ok"


def test_what_has_no_unit_says_why():
    """No reference, other kinds, constants and other grids are reasons; categories are left out
    unless asked for.
    """
    values = [1.0, 2.0, 3.0] * 50
    number, words = numeric("x", values), categorical("x", ["a", "b"] * 75)
    cases = [
        (number, None, "no reference for this column yet"),
        (number, words, "categorical in the reference"),
        (number, numeric("x", [None] * 9), "the reference has no values in this column"),
        (numeric("x", [None] * 9, number.edges), number, "no values in the window"),
        (
            numeric("x", values, np.array([1.5])),
            number,
            "counted on another grid than the reference",
        ),
        (
            numeric("x", [5.0] * 9, number.edges),
            number,
            "one value alone has no unit to be told by",
        ),
        (
            number,
            numeric("x", [5.0] * 9, number.edges),
            "one value alone has no unit to be told by",
        ),
    ]
    for now, was, reason in cases:
        reference = None if was is None else Window(rows=150, columns={"x": was})
        (found,) = UNITS.evaluate(context(Window(rows=150, columns={"x": now}), reference))
        assert (found.value, found.reason) == (None, reason)
    assert list(UNITS.evaluate(context(Window(rows=150, columns={"x": words})))) == []
    asked = Units(columns=("x", "nowhere")).evaluate(
        context(Window(rows=150, columns={"x": words}))
    )
    assert [m.reason for m in asked] == ["not a numeric column", "the window has no such column"]


def test_a_redacted_column_tells_the_factor_and_no_mean():
    """How a column was converted is told; its means stay out."""
    rng = np.random.default_rng(0)
    was = rng.lognormal(3, 0.5, 5_000)
    found = compare(UNITS, 1_000 * was[:800], was, redact=frozenset({"x"}))["unit_change"]
    assert found.detail == {"looks": "values look ×1,000 or 1,024"}

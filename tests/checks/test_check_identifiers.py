"""Columns whose values never come back: they are recognised, and nobody is told."""

from datetime import timedelta

import numpy as np
import pytest
from driftline_plugins.checks.drift import Drift
from driftline_plugins.checks.missing import Missing
from driftline_plugins.checks.range import OutsideRange

from driftline import Field, Kind, Schema
from driftline.evaluate.check_plan import CheckPlan
from driftline.evaluate.evidence.alarm_policy import AlarmPolicy
from driftline.evaluate.evidence.unusual_rule import PastJudge
from driftline.evaluate.judge_windows import Inputs, judge_windows
from driftline.kit.checks import PastValue
from driftline.testing.windows import START, window_of
from driftline.types.model import Verdict
from driftline.types.records import DueWindow, WindowKey
from driftline.types.times import DAY_MICROS, as_micros, from_micros

ROWS = 1_000
CHECKS = (Drift(), OutsideRange(), Missing())


def changes(values_of_day, reference_values, days):
    """The days on which a measurement is changed, and all measurement names."""
    kind = Kind.CATEGORICAL if isinstance(reference_values[0], str) else Kind.NUMERIC
    schema = Schema(features={"x": Field("x", "x", kind)})
    reference = window_of({"x": reference_values}, schema=schema)
    policy = AlarmPolicy(DAY_MICROS)
    past, stored = PastJudge(policy.make_trail(), policy, schema), {}
    changed_days, names = [], set()

    def history(key, check, name, labels, limit):
        return stored.get((check, name, tuple(labels.items())), [])[-limit:]

    for day in range(days):
        start = as_micros(START + timedelta(days=day)) // DAY_MICROS * DAY_MICROS
        window = window_of({"x": values_of_day(day)}, reference, schema=schema)
        due = DueWindow(
            key=WindowKey("m", start, "", ""),
            end=start + DAY_MICROS,
            rows=window.rows,
            revision=0,
        )
        inputs = Inputs(
            schema=schema,
            plans=[CheckPlan(name=check.type, check=check) for check in CHECKS],
            window=lambda _, now=window: now,
            reference=lambda _: reference,
            history=history,
            collect=lambda plan, ctx: list(plan.check.evaluate(ctx)),
            past_judge=past,
        )
        [judged], _ = judge_windows([due], inputs)
        for row in judged.judged:
            m = row.measurement
            names.add(m.name)
            if m.value is not None:
                key = (row.check, m.name, tuple(m.labels.items()))
                earlier = PastValue(from_micros(start), m.value, ROWS, row.verdict)
                stored.setdefault(key, []).append(earlier)
            if row.verdict == Verdict.CHANGED:
                changed_days.append((day, m.name))
    return changed_days, names


def sessions(day, rows=ROWS, rows_each=20):
    return [f"s{day:03d}-{n // rows_each:04d}" for n in range(rows)]


ROTATING = {
    "order ids": (
        lambda day: [f"order-{10_000 + day * ROWS + n}" for n in range(ROWS)],
        [f"order-{n}" for n in range(3_000)],
    ),
    "session ids of 20 rows": (
        lambda day: sessions(day + 10),
        [value for day in range(10) for value in sessions(day)],
    ),
    "dates": (
        lambda day: [f"2026-04-{day + 1:02d}"] * ROWS,
        [f"2026-03-{day + 1:02d}" for day in range(28) for _ in range(100)],
    ),
    "row numbers": (
        lambda day: [float(10_000 + day * ROWS + n) for n in range(ROWS)],
        [float(n) for n in range(10_000)],
    ),
    "times as numbers": (
        lambda day: (1.77e9 + (day + np.random.default_rng(day).random(ROWS)) * 86_400).tolist(),
        (1.77e9 - np.random.default_rng(99).random(5_000) * 30 * 86_400).tolist(),
    ),
    "row numbers of windows as large as the reference": (
        lambda day: [float(ROWS + day * ROWS + n) for n in range(ROWS)],
        [float(n) for n in range(ROWS)],
    ),
    "seconds, in a window wider than the reference": (
        lambda day: [1.79e9 + 500 + 1.5 * (day * ROWS + n) for n in range(ROWS)],
        [1.79e9 + n / 2 for n in range(ROWS)],
    ),
    "day numbers": (
        lambda day: [float(day)] * ROWS,
        [float(-1 - n % 60) for n in range(6_000)],
    ),
}


@pytest.mark.parametrize("kind", ROTATING)
def test_an_identifier_is_told_to_nobody(kind):
    """Ten days in which every value is new; the column is a feature of the model."""
    values_of_day, reference_values = ROTATING[kind]
    changed, names = changes(values_of_day, reference_values, 10)
    assert changed == []
    assert names & {"turnover", "rise"}


@pytest.mark.parametrize(
    ("days_alive", "days_each", "prefix"), [(30, 2, "cmp"), (20, 3, "k-"), (12, 1, "promo 0")]
)
def test_values_that_come_and_go_are_told_at_most_until_most_are_new(days_alive, days_each, prefix):
    """Campaigns run for some weeks: once most of them are new, the column is not compared."""
    rng = np.random.default_rng(4)

    def draw(first, last, rows):
        days = rng.integers(first, last, rows) + rng.integers(0, days_alive, rows)
        return [f"{prefix}{100 + day // days_each}" for day in days]

    reference = draw(-30, 0, 5_000)
    changed, _ = changes(lambda day: draw(day, day + 1, ROWS), reference, 45)
    assert [name for day, name in changed if day > days_alive * 0.75] == []


def test_a_jump_above_the_reference_is_still_told():
    """All values 8 sd higher from the first day on, or from the 40th: a jump is no counter."""
    rng = np.random.default_rng(1)
    reference = rng.normal(0, 1, 5_000).tolist()
    changed, _ = changes(lambda day: rng.normal(8, 0.5, ROWS).tolist(), reference, 4)
    assert {name for day, name in changed if day == 1} >= {"outside_excess"}
    assert {name for day, name in changed if day == 2} >= {"mean_shift", "psi"}


def test_a_shift_that_begins_at_the_largest_value_is_told_on_the_second_day():
    """Even values from 0 to 1, then from 1 to 2: the second window does not rise."""
    rng = np.random.default_rng(4)
    changed, _ = changes(
        lambda day: rng.uniform(1, 2, ROWS).tolist(), rng.uniform(0, 1, 5_000).tolist(), 3
    )
    assert {name for day, name in changed if day == 1} >= {"outside_excess"}


def test_another_spelling_of_many_values_is_still_told():
    """300 towns are written in capitals from the fourth day on: they did not change before."""
    rng = np.random.default_rng(2)
    towns = [f"town {n}" for n in range(300)]
    reference = rng.choice(towns, 6_000).tolist()

    def values_of_day(day):
        names = rng.choice(towns, ROWS).tolist()
        return [name.upper() for name in names] if day >= 3 else names

    changed, _ = changes(values_of_day, reference, 6)
    assert {day for day, name in changed if name == "new_categories"} == {3, 4, 5}


def test_numbered_values_that_all_change_at_noon_are_still_told():
    """Forty shops get other numbers in the middle of a day: the share of new ones jumps."""
    rng = np.random.default_rng(5)
    shops = [f"shop {n}" for n in range(40)]

    def values_of_day(day):
        is_new = day > 6 or (day == 6 and rng.random(ROWS) < 0.5)
        return [f"1{name}" if new else name for name, new in _pairs(day, is_new)]

    def _pairs(day, is_new):
        flags = np.broadcast_to(is_new, ROWS).tolist()
        return zip(rng.choice(shops, ROWS).tolist(), flags, strict=True)

    changed, _ = changes(values_of_day, rng.choice(shops, 6_000).tolist(), 12)
    assert {day for day, name in changed if name == "new_categories"} == set(range(6, 12))


def test_another_spelling_of_few_values_is_told_from_the_first_day():
    """Four plans in lower case are no identifier: they have no digits and are few."""
    rng = np.random.default_rng(3)
    changed, _ = changes(
        lambda day: rng.choice(["gold", "free"], ROWS).tolist(),
        rng.choice(["GOLD", "FREE"], 5_000).tolist(),
        2,
    )
    assert (0, "new_categories") in changed

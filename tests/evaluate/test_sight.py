"""When too little data is worth telling: nothing of a check can be told, and more rows would change
that.
"""

from __future__ import annotations

import pytest
from driftline_plugins.checks.missing import Missing

from driftline import Measurement, Rule, Verdict
from driftline.evaluate.blindness import blindness_fact
from driftline.evaluate.check_plan import CheckPlan, run_check
from driftline.evaluate.evidence.outcome import StreamOutcome
from driftline.evaluate.evidence.unusual_rule import apply_outcome
from driftline.kit.checks import Unusual
from driftline.testing import context, window
from driftline.types.model import Judgement
from driftline.types.monitoring_kind import MonitoringKind
from driftline.types.records import DueWindow, JudgedMeasurement, WindowKey

DAY, HOUR = 86_400_000_000, 3_600_000_000
MEAN = Unusual(info=0.1, warning=0.25)


def row(
    lacks_data=True,
    verdict="unsure",
    rows=20,
    column="age",
    reason="10 more rows are needed: 20 of 30",
):
    return JudgedMeasurement(
        check="drift",
        measurement=Measurement(0.1, {"column": column}, name="psi"),
        judgement=Judgement(verdict=Verdict(verdict), reason=reason) if verdict else None,
        rows=rows,
        lacks_data=lacks_data,
    )


def seen(rows, length=DAY):
    return blindness_fact(
        DueWindow(key=WindowKey("m", 0, "", ""), end=length, rows=20, revision=0), "drift", rows
    )


def test_it_is_told_when_nothing_can_be_told():
    """The number with the most rows is named with what it lacks, and the others are counted."""
    fact = seen(
        [
            row(),
            row(column="income", rows=25, reason="5 more rows are needed: 25 of 30"),
            row(verdict=""),
        ]
    )
    assert (fact.measurement, fact.verdict, fact.judgement.severity, fact.judged.rows) == (
        MonitoringKind.UNSURE,
        Verdict.CHANGED,
        "info",
        25,
    )
    assert fact.judgement.reason == "income: 5 more rows are needed: 25 of 30 (and 1 more number)"


@pytest.mark.parametrize(
    "other",
    [
        row(verdict="ok", lacks_data=False),
        row(verdict="changed", lacks_data=False),
        row(lacks_data=False),
    ],
)
def test_one_number_that_can_be_told_is_enough(other):
    """Also one that is unsure for another reason than too few rows."""
    assert seen([row(), other]).verdict is Verdict.OK


def test_nothing_judged_says_nothing():
    """Windows without rows, and checks that could not run, neither begin nor end it."""
    assert seen([]) is None
    assert seen([row(verdict="error"), row(verdict="")]) is None


@pytest.mark.parametrize(
    ("length", "windows"), [(HOUR, 168), (DAY, 7), (7 * DAY, 7), (5 * HOUR, 34)]
)
def test_it_takes_a_week_of_windows(length, windows):
    """And seven of long ones."""
    assert seen([row()], length).for_windows == windows


@pytest.mark.parametrize(
    ("visible", "missing", "blind"), [(0.4, 0, True), (0.2, 0, False), (0.4, 5, False)]
)
def test_what_is_judged_by_its_past_is_blind_where_no_warning_would_be_seen(
    visible, missing, blind
):
    """Not while it learns, and not when a change worth a warning would be seen within seven
    windows.
    """
    measured = JudgedMeasurement(
        check="drift",
        measurement=Measurement(0.02, {"column": "age"}, name="mean_shift", unit="sd"),
        judgement=Judgement(verdict=Verdict.UNSURE),
        rows=800,
        past_rule=MEAN,
    )
    found = apply_outcome(
        measured,
        MEAN,
        StreamOutcome(windows=28, missing_windows=missing, sd=0.3, detectable_effect=visible),
        trace=b"",
    )
    assert (found.verdict, found.lacks_data) == ("unsure", blind)
    if not missing:
        assert found.reason.endswith(f"{visible} sd shows within 7 windows")


@pytest.mark.parametrize(
    ("value", "rows", "rule", "blind"),
    [
        (0.09, 100, Rule(above={"warning": 0.1}), True),
        (0.01, 100, Rule(above={"warning": 0.1}), False),
        (None, 100, Rule(above={"warning": 0.1}), False),
        (None, 10, Rule(above={"warning": 0.1}), True),
        (0.01, 10, Rule(unusual={}), True),
        (0.01, 100, Rule(shewhart={}), False),
    ],
    ids=["astride", "within", "no number", "few rows", "few for its past", "a chart that learns"],
)
def test_what_lacks_rows_by_rule(value, rows, rule, blind):
    """A bound within the interval and fewer rows than asked for are too little data; a past to come
    and no number aren't.
    """
    number = Measurement(
        value,
        name="missing_rate",
        rows=rows,
        interval=None if value is None else (0.0, value + 0.05),
    )
    plan = CheckPlan(
        name="own",
        check=Missing(),
        rules=(rule.model_copy(update={"measurement": "missing_rate"}),),
        min_rows=30,
    )
    [found] = run_check(plan, context(window(x=[1.0] * 50)), lambda plan, ctx: [number])
    assert found.lacks_data is blind

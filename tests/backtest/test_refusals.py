"""Columns that alarm of themselves are not paged for, and stay in sight."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from driftline import Check, Measurement
from driftline.contracts.rule import Unusual
from driftline.evaluate.check_plan import CheckPlan
from driftline.evaluate.judge_windows import facts_of
from driftline.types.model import Judgement, Severity, Verdict
from driftline.types.records import DueWindow, JudgedMeasurement, WindowKey

DAY = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp() * 1_000_000)


class Some(Check):
    """A check."""

    type = "some"

    def evaluate(self, ctx):
        """Nothing."""
        return []


def severity(column, watched, severity=Severity.CRITICAL):
    """What alerting is told of a changed measurement."""
    plan = CheckPlan(name="some", check=Some(), warn_only=frozenset({"noisy"}))
    measurement = Measurement(1.0, {"column": column}, name="some")
    row = JudgedMeasurement(
        check="some",
        measurement=measurement,
        judgement=Judgement(verdict=Verdict.CHANGED, severity=severity),
        rows=10,
        past_rule=Unusual() if watched else None,
    )
    [fact] = facts_of(
        DueWindow(key=WindowKey("m", DAY, "", ""), end=DAY + 1, rows=10, revision=0),
        plan,
        [row],
        "",
    )
    assert fact.verdict is Verdict.CHANGED
    return fact.judgement.severity


@pytest.mark.parametrize(
    ("column", "watched", "said", "told"),
    [
        ("noisy", True, Severity.CRITICAL, Severity.WARNING),
        ("noisy", True, Severity.INFO, Severity.INFO),
        ("noisy", False, Severity.CRITICAL, Severity.CRITICAL),
        ("other", True, Severity.CRITICAL, Severity.CRITICAL),
    ],
)
def test_only_what_the_usual_says_of_such_a_column_is_at_most_a_warning(
    column, watched, said, told
):
    """A bound that somebody chose pages as before, and so do other columns."""
    assert severity(column, watched, said) is told

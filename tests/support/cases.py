"""Notifications as the agent makes them: through the step, from facts as the shipped checks measure
them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from facts import flat_fact

from driftline import Notification, Severity, Verdict
from driftline.alerting import AlertingState, Fact, step
from driftline.types.family import Family
from driftline.types.monitoring_kind import MonitoringKind

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
WARNING, CRITICAL = Severity.WARNING, Severity.CRITICAL


def fact(hour: int, column: str = "", verdict: str = "changed", **given: Any) -> Fact:
    whole = {
        "model": "churn", "version": "v3", "cause": "drift", "check": "input_drift", "measurement": "psi", "rows": 41_202,
        "severity": CRITICAL if verdict == "changed" else None, "reason": "above 0.25" if verdict == "changed" else "",
        "labels": (("column", column),) if column else (), "reference": "train.parquet, 2,666 rows",
    }  # fmt: skip
    return flat_fact(
        start=START + hour * HOUR,
        end=START + (hour + 1) * HOUR,
        verdict=Verdict(verdict),
        **{**whole, **given},
    )


def day_mins(hour: int, verdict: str = "changed") -> Fact:
    detail = {"mean_was": 180.3, "mean": 10_790.0, "shift_sd": 195.2, "raw": 6.2, "cells": 10}
    if verdict == "ok":
        detail = {"mean_was": 180.3, "mean": 181.0, "shift_sd": 0.013}
    return fact(
        hour,
        "Day Mins",
        verdict,
        **(
            {"value": 6.1, "interval": (5.8, 6.4)}
            if verdict == "changed"
            else {"value": 0.01, "interval": (0.0, 0.02)}
        ),
        detail=detail,
    )


def plan(hour: int, verdict: str = "changed") -> Fact:
    detail = {"share_was": 0.01, "share": 0.41, "category": "premium", "raw": 0.5, "cells": 3}
    return fact(
        hour,
        "plan",
        verdict,
        value=0.48,
        interval=(0.4, 0.56),
        severity=WARNING,
        reason="above 0.1",
        detail=detail,
    )


def unseen(hour: int) -> Fact:
    detail = {"new": 2, "categories": "gold, platinum"}
    return fact(
        hour, "plan", measurement="new_categories", value=0.041, unit="share", severity=WARNING, reason="above 0.01",
        detail=detail, interval=(0.039, 0.043),
    )  # fmt: skip


def lives() -> dict[str, Notification]:
    """One notification for each thing that people may be told."""
    found: dict[str, Notification] = {}

    def run(name: str, *windows: list[Fact]) -> None:
        state, last = AlertingState(), None
        for facts in windows:
            done = step(state, facts, START)
            state, last = done.state, done.changes[-1] if done.changes else last
        assert last is not None
        found[name] = last.notification

    run("opened", [day_mins(0)])
    run("several", [day_mins(0), plan(0), unseen(0)])
    run("updated", [day_mins(0)], [day_mins(1), plan(1)])
    run("resolved", [day_mins(0)], [day_mins(1)], [day_mins(2, "ok")])
    missing = {
        "cause": "quality",
        "check": "nulls",
        "measurement": "missing_increase",
        "value": 0.31,
        "interval": (0.3, 0.32),
    }
    run(
        "missing",
        [
            fact(
                0,
                "Eve Mins",
                reason="above 0.2",
                detail={"missing": 0.31, "missing_was": 0.0},
                **missing,
            )
        ],
    )
    drop = {
        "cause": "performance",
        "check": "quality",
        "measurement": "drop",
        "value": 0.13,
        "interval": (0.1, 0.16),
    }
    run(
        "performance",
        [
            fact(
                0,
                reason="above 0.05",
                detail={
                    "metric": "accuracy",
                    "accuracy_was": 0.84,
                    "accuracy": 0.71,
                    "shown_low": 0.69,
                    "shown_high": 0.73,
                },
                **drop,
            )
        ],
    )
    silent = {
        "cause": "service",
        "check": "traffic",
        "measurement": "rows_ratio",
        "value": 0.0,
        "rows": 0,
        "was": 1.0,
    }
    run(
        "silence",
        [fact(0, reason="below 0.1", detail={"rows": 0, "rows_expected": 41_000}, **silent)],
    )
    broken = {
        "cause": "monitoring",
        "check": "source",
        "measurement": MonitoringKind.READING.value,
        "value": None,
        "version": "",
        "rows": 0,
    }
    run("monitoring", [fact(0, reason="bucket ml-logs can't be listed: AccessDenied", **broken)])
    many = [
        fact(0, f"feature_{number:03}", value=6 - number / 100, version="v4")
        for number in range(300)
    ]
    run("many", many)
    nasty = "=1+1 <!channel> `*_~|&\n\r\x1b[31m\u202e<https://evil.example|Open> " + "x" * 5000
    names = {
        "model": nasty,
        "version": nasty,
        "check": nasty,
        "reason": nasty,
        "reference": nasty,
        "segment": nasty,
    }
    detail = {"category": nasty, "share_was": 0.0, "share": 0.0004, nasty: nasty}
    run("hostile", [fact(0, nasty, value=1e300, detail=detail, **names)])
    found["hostile"] = found["hostile"].model_copy(
        update={
            "links": {nasty: "https://ok.example/?a=1&b=<x>|y", "js": "javascript:alert(1)"},
            "facts": {nasty: nasty},
        }
    )
    found["unheard"] = found["resolved"].model_copy(update={"sent_before": False})
    found["linked"] = found["opened"].model_copy(
        update={
            "links": {"Evidence": "https://agent.example/i/inc_1?a=b&c=d"},
            "facts": {"why": "first alert", "owner": "team <growth>"},
        }
    )
    lacking = "Day Mins: about 12,000 more rows a window are needed: 800 here; 0.4 sd shows within 7 windows (and 3 more numbers)"
    blind = {
        "cause": Family.MONITORING.value,
        "measurement": MonitoringKind.UNSURE.value,
        "severity": Severity.INFO,
        "version": "",
        "reference": "",
        "rows": 800,
    }
    [change] = step(AlertingState(), [fact(0, **blind, reason=lacking)], START + HOUR).changes
    found["unsure"] = change.notification
    return found

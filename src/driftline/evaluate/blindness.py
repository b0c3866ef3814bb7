"""Whether a check can tell anything at all: too little data, for a week of windows, is something
that people should know.

Refuses to cry for one window, for the first weeks in which it is learned what is usual, and for
labels that are still to come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from driftline.alerting.fact import UNSURE, Fact, trouble
from driftline.state.tables import moment
from driftline.types.model import Severity, Verdict
from driftline.types.records import DueWindow, JudgedMeasurement

WEEK = 7 * 86_400_000_000
LEAST = 7
"""Windows, where they are longer than a day."""


def blindness_fact(due: DueWindow, check: str, judged: Sequence[JudgedMeasurement]) -> Fact | None:
    """Whether nothing that `check` judged in one span of time could be told; None where it judged
    nothing.
    """
    rows = [row for row in judged if row.verdict and row.verdict != Verdict.ERROR]
    if not rows:
        return None
    blind = [row for row in rows if row.blind]
    span = moment(due.key.start), moment(due.end)
    needed = max(LEAST, -(-WEEK // (due.end - due.key.start)))
    reason = _reason(blind) if len(blind) == len(rows) else ""
    fact = trouble(
        due.key.model, check, UNSURE, reason, span, needed=needed, revision=due.revision + 1
    )
    return (
        replace(fact, severity=Severity.INFO, rows=max(row.rows for row in blind))
        if reason
        else fact
    )


def _reason(blind: Sequence[JudgedMeasurement]) -> str:
    """What the series with the most rows lacks, and the number of the others."""
    most = max(blind, key=lambda row: row.rows)
    about = " ".join(most.measurement.labels.values()) or most.measurement.name.replace("_", " ")
    others = f" (and {len(blind) - 1} more numbers)" if len(blind) > 1 else ""
    return f"{about}: {most.reason}{others}"

"""Writes the results of a comparison: judged measurements as findings, records and sentences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from driftline.alerting.describe import LONGEST_REASON, describe_difference, rank_key
from driftline.comparison.records import Bar, ColumnComparison, Finding
from driftline.evaluate.first_report import relative_difference
from driftline.extensions.phrasebook import Line, Phrasebook
from driftline.types.model import Schema, Verdict
from driftline.types.notification import AlertFact
from driftline.types.phrasing import clean
from driftline.types.records import DueWindow, JudgedMeasurement

VERDICT_ORDER = (Verdict.CHANGED, Verdict.UNSURE, Verdict.ERROR, Verdict.OK)
"""The most important first."""

FindingPair = tuple[Finding, AlertFact]
"""A finding, and the alert that words it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonWriter:
    """Writes what judged measurements say: each as a finding, and those of one subject as a record.

    The sentences are those of the agent's messages.
    """

    schema: Schema
    phrasebook: Phrasebook
    now: datetime
    """The time of the comparison, which the records do not show."""

    def write_finding(self, due: DueWindow, row: JudgedMeasurement) -> tuple[Finding, AlertFact]:
        """Return a measurement with its verdict, and the alert that words it."""
        assert row.judgement is not None
        size = relative_difference(due, row, self.schema)
        alert = describe_difference(row, self.now)
        labels = dict(alert.labels) | ({"segment": due.key.segment} if due.key.segment else {})
        changes: dict[str, object] = {"labels": labels}
        if row.judgement.verdict is Verdict.CHANGED and row.judgement.severity is not None:
            changes |= {
                "state": "firing",
                "severity": row.judgement.severity,
                "reason": clean(row.judgement.reason, LONGEST_REASON),
                "bound": row.judgement.bound,
            }
        alert = alert.model_copy(update=changes)
        m = row.measurement
        finding = Finding(
            check=row.check,
            measurement=m.name,
            labels=labels,
            verdict=str(row.judgement.verdict),
            severity=str(row.severity),
            value=m.value,
            was=m.was,
            interval=m.interval,
            unit=m.unit,
            rows=row.rows,
            size=size,
            reason=clean(row.judgement.reason, LONGEST_REASON),
            text=self.phrasebook.figure(alert),
        )
        return finding, alert

    def terms(self, pairs: Iterable[FindingPair], texts: Iterable[str]) -> dict[str, str]:
        """Return what the names of numbers mean that stand in some texts, by name."""
        whole = "\n".join(texts)
        meanings = {
            self.phrasebook.noun(alert): self.phrasebook.wording(alert).meaning
            for _, alert in pairs
        }
        return {
            noun: meaning
            for noun, meaning in sorted(meanings.items())
            if meaning and re.search(rf"(?<!\w){re.escape(noun)}(?!\w)", whole)
        }

    def write_record(
        self,
        name: str,
        kind: str,
        pairs: Sequence[FindingPair],
        bars: Sequence[tuple[str, float, float]] = (),
    ) -> ColumnComparison:
        """Return the record of the measurements about one subject."""
        pairs = sorted(pairs, key=lambda pair: (_place(pair[0]), rank_key(pair[1]), -pair[0].size))
        # A number that can't exist, such as the spread of a constant, decides nothing by itself.
        measured = [pair for pair in pairs if pair[0].value is not None] or pairs
        verdict = measured[0][0].verdict if measured else str(Verdict.OK)
        shown = [alert for finding, alert in measured if finding.verdict == Verdict.CHANGED]
        if not shown:
            shown = [alert for finding, alert in measured if finding.size > 0]
        parts = [part for line in self.phrasebook.lines(shown) for part in _parts(name, line)]
        # A number with its interval says all that the number alone does.
        parts = [
            part
            for part in parts
            if not any(other.startswith(f"{part} [") for other in parts if other != part)
        ]
        if not parts and verdict in (Verdict.UNSURE, Verdict.ERROR):
            reasons = dict.fromkeys(
                finding.reason for finding, _ in measured if finding.verdict == verdict
            )
            parts = [reason for reason in reasons if reason]
        text = " · ".join(parts)
        return ColumnComparison(
            name=name,
            kind=kind,
            verdict=str(verdict),
            size=max((finding.size for finding, _ in pairs), default=0.0),
            text=text,
            findings=tuple(finding for finding, _ in pairs),
            bars=tuple(Bar(name=bar[0], reference=bar[1], current=bar[2]) for bar in bars),
        )


def _place(finding: Finding) -> int:
    return VERDICT_ORDER.index(Verdict(finding.verdict))


def record_key(record: ColumnComparison) -> tuple[int, float, str]:
    """Return the key to sort records by: changed first, then the largest."""
    return VERDICT_ORDER.index(Verdict(record.verdict)), -record.size, record.name


def _parts(name: str, line: Line) -> Iterable[str]:
    """Yield the parts of a line; those of one category, group or second column name it."""
    subject = line.subject.removeprefix(name).removesuffix(f" of {name}").strip()
    in_name = line.subject == name or name.endswith(f" {line.subject}")
    rest = "" if in_name else subject
    noun = name.removesuffix(line.subject).strip()
    for place, part in enumerate(line.parts):
        text = part.removeprefix(f"{name} ").removeprefix(f"{noun} ")
        yield f"{rest}: {text}" if rest and place == 0 else text

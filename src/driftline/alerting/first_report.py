"""Writes the first report of a model version: what was read, and how it compares.

A report is a message without an incident: it is sent once, and nothing has to be resolved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from driftline.alerting.describe import LONGEST, describe_difference
from driftline.alerting.fact import hash_parts, message_id
from driftline.alerting.incident import MOST_ALERTS, Change, TimeSpan
from driftline.alerting.title import LENGTH, NAME_LENGTH
from driftline.extensions.phrasebook import Phrasebook
from driftline.types.incident import Incident, Reason
from driftline.types.model import Severity
from driftline.types.notification import IN_ALL, WHY, Event, Notification
from driftline.types.phrasing import clean, count, duration, number, span
from driftline.types.records import JudgedMeasurement
from driftline.types.window_lengths import LENGTHS, sufficient_length

CAUSE = "report"
MOST_EXAMPLES = 2
"""Measurements without a verdict that the report names."""
VALUE_DIGITS = 2
"""Significant digits of a smallest value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowCounts:
    """The rows that were read for a model version."""

    rows: int
    windows: int
    span: TimeSpan
    """Begin of its first window and end of its newest one."""
    rejected: int = 0
    """Records of the model that could not be read."""
    held: int = 0
    """Rows of the model without a usable time, or too late."""
    unpaired: int = 0
    """Requests and responses of the model without their other half."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The smallest differences of one measurement that would be found."""

    row: JudgedMeasurement
    """A measurement of this kind: its name, check and unit."""
    at_once: float | None
    """The difference from the reference that two windows, or two whole days, in a row prove.

    The median over the columns.
    """
    in_time: float | None
    """The difference that is found within 7 windows; None until it is known what is usual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceComparison:
    """How some windows together compare with the reference."""

    has_reference: bool
    span: TimeSpan
    """Begin and end of the windows."""
    rows: int
    """Rows of the windows."""
    columns: tuple[str, ...]
    """The columns that were compared."""
    differences: tuple[JudgedMeasurement, ...]
    """The measurements that surely differ, the largest difference first."""
    undecided: tuple[JudgedMeasurement, ...]
    """Measurements without a verdict, each with its reason."""

    @property
    def differing_columns(self) -> tuple[str, ...]:
        """The columns with a difference, the largest first."""
        names = (row.measurement.labels.get("column", "") for row in self.differences)
        return tuple(dict.fromkeys(name for name in names if name))


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstReport:
    """All that a first report says."""

    model: str
    version: str
    reference: str
    """Name of the reference."""
    counts: RowCounts
    comparison: ReferenceComparison
    sights: Sequence[Sight]
    window_rows: int
    """Rows of the newest window, or of a day of such windows where they are shorter."""
    block: str
    """What is compared with the reference one by one: `windows` or `days`."""
    learning: timedelta
    """Time until it is known what is usual."""
    length: timedelta
    """That of a window."""
    needed_rows: Mapping[str, int]
    """Rows that a window needs to be compared with the reference, by check."""

    @property
    def checks_without_rows(self) -> tuple[str, ...]:
        """Checks that need more rows than a window has on average."""
        mean = self.counts.rows / max(self.counts.windows, 1)
        return tuple(name for name, rows in self.needed_rows.items() if rows > mean)


def write_report(report: FirstReport, phrasebook: Phrasebook) -> Change:
    """Write the message of a first report, as the only change of something that is no incident."""
    counts, comparison = report.counts, report.comparison
    id = "rep_" + hash_parts(report.model, report.version, length=16)
    title = _title(report)
    alerts = tuple(describe_difference(row, comparison.span[0]) for row in comparison.differences)
    alert_count = len(alerts) if len(alerts) > MOST_ALERTS else 0
    message_facts = {WHY: Reason.FIRST_REPORT.text}
    message_facts |= {IN_ALL: str(alert_count)} if alert_count else {}
    notification = Notification(
        id=message_id(id, 1),
        incident=id,
        revision=1,
        event=Event.REPORT,
        model=clean(report.model, LONGEST),
        model_version=clean(report.version, LONGEST),
        cause=CAUSE,
        severity=Severity.INFO,
        title=title,
        since=counts.span[0],
        window=comparison.span,
        rows=comparison.rows,
        reference=clean(report.reference, LONGEST) if comparison.has_reference else "",
        alerts=alerts[:MOST_ALERTS],
        facts=message_facts | _facts(report, phrasebook),
        reason=Reason.FIRST_REPORT,
        reason_text=Reason.FIRST_REPORT.text,
        alert_count=alert_count,
        own_facts=frozenset(message_facts),
        sent_before=False,
    )
    subject = Incident(
        id=id,
        model=report.model,
        cause=CAUSE,
        since=counts.span[0],
        revision=1,
        title=title,
        opened_at=counts.span[1],
        resolved_at=counts.span[1],
    )
    return Change(
        incident=subject,
        event=Event.REPORT,
        reason=Reason.FIRST_REPORT,
        at=counts.span[1],
        notification=notification,
    )


def _title(report: FirstReport) -> str:
    counts, comparison = report.counts, report.comparison
    version = f" of version {clean(report.version, NAME_LENGTH)}" if report.version else ""
    length = counts.span[1] - counts.span[0]
    first = "first day" if length == timedelta(days=1) else _length(length)
    text = f"{clean(report.model, NAME_LENGTH)}: {first}{version} read: {count(counts.rows, 'row')}"
    text += f"; {_result(comparison)}"
    if report.checks_without_rows:
        text += f"; windows are too short to judge {_blind_checks(report)}"
    return clean(text, LENGTH)


def _blind_checks(report: FirstReport) -> str:
    names = [clean(name, NAME_LENGTH) for name in report.checks_without_rows]
    if len(names) == len(report.needed_rows):
        return "columns"
    more = f" and {len(names) - MOST_EXAMPLES} more" if len(names) > MOST_EXAMPLES else ""
    return ", ".join(names[:MOST_EXAMPLES]) + more


def _too_few_rows(report: FirstReport) -> str:
    """How many rows windows lack, and which length would do."""
    mean = report.counts.rows / max(report.counts.windows, 1)
    needed = max(report.needed_rows[name] for name in report.checks_without_rows)
    micros = report.length // timedelta(microseconds=1)
    would_do = sufficient_length(mean, micros, needed)
    text = (
        f"a window of {duration(report.length.total_seconds())} has about "
        f"{count(round(mean), 'row')}, and {needed:,} are needed to judge {_blind_checks(report)}"
    )
    if would_do is None:
        return f"{text}; no length up to {list(LENGTHS)[-1]} has as many"
    rows = round(mean * LENGTHS[would_do] / micros)
    return f"{text}; with windows.length: {would_do} it has about {rows:,}"


def _result(comparison: ReferenceComparison) -> str:
    if not comparison.has_reference:
        return "no reference to compare with yet"
    differing, total = len(comparison.differing_columns), len(comparison.columns)
    if not total:
        return "its checks compare no column"
    if total == 1:
        return f"its only column {'differs' if differing else 'does not differ'} from the reference"
    if not differing:
        return f"none of {total} columns differs from the reference"
    verb = "differs" if differing == 1 else "differ"
    return f"{differing} of {total} columns {verb} from the reference"


def _facts(report: FirstReport, phrasebook: Phrasebook) -> dict[str, str]:
    """What the report says in sentences, by label."""
    counts, comparison = report.counts, report.comparison
    not_used = [
        f"{records:,} {text}"
        for records, text in (
            (counts.rejected, "records could not be read"),
            (counts.held, "rows have no usable time or came too late"),
            (counts.unpaired, "requests or responses lack the other half"),
        )
        if records
    ]
    facts = {
        "read": f"{count(counts.rows, 'row')} in {count(counts.windows, 'window')}, "
        f"{span(*counts.span)}; " + (", ".join(not_used) or "every record could be used")
    }
    if comparison.has_reference:
        length = _length(comparison.span[1] - comparison.span[0])
        part = "all of it" if comparison.span == counts.span else f"the newest {length}"
        facts["compared"] = f"{part} with {report.reference}: {_result(comparison)}"
    if report.checks_without_rows:
        facts["too few rows"] = _too_few_rows(report)
    if report.sights:
        facts["what can be seen"] = _sight_text(report, phrasebook)
    blind = _blind_text(report, phrasebook)
    if blind:
        facts["what can't be seen"] = blind
    if comparison.has_reference and comparison.differences:
        begin, end = comparison.span
        facts["to accept it as normal"] = (
            f"set reference: {{window: {begin:%Y-%m-%dT%H:%M}/{end:%Y-%m-%dT%H:%M}}} "
            f"for {clean(report.model, NAME_LENGTH)}"
        )
    return facts


def _sight_text(report: FirstReport, phrasebook: Phrasebook) -> str:
    at_once = _values(report, phrasebook, [(sight, sight.at_once) for sight in report.sights])
    in_time = _values(report, phrasebook, [(sight, sight.in_time) for sight in report.sights])
    rows = f"about {report.window_rows:,} rows"
    parts = [f"two {report.block} of {rows} show changes of {at_once}"] if at_once else []
    if in_time:
        parts.append(f"seven {'' if parts else f'{report.block} of {rows} '}one of {in_time}")
    else:
        days = duration(report.learning.total_seconds())
        parts.append(f"smaller ones after {days}")
    return "; ".join(parts)


def _values(
    report: FirstReport, phrasebook: Phrasebook, values: Sequence[tuple[Sight, float | None]]
) -> str:
    texts = []
    for sight, value in values:
        if value is None:
            continue
        fact = describe_difference(sight.row, report.counts.span[0])
        short = float(f"{value:.{VALUE_DIGITS}g}")
        unit = fact.unit
        size = f"{number(100 * short)} points" if unit == "share" else f"{number(short)} {unit}"
        texts.append(f"{phrasebook.noun(fact)} {size}".strip())
    return ", ".join(texts)


def _blind_text(report: FirstReport, phrasebook: Phrasebook) -> str:
    """The measurements without a verdict: some examples with their reasons, and their number."""
    undecided = report.comparison.undecided
    texts = []
    for row in undecided[:MOST_EXAMPLES]:
        fact = describe_difference(row, report.counts.span[0])
        column = clean(row.measurement.labels.get("column", ""), NAME_LENGTH)
        noun = phrasebook.noun(fact)
        texts.append(f"{noun}{f' of {column}' if column else ''} ({row.reason})")
    others = len(undecided) - len(texts)
    return ", ".join(texts) + (f", {others} more" if others > 0 else "")


def _length(length: timedelta) -> str:
    """A length for people: `90 days`, `1 day`, `5 h`."""
    days = length.total_seconds() / 86_400
    if days >= 1:
        whole = round(days)
        return f"{whole} day{'' if whole == 1 else 's'}"
    return duration(length.total_seconds())

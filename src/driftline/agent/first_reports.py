"""The first report of a model version: when it is due, and what it is made of.

It is due after the first day of a version, or at the end of a backlog, at most once a week for a
model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from driftline.agent.reference_state import ReferenceState
from driftline.alerting.first_report import FirstReport, RowCounts, write_report
from driftline.alerting.incident import Change
from driftline.evaluate.evidence.alarm_policy import AlarmPolicy
from driftline.evaluate.first_report import compare_with_reference, find_sight, needed_rows
from driftline.evaluate.judge_windows import Inputs, JudgedWindow
from driftline.extensions.phrasebook import Phrasebook, installed_phrasebook
from driftline.profiles.profile import Collectors
from driftline.state import accounts, reports
from driftline.state.reports import ReadSpan
from driftline.types.records import DueWindow, WindowKey
from driftline.types.times import DAY, from_micros

BETWEEN_REPORTS = timedelta(days=7)
"""The least time between two reports of one model, however many versions it has."""
COMPARED_SPAN = timedelta(days=7)
"""The newest rows that are compared with the reference."""
MOST_WINDOWS = 400
"""The most windows that are read again for a report."""


@dataclass(frozen=True, kw_only=True)
class FirstReports:
    """Makes the first reports of one model."""

    model: str
    reference: ReferenceState
    collectors: Collectors
    phrasebook: Phrasebook | None = None

    def make(
        self,
        connection: Connection,
        group: Sequence[JudgedWindow],
        inputs: Inputs,
        policy: AlarmPolicy,
        now: datetime,
    ) -> Change | None:
        """Make the report that is due once `group`, the newest windows, is judged.

        Returns None where none is due.
        """
        windows = [judged for judged in group if judged.due.key.segment == "" and judged.due.rows]
        stored = reports.load_reports(connection, self.model)
        if not windows or (stored and now - from_micros(stored[0].at) < BETWEEN_REPORTS):
            return None
        reported = {report.version for report in stored}
        for judged in sorted(windows, key=lambda judged: -judged.due.rows):
            version = judged.due.key.version
            if version in reported:
                continue
            read = reports.find_read_span(connection, self.model, version, judged.due.end)
            if read is not None and now - from_micros(read.start) >= DAY:
                report = self._collect(connection, judged, read, inputs, policy)
                return write_report(report, self.phrasebook or installed_phrasebook())
        return None

    def _collect(
        self,
        connection: Connection,
        judged: JudgedWindow,
        read: ReadSpan,
        inputs: Inputs,
        policy: AlarmPolicy,
    ) -> FirstReport:
        version, spec = judged.due.key.version, self.reference.spec
        since = max(read.start, read.end - int(COMPARED_SPAN.total_seconds() * 1_000_000))
        profile = reports.load_newest_profile(
            connection,
            self.model,
            version,
            since=since,
            until=read.end,
            most=MOST_WINDOWS,
            spec=spec,
            collectors=self.collectors,
        )
        due = DueWindow(
            key=WindowKey(self.model, since, version, ""),
            end=read.end,
            rows=profile.rows,
            revision=0,
        )
        window = profile.window(
            start=from_micros(since), end=from_micros(read.end), version=version
        )
        totals = accounts.load_totals(connection, self.model, trouble=0)
        per_block = policy.day_windows if policy.has_day_blocks else 1
        return FirstReport(
            model=self.model,
            version=version,
            reference=self.reference.name,
            counts=RowCounts(
                rows=read.rows,
                windows=read.windows,
                span=(from_micros(read.start), from_micros(read.end)),
                rejected=totals.rejected_rows,
                held=totals.held_rows,
                unpaired=totals.unpaired_rows,
            ),
            comparison=compare_with_reference(due, window, inputs),
            sights=find_sight(judged.judged, per_block),
            window_rows=round(read.rows / read.windows * per_block),
            block="days" if policy.has_day_blocks else "windows",
            learning=timedelta(microseconds=policy.min_windows * policy.length),
            length=timedelta(microseconds=policy.length),
            needed_rows=needed_rows(inputs),
        )

"""Judges the windows that are due, oldest first, each span of time in one transaction.

A window is due when it ended before the time up to which the source was read. What only judging
needs is imported where it is used: most passes of an agent have no window to judge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING

from sqlalchemy.engine import Connection

from driftline.agent.callbacks import Callbacks
from driftline.agent.decision_log import record_decision
from driftline.agent.model_alerts import ModelAlerts
from driftline.agent.model_settings import ModelSettings
from driftline.agent.reference_state import ReferenceState
from driftline.agent.window_cache import WindowCache
from driftline.alerting.incident import Change
from driftline.contracts.check import PastValue
from driftline.evaluate.check_plan import CheckPlan, Collect
from driftline.evaluate.decide import find_remedies, make_decision, with_decision
from driftline.ingest.read.job import Job
from driftline.profiles.collector import Collector
from driftline.profiles.profile import Collectors, Profile
from driftline.profiles.window import Window
from driftline.state import measurements, models, traces, windows
from driftline.state.earlier_values import EarlierValues
from driftline.state.joined_windows import join_windows, list_base_keys, load_joined_profile
from driftline.state.measurement_dictionaries import OpenDictionary
from driftline.state.store import Store
from driftline.state.trailing import TrailingProfiles
from driftline.types.family import Family
from driftline.types.model import Decision, Verdict
from driftline.types.records import DueWindow, JudgedMeasurement, WindowKey
from driftline.types.times import as_micros, from_micros

if TYPE_CHECKING:
    import pyarrow as pa

    from driftline.agent.first_reports import FirstReports
    from driftline.evaluate.evidence.unusual_rule import PastJudge
    from driftline.evaluate.judge_windows import HistoryOf, Inputs, JudgedWindow
    from driftline.evaluate.reference_range import ReferenceRange, SeriesKey

CUT_SHARE = 0.05
"""Share of a window without rows at its end from which on the log's end may cut it."""
BATCH = 100
"""Spans of time whose windows are listed at once."""


@dataclass(slots=True, kw_only=True)
class ClosingReport:
    """The result of closing windows."""

    windows: int = 0
    """Spans of time that were judged."""
    silenced_windows: int = 0
    """Of these, those that ended too long ago for a message (`windows.notify_within`)."""
    verdicts: dict[str, int] = field(default_factory=dict)
    """Number of measurements, by verdict."""
    changes: list[Change] = field(default_factory=list)
    newest_rows: list[tuple[WindowKey, JudgedMeasurement]] = field(default_factory=list)
    """Measurements of the newest window."""


@dataclass(frozen=True, kw_only=True)
class ModelEvaluation:
    """What the checks of one model are evaluated with."""

    model: str
    reference: ReferenceState
    plans: Sequence[CheckPlan]
    collectors: Collectors
    collect: Collect
    length: int = 0
    """Length of a base window in microseconds, where windows are joined; else 0."""

    def inputs(
        self,
        connection: Connection,
        past: PastJudge | None = None,
        *,
        read_rows: Callable[[WindowKey], Iterator[pa.RecordBatch]] | None = None,
        history: HistoryOf | None = None,
        profiles: Callable[[WindowKey], Profile] | None = None,
        trailing: TrailingProfiles | None = None,
        earlier_values: EarlierValues | None = None,
        window_cache: WindowCache | None = None,
    ) -> Inputs:
        """Return the inputs of judging, from what is stored.

        `read_rows` reads the rows of a window from its objects again; `history` and `profiles`
        replace what is stored. `trailing` has the rows before earlier windows of the same run,
        `earlier_values` the values before them and `window_cache` the windows themselves.
        Does not write to `connection`.
        """
        from driftline.evaluate.judge_windows import Inputs

        spec, collectors, reference = self.reference.spec, self.collectors, self.reference
        trailing_profiles = trailing or self.trailing_profiles()
        earlier = earlier_values or EarlierValues()

        def load_window(due: DueWindow) -> Window:
            key = due.key
            if profiles is None:
                profile = load_joined_profile(connection, key, due.end, spec, collectors)
            else:
                profile = profiles(key)
            last_event = profile.last
            if last_event is None:
                last_event = windows.find_newest_event(connection, key, spec, collectors)
            log_end = None
            length = due.end - key.start
            if last_event is not None and due.end - last_event > CUT_SHARE * length:
                log_end = models.find_log_end(connection, key.model, key.start, due.end)
            window = profile.window(
                start=from_micros(key.start),
                end=from_micros(due.end),
                version=key.version,
                segment=key.segment,
                last_seen=None if last_event is None else from_micros(last_event),
                reread=None if read_rows is None else partial(read_rows, key),
            )
            if self.length:
                window = replace(window, joined=length // self.length)
            return window if log_end is None else replace(window, log_end=from_micros(log_end))

        def load_reference_window(due: DueWindow) -> Window | None:
            key = due.key
            if reference.trailing is None:
                return reference.window(key.segment)
            if not due.rows:
                return None  # Loading it takes long, and a window without rows compares nothing.
            assert trailing_profiles is not None
            profile = trailing_profiles.load(connection, key.segment, key.start)
            if not profile.rows:
                return None
            return profile.window(
                start=from_micros(key.start) - reference.trailing,
                end=from_micros(key.start),
                version=reference.name,
            )

        recent = window_cache if window_cache is not None else WindowCache()

        def load_earlier(due: DueWindow, count: int) -> Sequence[Window]:
            return recent.load(due, count, load_earlier_window)

        def load_earlier_window(key: WindowKey, end: int) -> Window:
            return load_joined_profile(connection, key, end, spec, collectors).window(
                start=from_micros(key.start),
                end=from_micros(end),
                version=key.version,
                segment=key.segment,
            )

        def load_history(
            key: WindowKey, check: str, name: str, labels: Mapping[str, str], limit: int
        ) -> Sequence[PastValue]:
            return earlier.load(connection, key, check, name, labels, limit)

        return Inputs(
            schema=reference.schema,
            plans=self.plans,
            window=load_window,
            reference=load_reference_window,
            history=history or load_history,
            collect=self.collect,
            earlier=load_earlier,
            reference_spans=reference.spans,
            reference_ranges=self._reference_ranges,
            reference_name=reference.name,
            past_judge=past,
            label_collectors=frozenset(
                name
                for name, collector in collectors.items()
                if collector.label is not Collector.label
            ),
        )

    def trailing_profiles(self) -> TrailingProfiles | None:
        """What finds the trailing reference of each window; None for a fixed reference."""
        reference = self.reference
        if reference.trailing is None:
            return None
        return TrailingProfiles(
            model=self.model,
            span=int(reference.trailing.total_seconds() * 1_000_000),
            spec=reference.spec,
            collectors=self.collectors,
        )

    @cached_property
    def _reference_ranges(self) -> Mapping[SeriesKey, ReferenceRange]:
        """The range that the weeks or months of the reference have; computed once."""
        from driftline.evaluate.judge_windows import Inputs, measure_spans

        reference = self.reference
        if not reference.spans:
            return {}
        plans = [
            plan
            for plan in self.plans
            if any(
                rule.unusual is not None and rule.unusual.obvious is not None
                for rule in plan.rules_by_measurement.values()
            )
        ]
        whole = reference.window("")
        assert whole is not None
        inputs = Inputs(
            schema=reference.schema,
            plans=plans,
            window=lambda due: whole,
            reference=lambda due: whole,
            history=lambda key, check, name, labels, limit: (),
            collect=self.collect,
            reference_spans=reference.spans,
        )
        due = DueWindow(key=WindowKey(self.model, 0, "", ""), end=0, rows=0, revision=0)
        return measure_spans(due, inputs)


@dataclass(frozen=True, kw_only=True)
class Closing:
    """Judges the windows of one model."""

    settings: ModelSettings
    store: Store
    evaluation: ModelEvaluation
    alerts: ModelAlerts
    job: Job
    """How the rows of a window are read again, for checks that need them all."""
    callbacks: Callbacks = field(default_factory=Callbacks)

    def close_due(
        self,
        until: datetime,
        now: datetime,
        report: ClosingReport,
        rows: int = 0,
        *,
        is_backlog_end: bool = False,
    ) -> None:
        """Judge every window that ended by `until` and add the result to `report`.

        With `is_backlog_end` there are no older rows to read: the newest window may bring the first
        report.

        Windows that are left when the agent stops are judged after the next start. `rows` is the
        number of rows read in this tick, for the progress.
        """
        model, limit, before, past = self.settings.name, as_micros(until), report.windows, None
        # Nothing is read while windows are judged, so the rows before a window do not change.
        trailing, earlier_values = self.evaluation.trailing_profiles(), EarlierValues()
        window_cache = WindowCache()
        dictionary: OpenDictionary | None = None
        length, enough_rows = self.settings.window_length, self.settings.config.windows.rows
        if enough_rows is not None:
            with self.store.write() as connection:
                limit = join_windows(
                    connection, model, length=length, rows=enough_rows, until=limit
                )
        with self.store.read() as connection:
            total = windows.count_due(connection, model, limit)
        while True:
            with self.store.read() as connection:
                groups = windows.load_due(connection, model, limit, BATCH + 1, length=length)
            if not groups:
                return
            for place, group in enumerate(groups[:BATCH]):
                if self.callbacks.stopping():
                    return
                is_last = place == len(groups) - 1
                past = past or self._load_past(length)
                dictionary = self._judge(
                    group,
                    past,
                    now,
                    report,
                    trailing=trailing,
                    earlier_values=earlier_values,
                    window_cache=window_cache,
                    dictionary=dictionary,
                    is_backlog_end=is_backlog_end and is_last,
                )
                report.windows += 1
                count = report.windows - before
                self.callbacks.progress("judge", count, max(total, count), rows)

    def _load_past(self, length: int) -> PastJudge:
        """Load what earlier windows were like; `length` is that of a base window."""
        from driftline.evaluate.evidence.alarm_policy import AlarmPolicy
        from driftline.evaluate.evidence.trail import Stream
        from driftline.evaluate.evidence.unusual_rule import PastJudge

        policy = AlarmPolicy(
            length,
            self.settings.config.false_pages_per_year,
            joins_windows=self.settings.config.windows.rows is not None,
        )
        trail, reference = policy.make_trail(), self.evaluation.reference
        past = PastJudge(trail, policy, reference.schema)
        with self.store.read() as connection:
            rows = traces.load_traces(
                connection, self.settings.name, reference.reference_id, trail.capacity
            )
            past.restore((row.start, Stream(*row[1:6]), row.trace) for row in rows)
        return past

    def _judge(
        self,
        group: Sequence[DueWindow],
        past: PastJudge,
        now: datetime,
        report: ClosingReport,
        *,
        trailing: TrailingProfiles | None,
        earlier_values: EarlierValues,
        window_cache: WindowCache,
        dictionary: OpenDictionary | None,
        is_backlog_end: bool,
    ) -> OpenDictionary | None:
        """Judge the windows of one span of time and store the result, in one transaction.

        Returns the dictionary that their measurements were written with, for the next span.
        """
        from driftline.evaluate.judge_windows import find_new_versions, judge_windows

        group = [self._silence_old(due, now) for due in group]
        reference_id = self.evaluation.reference.reference_id
        with self.store.read() as connection:
            versions = find_new_versions(
                group, partial(windows.list_versions, connection, self.settings.name)
            )
            inputs = self.evaluation.inputs(
                connection,
                past,
                read_rows=self._read_rows,
                trailing=trailing,
                earlier_values=earlier_values,
                window_cache=window_cache,
            )
            inputs = replace(inputs, new_versions=versions)
            verdicts, facts = judge_windows(group, inputs)
            decision = make_decision(
                facts,
                find_remedies(inputs.plans),
                has_performance=_is_performance_known(verdicts, inputs),
            )
            facts = with_decision(facts, decision)
            first_report = None
            if is_backlog_end and self.settings.config.first_report:
                first_report = self._first_reports.make(
                    connection, verdicts, inputs, past.policy, now
                )
        with self.alerts.lock:
            if first_report is not None and self.alerts.is_held(first_report, now):
                first_report = None
            prepared_step = self.alerts.prepare(facts, now)
            with self.store.write() as connection:
                for verdict in verdicts:
                    due = verdict.due
                    checks = (
                        [plan.name for plan in inputs.checks_of(due)] if due.labels_only else None
                    )
                    dictionary = measurements.replace_measurements(
                        connection,
                        due.key,
                        due.revision + 1,
                        verdict.judged,
                        reference_id=reference_id,
                        checks=checks,
                        dictionary=dictionary,
                    )
                if not group[0].labels_only or decision.decision is not Decision.KEEP:
                    record_decision(
                        connection, self.settings.name, group[0].key.start, group[0].end, decision
                    )
                windows.mark_judged(connection, group, reference_id, self.settings.config_digest)
                self.alerts.write(connection, prepared_step, now)
                if is_backlog_end:
                    traces.expire_traces(connection, self.settings.name, past.trail.capacity)
                if first_report is not None:
                    self.alerts.send_report(connection, first_report, now)
        report.silenced_windows += all(due.quiet for due in group)
        _count_verdicts(verdicts, report)
        report.changes += prepared_step.step.changes
        for verdict in verdicts:
            window_cache.add(verdict.due.key, verdict.window)
            earlier_values.add(verdict.due, verdict.judged)
            self.callbacks.on_window(verdict.window)
        self.callbacks.on_changes(prepared_step.step.changes)
        return dictionary

    @property
    def _first_reports(self) -> FirstReports:
        from driftline.agent.first_reports import FirstReports

        evaluation = self.evaluation
        return FirstReports(
            model=self.settings.name,
            reference=evaluation.reference,
            collectors=evaluation.collectors,
            phrasebook=self.alerts.settings.phrasebook,
        )

    def _silence_old(self, due: DueWindow, now: datetime) -> DueWindow:
        """Mark a window that is very old when it is first judged: it causes no message, ever."""
        limit = self.settings.config.windows.notify_within
        is_old = limit is not None and due.revision == 0 and now - from_micros(due.end) > limit
        return replace(due, quiet=True) if is_old else due

    def _read_rows(self, key: WindowKey) -> Iterator[pa.RecordBatch]:
        from driftline.ingest.read.window_rows import read_window_rows  # loads pyarrow

        with self.store.read() as connection:
            bases = [
                (base, windows.list_contributors(connection, base))
                for base in list_base_keys(connection, key)
            ]
        for base, objects in bases:
            yield from read_window_rows(self.job, self.store, base, objects)


def _count_verdicts(verdicts: Sequence[JudgedWindow], report: ClosingReport) -> None:
    report.newest_rows = [(verdict.due.key, row) for verdict in verdicts for row in verdict.judged]
    judgements = (row.judgement for _, row in report.newest_rows)
    counts = Counter(judgement.verdict for judgement in judgements if judgement is not None)
    for verdict, count in counts.items():
        report.verdicts[verdict] = report.verdicts.get(verdict, 0) + count


def _is_performance_known(verdicts: Sequence[JudgedWindow], inputs: Inputs) -> bool:
    """Whether a metric by labels of all rows was judged, and the rows decide."""
    estimates = {plan.name for plan in inputs.plans if plan.check.estimates}
    return any(
        row.cause == Family.PERFORMANCE
        and row.check not in estimates
        and row.verdict in (Verdict.OK, Verdict.CHANGED)
        for verdict in verdicts
        if verdict.due.key.segment == ""
        for row in verdict.judged
    )

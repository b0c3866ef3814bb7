"""Computes stored numbers again from their log objects, and compares both.

Does not write. Does not judge: a verdict may rest on all earlier windows, so only measurements are
compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.agent.closing import ModelEvaluation
from driftline.agent.label_ledger import label_ledger
from driftline.agent.model_settings import ModelSettings, make_settings, microseconds
from driftline.agent.reference_state import (
    ReferenceState,
    load_earlier_reference,
    load_reference,
)
from driftline.agent.services import Timeouts
from driftline.config import Config
from driftline.contracts.context import StartContext
from driftline.contracts.plugin import Plugin
from driftline.evaluate.judge_windows import measure_window
from driftline.extensions.guard import Guard
from driftline.extensions.hooks import transformer
from driftline.ingest.labels.join_labels import JoinTerms
from driftline.ingest.read.job import Job
from driftline.ingest.read.recount_windows import (
    LocatedObject,
    RecountedObject,
    locate_objects,
    locate_remaining_objects,
)
from driftline.ingest.read.replay_windows import Replay
from driftline.ingest.read.window_rows import read_window_rows
from driftline.report.compare_numbers import (
    NOT_CONFIGURED,
    NotReproducible,
    Results,
    SeriesKey,
    Values,
    compare_number,
)
from driftline.report.notified_numbers import (
    NoNumbersError,
    StoredNumbers,
    load_notified_numbers,
    load_window_numbers,
)
from driftline.state.factory import open_store
from driftline.state.provenance import CountedObject, load_counted_objects, load_ledger_objects
from driftline.state.store import Store
from driftline.state.stored_measurement import StoredMeasurement
from driftline.state.tables import references, windows
from driftline.types.errors import StateError
from driftline.types.labels import labels_json
from driftline.types.records import DueWindow, JudgedMeasurement, WindowKey
from driftline.types.times import from_micros

ReportRows = Callable[[str, int, int, int], None]
"""Takes the stage, the objects that are read, all objects, and the rows so far."""


@dataclass(slots=True, kw_only=True)
class _Rerun:
    """One run that computes numbers again."""

    settings: ModelSettings
    reference: ReferenceState
    job: Job
    numbers: StoredNumbers
    contributions: Sequence[CountedObject]
    ends: Mapping[WindowKey, int]
    """The ends of all windows of the model that start when the measured ones do, microseconds."""
    objects: list[LocatedObject] = field(default_factory=list)
    recounts: list[RecountedObject] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    """URIs of labels, and of responses logged apart, that are not there any more."""

    @property
    def span(self) -> tuple[int, int]:
        """Start of the measured windows, and the latest end of one, microseconds."""
        return next(iter(self.ends)).start, max(self.ends.values())


@dataclass(frozen=True, kw_only=True)
class Reproducer:
    """Computes stored numbers again from their log objects.

    Does not write to the store.
    """

    config: Config
    store: Store
    guard: Guard
    context: StartContext
    """Starts the sources."""
    folder: Path
    """An empty folder, for rows while they are counted."""
    progress: ReportRows = lambda stage, count, total, rows: None

    def reproduce(self, incident: str, at: datetime | None = None) -> Values:
        """Compute the numbers of an incident again, and compare them with the stored ones.

        `at` is the start of a window; None stands for the newest window of the message. Returns
        values for JSON. Raises NoNumbersError, StateError when the reference is not stored any
        more, and SourceError when an object cannot be read.
        """
        with self.store.read() as connection:
            numbers = load_notified_numbers(connection, incident, at)
        if numbers.model not in self.config.models:
            raise NoNumbersError(
                f"{incident} is of the model {numbers.model}, "
                "which the configuration does not have any more"
            )
        return self._reproduce(numbers, incident)

    def reproduce_window(
        self, model: str, at: datetime | None = None, checks: Sequence[str] = ()
    ) -> Values:
        """Compute all numbers of the windows of a model that start at `at` again.

        None stands for the newest ones. `checks` chooses the checks; all without any. Returns and
        raises as `reproduce` does.
        """
        with self.store.read() as connection:
            numbers = load_window_numbers(connection, model, at, checks)
        return self._reproduce(numbers, f"{model} at {from_micros(numbers.rows[0].start):%F %H:%M}")

    def _reproduce(self, numbers: StoredNumbers, name: str) -> Values:
        settings = make_settings(self.config, numbers.model, self.config.registry, patience_ticks=1)
        with self.store.read() as connection:
            ends = _load_ends(connection, numbers)
            # An object contributes rows to whole windows, whatever segments the numbers are of.
            contributions = load_counted_objects(
                connection, _load_base_keys(connection, numbers.model, ends)
            )
        reference = self._load_reference(settings, numbers)
        rerun = _Rerun(
            settings=settings,
            reference=reference,
            job=self._make_job(settings, reference),
            numbers=numbers,
            contributions=contributions,
            ends=ends,
        )
        store = open_store(f"sqlite:///{self.folder / 'replay.db'}")
        sources: list[Plugin] = [settings.config.source]
        if settings.labels is not None:
            sources.append(settings.labels.config.plugin)
        try:
            for source in sources:
                self.guard.call(
                    f"{numbers.model}.start", source.start, self.context, timeout=Timeouts().probe
                )
            replay = self._replay(rerun, store)
            results = {key: self._measure(rerun, key, replay) for key in numbers.windows}
        finally:
            for source in sources:
                self.guard.call(f"{numbers.model}.stop", source.stop, timeout=1.0)
            store.close()
        comparisons = [compare_number(row, results[_key(row)]) for row in numbers.rows]
        if all(comparison["same"] is None for comparison in comparisons):
            first = comparisons[0]
            raise StateError(f"{name} can't be computed again: {first['check']} {first['why']}")
        return {
            "incident": _incident_values(numbers),
            "model": numbers.model,
            "window": {
                "start": from_micros(rerun.span[0]).isoformat(),
                "end": from_micros(next(iter(numbers.windows.values())).end).isoformat(),
            },
            "reference": reference.name,
            "same": all(comparison["same"] is not False for comparison in comparisons),
            "numbers": comparisons,
            "objects": [_object_values(recount) for recount in rerun.recounts],
            "notes": _notes(rerun),
        }

    def _load_reference(self, settings: ModelSettings, numbers: StoredNumbers) -> ReferenceState:
        """Load the reference that the numbers were measured against, also an earlier one.

        Raises StateError when what it counts rows with is not stored.
        """
        collectors = self.config.registry.collectors()
        ids = {row.reference_id for row in numbers.rows if row.reference_id is not None}
        current = load_reference(self.store, settings, collectors)
        if current is not None and ids <= {current.reference_id}:
            return current
        if len(ids) == 1:
            [reference_id] = ids
            earlier = load_earlier_reference(self.store, settings, collectors, reference_id)
            if earlier is not None:
                return earlier
        if current is None:
            raise StateError(
                f"{settings.name}: the configuration asks for another reference, schema or set of "
                "collectors than these numbers rest on"
            )
        query = sa.select(references.c.number).where(references.c.id.in_(sorted(ids)))
        with self.store.read() as connection:
            stored = connection.execute(query).scalars().all()
        earlier_numbers = ", ".join(str(number) for number in stored) or "that is not kept"
        raise StateError(
            f"{settings.name}: these numbers were measured against reference {earlier_numbers}, "
            "and another one has taken its place since (`driftline reference list`); what its rows "
            "were counted with is not kept"
        )

    def _make_job(self, settings: ModelSettings, reference: ReferenceState) -> Job:
        registry = self.config.registry
        return settings.make_job(
            reference.schema,
            reference.spec,
            self.context.clock(),
            collectors=registry.collectors(),
            base=self.context.config_folder,
            transform=transformer(registry, settings.name),
            input_columns=reference.input_columns,
        )

    def _replay(self, rerun: _Rerun, store: Store) -> Replay:
        """Count the windows again in `store`; adds the objects to `rerun`."""
        replay = Replay(
            store=store,
            model=rerun.numbers.model,
            job=rerun.job,
            progress=lambda count, rows: self.progress("read", count, len(rerun.objects), rows),
        )
        rerun.objects += self._locate(rerun, rerun.job, locate_objects, rerun.contributions)
        replay.read(rerun.objects)
        if replay.has_halves:
            self._read_other_halves(rerun, replay)
        replay.pair()
        rerun.recounts += replay.recounted(rerun.objects)
        if rerun.settings.labels is not None:
            self._label(rerun, replay)
        return replay

    def _read_other_halves(self, rerun: _Rerun, replay: Replay) -> None:
        """Read the objects that may hold the other halves of what was read."""
        settings, (start, end) = rerun.settings.config.windows, rerun.span
        reach = microseconds(settings.reopen_for + settings.lateness) + rerun.job.length
        read = {item.object.uri for item in rerun.objects}
        with self.store.read() as connection:
            others = [
                item
                for item in load_ledger_objects(
                    connection, rerun.numbers.model, start - reach, end + reach
                )
                if item.object.uri not in read
            ]
        located, missing = self._locate(rerun, rerun.job, locate_remaining_objects, others)
        rerun.objects += located
        rerun.missing += missing
        replay.read(located)

    def _label(self, rerun: _Rerun, replay: Replay) -> None:
        """Read the labels that may be of the measured windows, and join them."""
        labels, (start, end) = rerun.settings.labels, rerun.span
        assert labels is not None
        job, ledger = labels.make_job(rerun.job), label_ledger(rerun.numbers.model)
        wait = microseconds(labels.config.wait_for)
        has_own_times = labels.schema.timestamp is not None
        since, until = start - wait, end + wait + rerun.job.length
        with self.store.read() as connection:
            contributions = load_ledger_objects(
                connection,
                ledger,
                since if has_own_times else None,
                until if has_own_times else None,
            )
        located, missing = self._locate(rerun, job, locate_remaining_objects, contributions)
        rerun.missing += missing
        terms = JoinTerms(
            model=rerun.numbers.model,
            labels=ledger,
            schema=rerun.reference.schema,
            spec=rerun.reference.spec,
            collectors=rerun.job.collectors,
            length=rerun.job.length,
            wait=wait,
            has_own_times=has_own_times,
        )
        rerun.recounts += replay.label(job, located, terms)

    def _locate(
        self,
        rerun: _Rerun,
        job: Job,
        locate: Callable[[Job, Sequence[CountedObject], datetime], Any],
        contributions: Sequence[CountedObject],
    ) -> Any:
        return self.guard.call(
            f"{rerun.numbers.model}.source",
            locate,
            job,
            contributions,
            self.context.clock(),
            timeout=Timeouts().listing,
        )

    def _measure(self, rerun: _Rerun, key: WindowKey, replay: Replay) -> Results:
        """Measure one window again, with the checks that have numbers of it."""
        rows = [row for row in rerun.numbers.rows if _key(row) == key]
        checks = {row.check for row in rows}
        plans = [plan for plan in rerun.settings.plans if plan.name in checks]
        joins_windows = rerun.settings.config.windows.rows is not None
        evaluation = ModelEvaluation(
            model=key.model,
            reference=rerun.reference,
            plans=plans,
            collectors=rerun.job.collectors,
            collect=lambda plan, ctx: self.guard.collect_inline(
                f"{key.model}.{plan.name}", plan.check.evaluate, ctx
            ),
            length=rerun.settings.window_length if joins_windows else 0,
        )
        window = rerun.numbers.windows[key]

        def read_rows(key: WindowKey) -> Iterator[pa.RecordBatch]:
            for start in range(key.start, rerun.ends.get(key, window.end), rerun.job.length):
                objects = [
                    item.object
                    for item in rerun.objects
                    if any(
                        counted.start == start
                        for piece in item.contribution.pieces
                        for counted in piece.rows
                    )
                ]
                base = replace(key, start=start)
                yield from read_window_rows(rerun.job, replay.store, base, objects)

        with self.store.read() as connection:
            inputs = evaluation.inputs(
                connection,
                read_rows=read_rows,
                profiles=lambda key: replay.profile(key, rerun.ends.get(key, window.end)),
            )
            due = DueWindow(
                key=key,
                end=window.end,
                rows=replay.profile(key, window.end).rows,
                revision=window.revision,
            )
            rows_now = measure_window(due, inputs).judged
        results: dict[SeriesKey, JudgedMeasurement | NotReproducible] = {
            (row.check, row.measurement.name, labels_json(row.measurement.labels)): row
            for row in rows_now
        }
        plan_names = {plan.name for plan in plans}
        for row in rows:
            if row.check not in plan_names:
                results[row.check, row.name, row.labels] = NotReproducible(NOT_CONFIGURED)
        return results


def _key(row: StoredMeasurement) -> WindowKey:
    return WindowKey(row.model, row.start, row.version, row.segment)


def _load_ends(connection: Connection, numbers: StoredNumbers) -> dict[WindowKey, int]:
    """The ends of all windows that start when the measured ones do; checks may compare them."""
    start = next(iter(numbers.windows)).start
    c = windows.c
    query = sa.select(c.version, c.segment, c.end).where(c.model == numbers.model, c.start == start)
    return {
        WindowKey(numbers.model, start, row.version, row.segment): int(row.end)
        for row in connection.execute(query)
    }


def _load_base_keys(
    connection: Connection, model: str, ends: Mapping[WindowKey, int]
) -> list[WindowKey]:
    """The keys of all base windows that the windows with these ends consist of."""
    c = windows.c
    query = sa.select(c.start, c.version, c.segment).where(
        c.model == model,
        c.start >= min(key.start for key in ends),
        c.start < max(ends.values()),
    )
    return [
        WindowKey(model, int(row.start), row.version, row.segment)
        for row in connection.execute(query)
    ]


def _incident_values(numbers: StoredNumbers) -> Values | None:
    message = numbers.message
    if message is None:
        return None
    return {
        "id": message.incident.id,
        "model": numbers.model,
        "title": message.incident.title,
        "told": message.notified_at.isoformat(),
    }


def _object_values(recount: RecountedObject) -> Values:
    contribution, current = recount.located.contribution, recount.located.object
    return {
        "uri": current.uri,
        "version": contribution.object.version,
        "version_now": current.version,
        "replaced": recount.located.is_replaced,
        "rows": recount.rows_then,
        "rows_now": recount.rows,
        "error": recount.error,
    }


def _notes(rerun: _Rerun) -> list[str]:
    """Other possible causes of a difference, for people."""
    numbers, digest = rerun.numbers, rerun.settings.config_digest
    notes = []
    if any(window.config_digest != digest for window in numbers.windows.values()):
        notes.append(
            "the configuration, or the version of a plugin, is not the one that judged: "
            "`driftline explain` shows it"
        )
    if any(window.dirty for window in numbers.windows.values()):
        notes.append(
            "rows or labels came since the window was judged; the agent is about to judge it again"
        )
    if rerun.reference.trailing is not None:
        notes.append(
            "what it is compared with is made of the stored windows before, of older ones by whole "
            "days"
        )
    if numbers.message is not None and numbers.message.missing_numbers:
        notes.append(
            f"{numbers.message.missing_numbers} more numbers of the message are of other windows: "
            "see --window"
        )
    notes += [f"{uri} is not there any more: its rows are missing" for uri in rerun.missing]
    if not rerun.objects:
        notes.append("the window had no rows, so that there was nothing to read")
    return notes

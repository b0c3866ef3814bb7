"""Computes the numbers of an incident again from its log objects, and compares both.

Does not write. Does not judge: a verdict may rest on all earlier windows, so only measurements are
compared.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from driftline.agent.closing import ModelEvaluation
from driftline.agent.model_settings import ModelSettings, make_settings
from driftline.agent.reference_state import ReferenceState, load_reference
from driftline.agent.services import Timeouts
from driftline.config import Config
from driftline.contracts.context import StartContext
from driftline.evaluate.judge_windows import measure_window
from driftline.extensions.guard import Guard
from driftline.extensions.hooks import transformer
from driftline.ingest.read.job import Job
from driftline.ingest.read.recount_windows import (
    LocatedObject,
    RecountedObject,
    locate_objects,
    recount_windows,
)
from driftline.ingest.read.window_rows import read_window_rows
from driftline.profiles.profile import Profile
from driftline.report.notified_numbers import NoNumbersError, NotifiedNumbers, load_notified_numbers
from driftline.state.measurement_block import QUIET_PRECISION
from driftline.state.provenance import load_counted_objects
from driftline.state.store import Store
from driftline.state.stored_measurement import StoredMeasurement
from driftline.state.tables import references
from driftline.types.errors import StateError
from driftline.types.labels import labels_json
from driftline.types.model import Verdict
from driftline.types.records import DueWindow, JudgedMeasurement, WindowKey
from driftline.types.times import from_micros

Values = dict[str, Any]
SeriesKey = tuple[str, str, str]
"""Check, name and labels (JSON) of a measurement."""
ReportRows = Callable[[str, int, int, int], None]
"""Takes the stage, the objects that are read, all objects, and the rows so far."""
RELATIVE_TOLERANCE = 1e-12
"""Relative difference up to which two numbers are the same, unless both are whole."""
JUDGEMENT_DETAILS = frozenset(
    {"usual", "offset", "smallest_seen", "now", "now_low", "now_high", "odds"}
)
"""Details of a measurement that its judgement adds, not the check."""
JOINED = "rests on several windows that were joined (windows.rows)"
LATE_LABELS = "rests on labels that came later; only the joined result is kept"
NOT_CONFIGURED = "is not in the configuration any more"


@dataclass(frozen=True, slots=True)
class NotReproducible:
    """A number that cannot be computed again."""

    reason: str
    """For people."""


Results = Mapping[SeriesKey, JudgedMeasurement | NotReproducible]
"""What the checks measure now, or why a number cannot be computed again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rerun:
    """One run that computes the numbers of a message again."""

    settings: ModelSettings
    reference: ReferenceState
    job: Job
    objects: Sequence[LocatedObject]
    numbers: NotifiedNumbers


@dataclass(frozen=True, kw_only=True)
class Reproducer:
    """Computes the numbers of an incident again from its log objects.

    Does not write to the store.
    """

    config: Config
    store: Store
    guard: Guard
    context: StartContext
    """Starts the source."""
    progress: ReportRows = lambda stage, count, total, rows: None

    def reproduce(self, incident: str, at: datetime | None = None) -> Values:
        """Compute the numbers of an incident again, and compare them with the stored ones.

        `at` is the start of a window; None stands for the newest window of the message. Returns
        values for JSON. Raises NoNumbersError, StateError when the reference is not stored any
        more, and SourceError when an object cannot be read.
        """
        with self.store.read() as connection:
            numbers = load_notified_numbers(connection, incident, at)
            # An object contributes rows to whole windows, whatever segments the numbers are of.
            whole_windows = [replace(key, segment="") for key in numbers.windows]
            keys = list(dict.fromkeys([*numbers.windows, *whole_windows]))
            contributions = load_counted_objects(connection, keys)
        model = numbers.incident.model
        if model not in self.config.models:
            raise NoNumbersError(
                f"{incident} is of the model {model}, "
                "which the configuration does not have any more"
            )
        settings = make_settings(self.config, model, self.config.registry, patience_ticks=1)
        reference_ids = {row.reference_id for row in numbers.rows}
        reference = self._load_reference(settings, model, reference_ids)
        job = self._make_job(settings, reference, model)
        timeouts, guard, source = Timeouts(), self.guard, settings.config.source
        try:
            guard.call(f"{model}.start", source.start, self.context, timeout=timeouts.probe)
            objects = guard.call(
                f"{model}.source",
                locate_objects,
                job,
                contributions,
                self.context.clock(),
                timeout=timeouts.listing,
            )
            profiles, recounts = recount_windows(
                job,
                objects,
                keys,
                lambda count, rows: self.progress("read", count, len(objects), rows),
            )
            rerun = _Rerun(
                settings=settings, reference=reference, job=job, objects=objects, numbers=numbers
            )
            results = {key: self._measure(rerun, key, profiles) for key in numbers.windows}
        finally:
            guard.call(f"{model}.stop", source.stop, timeout=1.0)
        comparisons = [_compare(row, results[_key(row)]) for row in numbers.rows]
        if all(comparison["same"] is None for comparison in comparisons):
            first = comparisons[0]
            raise StateError(f"{incident} can't be computed again: {first['check']} {first['why']}")
        [window, *_] = numbers.windows.values()
        return {
            "incident": {
                "id": incident,
                "model": model,
                "title": numbers.incident.title,
                "told": numbers.notified_at.isoformat(),
            },
            "window": {
                "start": from_micros(window.start).isoformat(),
                "end": from_micros(window.end).isoformat(),
            },
            "reference": reference.name,
            "same": all(comparison["same"] is not False for comparison in comparisons),
            "numbers": comparisons,
            "objects": [_object_values(recount) for recount in recounts],
            "notes": _notes(rerun),
        }

    def _load_reference(
        self, settings: ModelSettings, model: str, reference_ids: set[int | None]
    ) -> ReferenceState:
        """Load the reference that the numbers were measured against.

        Of an earlier reference the grid is not stored any more. Raises StateError then.
        """
        reference = load_reference(self.store, settings, self.config.registry.collectors())
        if reference is None:
            raise StateError(
                f"{model}: the configuration asks for another reference, schema or set of "
                "collectors than these numbers rest on"
            )
        if earlier_ids := reference_ids - {reference.reference_id}:
            c = references.c
            with self.store.read() as connection:
                query = sa.select(c.number).where(
                    c.id.in_([id for id in earlier_ids if id is not None])
                )
                numbers = connection.execute(query).scalars().all()
            earlier = ", ".join(str(number) for number in numbers) or "that is not kept"
            raise StateError(
                f"{model}: these numbers were measured against reference {earlier}, and another "
                "one has taken its place since (`driftline reference list`); rows can't be counted "
                "on its grid again"
            )
        return reference

    def _make_job(self, settings: ModelSettings, reference: ReferenceState, model: str) -> Job:
        registry = self.config.registry
        return settings.make_job(
            reference.schema,
            reference.spec,
            self.context.clock(),
            collectors=registry.collectors(),
            base=self.context.config_folder,
            transform=transformer(registry, model),
            input_columns=reference.input_columns,
        )

    def _measure(
        self, rerun: _Rerun, key: WindowKey, profiles: Mapping[WindowKey, Profile]
    ) -> Results:
        """Measure one window again, with the checks that have numbers of it in the message."""
        rows = [row for row in rerun.numbers.rows if _key(row) == key]
        checks = {row.check for row in rows}
        plans = [plan for plan in rerun.settings.plans if plan.name in checks]
        objects = [item.object for item in rerun.objects]
        evaluation = ModelEvaluation(
            model=key.model,
            reference=rerun.reference,
            plans=plans,
            collectors=rerun.job.collectors,
            collect=lambda plan, ctx: self.guard.collect_inline(
                f"{key.model}.{plan.name}", plan.check.evaluate, ctx
            ),
        )
        window = rerun.numbers.windows[key]
        with self.store.read() as connection:
            inputs = evaluation.inputs(
                connection,
                read_rows=lambda key: read_window_rows(rerun.job, self.store, key, objects),
                profiles=profiles.__getitem__,
            )
            due = DueWindow(
                key=key, end=window.end, rows=profiles[key].rows, revision=window.revision
            )
            rows_now = measure_window(due, inputs).judged
        results: dict[SeriesKey, JudgedMeasurement | NotReproducible] = {
            (row.check, row.measurement.name, labels_json(row.measurement.labels)): row
            for row in rows_now
        }
        plan_names = {plan.name for plan in plans}
        with_late_labels = {
            plan.name
            for plan in plans
            if plan.check.collectors & inputs.label_collectors and window.labelled is not None
        }
        for row in rows:
            if row.check not in plan_names:
                results[row.check, row.name, row.labels] = NotReproducible(NOT_CONFIGURED)
            elif window.end - key.start > rerun.settings.window_length:
                results[row.check, row.name, row.labels] = NotReproducible(JOINED)
            elif row.check in with_late_labels:
                results[row.check, row.name, row.labels] = NotReproducible(LATE_LABELS)
        return results


def _key(row: StoredMeasurement) -> WindowKey:
    return WindowKey(row.model, row.start, row.version, row.segment)


def _compare(row: StoredMeasurement, results: Results) -> Values:
    """A stored number beside what is measured now; `same` is None where it cannot be measured."""
    stored_values = _number_values(
        value=row.value,
        was=row.was,
        interval=(row.low, row.high),
        rows=row.rows,
        detail=json.loads(row.detail),
    )
    comparison: Values = {
        "check": row.check,
        "measurement": row.name,
        "labels": json.loads(row.labels),
        "version": row.version,
        "segment": row.segment,
        "verdict": row.verdict,
        "unit": row.unit,
        "stored": stored_values,
        "now": None,
        "same": False,
        "why": "",
    }
    result = results.get((row.check, row.name, row.labels))
    if isinstance(result, NotReproducible):
        return comparison | {"same": None, "why": result.reason}
    if result is None:
        return comparison | {"why": _missing_reason(row.check, results)}
    measurement = result.measurement
    now = _number_values(
        value=measurement.value,
        was=measurement.was,
        interval=measurement.interval or (None, None),
        rows=result.rows,
        detail=measurement.detail,
    )
    differences = [
        name
        for name, value in stored_values.items()
        if not is_same_value(value, now.get(name), _tolerance(name, row))
    ]
    return comparison | {"now": now, "same": not differences, "why": ", ".join(differences)}


def _missing_reason(check: str, results: Results) -> str:
    """Why a check measures a number no more: it failed, or it measures other ones now."""
    for result in results.values():
        if (
            isinstance(result, JudgedMeasurement)
            and result.verdict == Verdict.ERROR
            and result.check == check
        ):
            return f"could not run: {result.reason}"
    return "is not measured now"


def _number_values(
    *,
    value: float | None,
    was: float | None,
    interval: tuple[float | None, float | None],
    rows: int,
    detail: Mapping[str, Any],
) -> Values:
    """The numbers of a measurement, by name, without what its judgement added."""
    low, high = interval
    details = {
        f"detail {name}": value for name, value in detail.items() if name not in JUDGEMENT_DETAILS
    }
    return {"value": value, "was": was, "low": low, "high": high, "rows": rows, **details}


def _tolerance(name: str, row: StoredMeasurement) -> float:
    """The relative difference up to which a number of a measurement is the same."""
    is_rounded = row.is_quiet and name.startswith("detail ")
    return QUIET_PRECISION if is_rounded else RELATIVE_TOLERANCE


def is_same_value(
    first: object, second: object, relative_tolerance: float = RELATIVE_TOLERANCE
) -> bool:
    """Whether two values are the same.

    Floats may differ by `relative_tolerance`, unless both are whole; all else must be equal.
    """
    if not (isinstance(first, (int, float)) and isinstance(second, (int, float))):
        return first == second
    if float(first).is_integer() and float(second).is_integer():
        return first == second
    return math.isclose(first, second, rel_tol=relative_tolerance, abs_tol=0.0)


def _object_values(recount: RecountedObject) -> Values:
    contribution, current = recount.located.contribution, recount.located.object
    return {
        "uri": current.uri,
        "version": contribution.object.version,
        "version_now": current.version,
        "replaced": recount.located.is_replaced,
        "rows": contribution.rows,
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
    if numbers.missing_numbers:
        notes.append(
            f"{numbers.missing_numbers} more numbers of the message are of other windows: "
            "see --window"
        )
    if not rerun.objects:
        notes.append("the window had no rows, so that there was nothing to read")
    return notes

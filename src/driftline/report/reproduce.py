"""The numbers that an incident told, computed again from the log objects behind them, beside those
that are stored.

Refuses to write, and to judge: a verdict may rest on all windows before; what is compared is what
was measured.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

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
from driftline.state.measurements import labels_json
from driftline.state.provenance import load_counted_objects
from driftline.state.store import Store
from driftline.state.tables import from_micros, references
from driftline.types.errors import StateError
from driftline.types.model import Verdict
from driftline.types.records import DueWindow, JudgedMeasurement, WindowKey

Plain = dict[str, Any]
Series = tuple[str, str, str]
"""Check, name and labels of a measurement."""
Fresh = Mapping[WindowKey, Profile]
Progress = Callable[[str, int, int, int], None]
"""Stage, done, in all, rows so far."""
WITHIN = 1e-12
"""Relative difference up to which two numbers are the same, unless both are whole."""
JUDGED = frozenset({"usual", "smallest_seen", "odds"})
"""Facts of a measurement that its judgement adds, not the check."""
LATE = "rests on labels that came later, of which only what they came to is kept"


@dataclass(frozen=True)
class Reproducer:
    """What computing numbers again needs."""

    config: Config
    store: Store
    """Only read."""
    guard: Guard
    context: StartContext
    """What the source is started with."""
    progress: Progress = lambda stage, done, total, rows: None

    def reproduce(self, incident: str, at: datetime | None = None) -> Plain:
        """The numbers of an incident in the window from `at` on, or in the newest that was told.

        Raises NothingTold; StateError when what they were measured against is not kept; SourceError
        when an object can't be read.
        """
        with self.store.read() as connection:
            told = load_notified_numbers(connection, incident, at)
            # The rows that an object gave are those of whole windows, whatever segments the numbers
            # are of.
            keys = list(
                dict.fromkeys([*told.windows, *(replace(key, segment="") for key in told.windows)])
            )
            objects = load_counted_objects(connection, keys)
        model = told.incident.model
        if model not in self.config.models:
            raise NoNumbersError(
                f"{incident} is of the model {model}, which the configuration does not have any more"
            )
        settings = make_settings(self.config, model, self.config.registry, patience_ticks=1)
        ground = self._ground(settings, model, {row.reference_id for row in told.rows})
        job = self._job(settings, ground, model)
        patience, guard = Timeouts(), self.guard
        try:
            guard.call(
                f"{model}.start", settings.config.source.start, self.context, timeout=patience.probe
            )
            there = guard.call(
                f"{model}.source",
                locate_objects,
                job,
                objects,
                self.context.clock(),
                timeout=patience.listing,
            )
            profiles, read = recount_windows(
                job, there, keys, lambda done, rows: self.progress("read", done, len(there), rows)
            )
            measured = {
                key: self._measured(settings, ground, job, there, told, key, profiles)
                for key in told.windows
            }
        finally:
            guard.call(f"{model}.stop", settings.config.source.stop, timeout=1.0)
        numbers = [_compared(row, measured[_key(row)]) for row in told.rows]
        if all(each["same"] is None for each in numbers):
            raise StateError(
                f"{incident} can't be computed again: {numbers[0]['check']} {numbers[0]['why']}"
            )
        found = [_object(each) for each in read]
        [first, *_] = told.windows.values()
        return {
            "incident": {
                "id": incident,
                "model": model,
                "title": told.incident.title,
                "told": told.notified_at.isoformat(),
            },
            "window": {
                "start": from_micros(first.start).isoformat(),
                "end": from_micros(first.end).isoformat(),
            },
            "reference": ground.name,
            "same": all(each["same"] is not False for each in numbers),
            "numbers": numbers,
            "objects": found,
            "notes": _notes(settings, told, ground, len(read)),
        }

    def _ground(
        self, settings: ModelSettings, model: str, judged_by: set[int | None]
    ) -> ReferenceState:
        """The reference that the numbers were measured against: of an earlier one, the grid is
        gone.
        """
        ground = load_reference(self.store, settings, self.config.registry.collectors())
        if ground is None:
            raise StateError(
                f"{model}: the configuration asks for another reference, schema or set of collectors than these numbers rest on"
            )
        if other := judged_by - {ground.reference_id}:
            c = references.c
            with self.store.read() as connection:
                query = sa.select(c.number).where(c.id.in_([id for id in other if id is not None]))
                was = (
                    ", ".join(str(number) for number in connection.execute(query).scalars())
                    or "that is not kept"
                )
            raise StateError(
                f"{model}: these numbers were measured against reference {was}, and another one has taken its place since "
                "(`driftline reference list`); rows can't be counted on its grid again"
            )
        return ground

    def _job(self, settings: ModelSettings, ground: ReferenceState, model: str) -> Job:
        registry = self.config.registry
        return settings.make_job(
            ground.schema,
            ground.spec,
            self.context.clock(),
            collectors=registry.collectors(),
            base=self.context.base,
            transform=transformer(registry, model),
            input_columns=ground.input_columns,
        )

    def _measured(
        self,
        settings: ModelSettings,
        ground: ReferenceState,
        job: Job,
        there: Sequence[LocatedObject],
        told: NotifiedNumbers,
        key: WindowKey,
        profiles: Fresh,
    ) -> dict[Series, JudgedMeasurement | str]:
        """What the checks that told of a window measure now; of a check that can't measure it
        again, why.
        """
        asked = {row.check for row in told.rows if _key(row) == key}
        plans = [plan for plan in settings.plans if plan.name in asked]
        places = [each.object for each in there]
        judgeable = ModelEvaluation(
            model=key.model,
            reference=ground,
            plans=plans,
            collectors=job.collectors,
            collect=lambda plan, ctx: self.guard.collect_inline(
                f"{key.model}.{plan.name}", plan.check.evaluate, ctx
            ),
        )
        window = told.windows[key]
        with self.store.read() as connection:
            inputs = judgeable.inputs(
                connection,
                read_rows=lambda key: read_window_rows(job, self.store, key, places),
                profiles=profiles.__getitem__,
            )
            found = measure_window(
                DueWindow(key, window.end, profiles[key].rows, window.revision), inputs
            ).judged
        made: dict[Series, JudgedMeasurement | str] = {
            (row.check, row.measurement.name, labels_json(row.measurement.labels)): row
            for row in found
        }
        late = {
            plan.name
            for plan in plans
            if plan.check.collectors & inputs.label_collectors and window.labelled is not None
        }
        for row in told.rows:
            if _key(row) == key and row.check not in {plan.name for plan in plans}:
                made[row.check, row.name, row.labels] = "is not in the configuration any more"
            elif _key(row) == key and row.check in late:
                made[row.check, row.name, row.labels] = LATE
        return made


def _key(row: Row[Any]) -> WindowKey:
    return WindowKey(row.model, row.start, row.version, row.segment)


def _compared(row: Row[Any], made: Mapping[Series, JudgedMeasurement | str]) -> Plain:
    """A stored number beside what is measured now."""
    now = made.get((row.check, row.name, row.labels))
    told: Plain = {
        "check": row.check, "measurement": row.name, "labels": json.loads(row.labels), "version": row.version,
        "segment": row.segment, "verdict": row.verdict, "unit": row.unit,
        "stored": _figures(row.value, row.was, row.low, row.high, row.rows, json.loads(row.detail)), "now": None,
        "same": False, "why": "",
    }  # fmt: skip
    if isinstance(now, str):
        return told | {"same": None, "why": now}
    if now is None:
        broken = next(
            (
                each
                for each in made.values()
                if isinstance(each, JudgedMeasurement) and each.verdict == Verdict.ERROR
            ),
            None,
        )
        mine = broken is not None and broken.check == row.check
        return told | {
            "why": f"could not run: {broken.reason}"
            if broken is not None and mine
            else "is not measured now"
        }
    m = now.measurement
    low, high = m.interval or (None, None)
    told["now"] = fresh = _figures(m.value, m.was, low, high, now.rows, m.detail)
    differing = [
        name
        for name, stored in told["stored"].items()
        if not is_same_value(stored, fresh.get(name))
    ]
    return told | {"same": not differing, "why": ", ".join(differing)}


def _figures(
    value: float | None,
    was: float | None,
    low: float | None,
    high: float | None,
    rows: int,
    detail: Mapping[str, Any],
) -> Plain:
    facts = {f"detail {name}": told for name, told in detail.items() if name not in JUDGED}
    return {"value": value, "was": was, "low": low, "high": high, "rows": rows, **facts}


def is_same_value(stored: object, now: object) -> bool:
    """Whether two values are the same: floats within `WITHIN` of their size unless both are whole,
    all others exactly.
    """
    if not (isinstance(stored, (int, float)) and isinstance(now, (int, float))):
        return stored == now
    whole = float(stored).is_integer() and float(now).is_integer()
    return stored == now if whole else math.isclose(stored, now, rel_tol=WITHIN, abs_tol=0.0)


def _object(read: RecountedObject) -> Plain:
    before, now = read.located.contribution, read.located.object
    return {
        "uri": now.uri, "version": before.object.version, "version_now": now.version, "replaced": read.located.is_replaced,
        "rows": before.rows, "rows_now": read.rows, "error": read.error,
    }  # fmt: skip


def _notes(
    settings: ModelSettings, told: NotifiedNumbers, ground: ReferenceState, objects: int
) -> list[str]:
    """What else may have a say in a difference."""
    found = []
    if any(window.config_digest != settings.config_digest for window in told.windows.values()):
        found.append(
            "the configuration, or the version of a plugin, is not the one that judged: `driftline explain` shows it"
        )
    if any(window.dirty for window in told.windows.values()):
        found.append(
            "rows or labels came since the window was judged; the agent is about to judge it again"
        )
    if ground.trailing is not None:
        found.append(
            "what it is compared with is made of the stored windows before, of older ones by whole days"
        )
    if told.missing_numbers:
        found.append(
            f"{told.missing_numbers} more numbers of the message are of other windows: see --window"
        )
    if not objects:
        found.append("the window had no rows, so that there was nothing to read")
    return found

"""What the pages show of the work of the agent: what was read and sent, and by which settings.

Reads the state and the configuration only. All values are plain.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Connection

from driftline.config import Config
from driftline.config.show import Setting, effective_settings
from driftline.state import ledger_list, models, outbox
from driftline.state.accounts import Totals, load_all_totals, load_totals
from driftline.state.ledger_list import ObjectRow, RejectedRecord, StoredWindow, UsedConfiguration
from driftline.state.outbox import DeadLetter, SinkStatus
from driftline.state.store import Leader, Store
from driftline.types.times import from_micros_or_none

if TYPE_CHECKING:
    from driftline.agent.model_settings import ModelSettings

OBJECTS = 25
"""Objects of one page."""
WINDOWS = 48
"""Windows of one page."""
RECORDS = 5
"""Rejected records of an object that are shown."""
LETTERS = 10
"""Messages that a sink did not take: the newest are shown."""


@dataclass(frozen=True, slots=True)
class ReadObject:
    """One object, with the first of its rejected records."""

    facts: ObjectRow
    records: Sequence[RejectedRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsView:
    """What was read of a model, and what it was judged by."""

    model: str
    totals: Totals
    objects: Sequence[ReadObject]
    has_more: bool
    """Whether there are older objects."""
    windows: Sequence[StoredWindow]
    references: Sequence[Mapping[str, Any]]
    """As `driftline reference list` shows them, the newest first."""
    configurations: Sequence[UsedConfiguration]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHealth:
    """The source of a model."""

    model: str
    type: str
    listed: datetime | None
    """When it was last read without an error."""
    last_event: datetime | None
    totals: Totals


@dataclass(frozen=True, slots=True)
class SinkHealth:
    """A sink or an action, and the messages that it did not take."""

    type: str
    """Empty for one that the configuration has no more."""
    status: SinkStatus
    letters: Sequence[DeadLetter]


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthView:
    """Sources, sinks and plugins."""

    sources: Sequence[SourceHealth]
    sinks: Sequence[SinkHealth]
    plugins: Mapping[str, str]
    """Kind and name of each plugin that judges a model, with its version and origin."""
    leader: Leader | None


class OperationViews:
    """Answers what the pages ask about the work of the agent."""

    def __init__(self, store: Store, config: Config, settings: Mapping[str, ModelSettings]) -> None:
        self._store, self._config, self._settings = store, config, settings

    def runs(self, name: str, *, only_troubled: bool = False, page: int = 1) -> RunsView | None:
        """What was read of a model; None where there is none of this name.

        With `only_troubled` only objects that were not read as a whole. Pages count from 1.
        """
        if name not in self._config.models:
            return None
        with self._store.read() as connection:
            rows = ledger_list.list_objects(
                connection,
                name,
                only_troubled=only_troubled,
                limit=OBJECTS + 1,
                offset=(page - 1) * OBJECTS,
            )
            return RunsView(
                model=name,
                totals=load_totals(connection, name, trouble=0),
                objects=[_read_object(connection, row) for row in rows[:OBJECTS]],
                has_more=len(rows) > OBJECTS,
                windows=ledger_list.list_judged_windows(connection, name, WINDOWS),
                references=models.load_references(connection, name),
                configurations=ledger_list.list_configurations(
                    connection, name, self._settings[name].config_digest
                ),
            )

    def health(self) -> HealthView:
        """The state of sources, sinks and plugins."""
        with self._store.read() as connection:
            totals = load_all_totals(connection)
            sources = [
                self._source(connection, name, totals.get(name, Totals()))
                for name in self._config.models
            ]
            known = outbox.load_sink_status(connection)
            sinks = [self._sink(connection, status) for status in known.values()]
        plugins: dict[str, str] = {}
        for text in {settings.plugins for settings in self._settings.values()}:
            plugins |= json.loads(text)
        return HealthView(
            sources=sources,
            sinks=sinks,
            plugins=dict(sorted(plugins.items())),
            leader=self._store.leader(),
        )

    def settings(self) -> list[Setting]:
        """The settings of the file as it is now; secrets stay references. Raises ConfigError."""
        return effective_settings(self._config.origin)

    def _source(self, connection: Connection, name: str, totals: Totals) -> SourceHealth:
        state = models.load_model(connection, name)
        return SourceHealth(
            model=name,
            type=self._config.models[name].source.type,
            listed=None if state is None else from_micros_or_none(state.listed_at),
            last_event=None if state is None else from_micros_or_none(state.last_event),
            totals=totals,
        )

    def _sink(self, connection: Connection, status: SinkStatus) -> SinkHealth:
        sink = self._config.sinks.get(status.name)
        return SinkHealth(
            "" if sink is None else sink.type,
            status,
            outbox.list_dead_letters(connection, status.name, LETTERS),
        )


def _read_object(connection: Connection, row: ObjectRow) -> ReadObject:
    records = ledger_list.load_rejected_records(connection, row.id, RECORDS) if row.rejected else []
    return ReadObject(row, records)

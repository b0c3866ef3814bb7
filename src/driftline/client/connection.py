"""`driftline.connect`: measurements, incidents and windows of an agent, read from its state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from driftline.client.arrow_result import ArrowResult
from driftline.extensions.registry import Registry
from driftline.state import models
from driftline.state.exported_columns import (
    INCIDENT_COLUMNS,
    MEASUREMENT_COLUMNS,
    WINDOW_COLUMNS,
    Columns,
    ExportSelection,
    list_models,
    newest_end,
    read_incident_columns,
    read_measurement_columns,
    read_window_columns,
    window_length,
)
from driftline.state.factory import open_store
from driftline.state.store import Store
from driftline.types.errors import StateError
from driftline.types.phrasing import clean
from driftline.types.scalars import parse_duration
from driftline.types.schema_json import schema_from_json
from driftline.types.times import as_micros, as_utc

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection as Transaction

    from driftline.comparison.table_profile import TableProfile

Reader = Callable[["Transaction", ExportSelection], Iterator[Columns]]
TIMES = frozenset({"start", "end", "since", "resolved_at"})
FLOATS = frozenset({"value", "low", "high", "p_value", "was"})
INTEGERS = frozenset({"rows", "revision"})


def connect(target: str | PathLike[str], *, plugins: Sequence[Path | str] = ()) -> StateConnection:
    """Return a connection to the state of an agent, for reading.

    `target` is a configuration (a path ending in .yaml or .yml) or the URL of a database, such as
    `sqlite:///driftline.db` or `postgresql://…`. The agent may run at the same time. `plugins` are
    needed for `reference` where checks of your own have collectors.

    Raises ConfigError for a configuration with mistakes, NoState when no agent has run yet, and
    StateError when the database can't be read.
    """
    text = str(target)
    paths = [Path(path) for path in plugins]
    if "://" in text:
        return StateConnection(open_store(text, readonly=True), paths)
    from driftline.config import load_config

    if Path(text).suffix.lower() not in (".yaml", ".yml"):
        raise StateError(
            f"{clean(text)} is neither a configuration (*.yaml) nor the URL of a database, such as "
            "sqlite:///driftline.db"
        )
    config = load_config(Path(text))
    folder = config.origin.parent
    store = open_store(config.agent.state, base=folder, readonly=True)
    configured = [folder / Path(path).expanduser() for path in config.plugins.paths]
    lengths = {
        name: round(model.windows.length.total_seconds() * 1e6)
        for name, model in config.models.items()
    }
    return StateConnection(store, [*configured, *paths], lengths)


class StateConnection:
    """Reads the state. Close it, or use it in a `with` statement."""

    def __init__(
        self, store: Store, plugins: Sequence[Path], lengths: Mapping[str, int] | None = None
    ) -> None:
        """Read from `store`, which was opened for reading.

        `lengths` are those of the windows by model, in microseconds, where they are configured.
        """
        self._store, self._plugins, self._lengths = store, plugins, lengths or {}

    def models(self) -> list[str]:
        """Return the names of the models."""
        with self._store.read() as transaction:
            return list_models(transaction)

    def measurements(
        self,
        model: str | None = None,
        *,
        name: str | Sequence[str] | None = None,
        since: str | datetime | None = None,
    ) -> ArrowResult:
        """Return measurements of the newest revision of each window, oldest first.

        `name` selects measurements such as `psi`. `since` is a time, an ISO date, or a duration
        such as `30d`, which counts back from the end of the newest window. Raises StateError for a
        model or a time that is not there.
        """
        names = (name,) if isinstance(name, str) else name
        return self._table(read_measurement_columns, MEASUREMENT_COLUMNS, model, since, names=names)

    def windows(
        self, model: str | None = None, *, since: str | datetime | None = None
    ) -> ArrowResult:
        """Return the windows with their rows and revisions, oldest first."""
        return self._table(read_window_columns, WINDOW_COLUMNS, model, since)

    def incidents(
        self, model: str | None = None, *, since: str | datetime | None = None
    ) -> ArrowResult:
        """Return the incidents, newest first; with `since`, those that are open or ended later."""
        return self._table(read_incident_columns, INCIDENT_COLUMNS, model, since)

    def reference(self, model: str) -> TableProfile:
        """Return the reference of a model as a profile.

        Rows that are profiled with it can be read by the agent and compared with the reference.
        Raises StateError when the model has no reference yet.
        """
        from driftline.comparison.table_profile import TableProfile
        from driftline.profiles.profile import Profile
        from driftline.profiles.spec import ProfileSpec

        with self._store.read() as transaction:
            self._check_model(transaction, model)
            row = models.load_model(transaction, model)
            stored = models.load_current_reference(transaction, model)
            length = self._lengths.get(model) or window_length(transaction, model)
        if row is None or row.spec is None or stored is None:
            raise StateError(f"{model} has no reference yet")
        collectors = Registry.load(list(self._plugins)).collectors()
        spec, schema = ProfileSpec.from_bytes(row.spec), schema_from_json(row.schema_json)
        packed = {} if stored.profile is None else msgspec.msgpack.decode(stored.profile)
        if schema.timestamp is not None and length is None:
            raise StateError(f"{model} has no window yet, so that their length is not known")
        return TableProfile(
            schema=schema,
            spec=spec,
            collectors=collectors,
            length=0 if schema.timestamp is None else length or 0,
            parts={
                (0, "", segment): Profile.from_bytes(content, spec, collectors)
                for segment, content in sorted(packed.items())
            },
        )

    def close(self) -> None:
        """Close the connection."""
        self._store.close()

    def __enter__(self) -> StateConnection:
        """Return itself."""
        return self

    def __exit__(self, *failure: object) -> None:
        """Close the connection."""
        self.close()

    def _table(
        self,
        read: Reader,
        columns: Sequence[str],
        model: str | None,
        since: str | datetime | None,
        names: Sequence[str] | None = None,
    ) -> ArrowResult:
        with self._store.read() as transaction:
            if model is not None:
                self._check_model(transaction, model)
            start = None if since is None else _start(transaction, model, since)
            selection = ExportSelection(model=model, since=start, names=names)
            return _arrow_table(read(transaction, selection), columns)

    def _check_model(self, transaction: Transaction, model: str) -> None:
        known = list_models(transaction)
        if model not in known:
            names = ", ".join(clean(name, 60) for name in known[:20]) or "no model"
            raise StateError(f"there is no model {clean(model, 60)!r}; the state has {names}")


def _start(transaction: Transaction, model: str | None, since: str | datetime) -> int:
    """Return the time that `since` means, in microseconds."""
    if isinstance(since, str):
        try:
            since = datetime.fromisoformat(since)
        except ValueError:
            try:
                length = parse_duration(since)
            except ValueError:
                raise StateError(
                    f"since: {clean(since, 60)!r} should be a duration such as 30d, or a date such "
                    "as 2026-03-01"
                ) from None
            return (newest_end(transaction, model) or 0) - round(length.total_seconds() * 1e6)
    return as_micros(as_utc(since))


def _arrow_table(chunks: Iterator[Columns], names: Sequence[str]) -> ArrowResult:
    import pyarrow as pa

    def type_of(name: str) -> pa.DataType:
        if name in TIMES:
            return pa.timestamp("us", "UTC")
        if name in FLOATS:
            return pa.float64()
        if name in INTEGERS:
            return pa.int64()
        return pa.bool_() if name == "settled" else pa.string()

    schema = pa.schema([(name, type_of(name)) for name in names])
    batches = [
        pa.RecordBatch.from_arrays(
            [
                pa.array(
                    list(map(bool, chunk[name])) if name == "settled" else chunk[name],
                    type_,
                    from_pandas=True,
                )
                for name, type_ in zip(schema.names, schema.types, strict=True)
            ],
            schema=schema,
        )
        for chunk in chunks
    ]
    return ArrowResult(pa.Table.from_batches(batches, schema))

"""The stored measurements as rows of a table `measurements` that a test can query with SQL.

The state keeps them packed; here they are read through the reader and put into an SQLite database
in memory, beside the windows.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from driftline.state.measurement_reader import Selection, read_measurements
from driftline.state.stored_measurement import StoredMeasurement
from driftline.state.tables import measurement_blocks, windows
from driftline.state.traces import load_window_traces
from driftline.types.records import WindowKey

FIELDS = (*StoredMeasurement.__struct_fields__, "trace")
WINDOW_FIELDS = ("model", "start", "version", "segment", "end", "rows", "revision")


def load_all(connection: Connection) -> list[dict[str, Any]]:
    """Every stored measurement with its trace, by model and window."""
    c = measurement_blocks.c
    rows: list[dict[str, Any]] = []
    models = connection.execute(sa.select(c.model).distinct().order_by(c.model)).scalars().all()
    for model in models:
        traces: dict[WindowKey, dict[tuple[str, str, str], bytes]] = {}
        for row in read_measurements(connection, Selection(model=model)):
            key = WindowKey(row.model, row.start, row.version, row.segment)
            if key not in traces:
                traces[key] = {
                    (trace.entry.check, trace.entry.name, trace.entry.labels): content
                    for trace, content in load_window_traces(connection, key)
                }
            trace = traces[key].get((row.check, row.name, row.labels))
            rows.append(msgspec.structs.asdict(row) | {"trace": trace})
    return rows


def query(connection: Connection, text: str, **parameters: Any) -> list[Row[Any]]:
    """What a query finds in the tables `measurements` and `windows`."""
    c = windows.c
    found = connection.execute(sa.select(*(c[name] for name in WINDOW_FIELDS))).mappings().all()
    tables = {"measurements": (FIELDS, load_all(connection)), "windows": (WINDOW_FIELDS, found)}
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool)
    try:
        with engine.begin() as copy:
            for name, (fields, rows) in tables.items():
                columns = ", ".join(f'"{field}"' for field in fields)
                copy.exec_driver_sql(f"CREATE TABLE {name} ({columns})")
                values = [tuple(row[field] for field in fields) for row in rows]
                places = ", ".join("?" * len(fields))
                if values:
                    copy.exec_driver_sql(f"INSERT INTO {name} VALUES ({places})", values)
            return list(copy.execute(sa.text(text), parameters).all())
    finally:
        engine.dispose()


def query_state(url: str | Path, text: str, **parameters: Any) -> list[Row[Any]]:
    """The same of a database, by its URL or the path of an SQLite file."""
    engine = sa.create_engine(f"sqlite:///{url}" if isinstance(url, Path) else url)
    try:
        with engine.connect() as connection:
            return query(connection, text, **parameters)
    finally:
        engine.dispose()

"""A whole database as plain rows: what two runs are compared by."""

from __future__ import annotations

from collections.abc import Mapping

import measurement_sql
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from driftline.state.tables import (
    link_keys,
    measurement_blocks,
    measurement_dictionaries,
    measurement_traces,
    metadata,
    objects,
    references,
)

RANDOM = (link_keys,)
"""Tables that differ between two runs on purpose."""
PACKED = (measurement_blocks, measurement_dictionaries, measurement_traces)
"""Tables whose bytes depend on the order of writing; what they say is among the measurements."""


def dump(connection: Connection) -> Mapping[str, list[tuple[object, ...]]]:
    """Every table as sorted rows, measurements one by one, objects by their names instead of row numbers."""
    found: dict[str, list[tuple[object, ...]]] = {}
    names = {row.id: row.uri for row in connection.execute(sa.select(objects.c.id, objects.c.uri))}
    # What was rolled back leaves a gap in the row numbers of one database, and none in those of
    # another.
    numbers = {
        row.id: row.number
        for row in connection.execute(sa.select(references.c.id, references.c.number))
    }
    measured = [
        tuple((row | {"reference_id": numbers.get(row["reference_id"])}).values())
        for row in measurement_sql.load_all(connection)
    ]
    found["measurements"] = sorted(measured, key=repr)
    for table in metadata.sorted_tables:
        if table in PACKED or table in RANDOM:
            continue
        rows = []
        for row in connection.execute(sa.select(table)):
            values = dict(row._mapping)
            values.pop("id", None) if table.name in (
                "objects",
                "rejects",
                "reference_profiles",
                "waiting",
            ) else None
            if "object_id" in values:
                values["object_id"] = names[values["object_id"]]
            if "reference_id" in values:
                values["reference_id"] = numbers.get(values["reference_id"])
            rows.append(tuple(values.values()))
        found[table.name] = sorted(rows, key=repr)
    return found

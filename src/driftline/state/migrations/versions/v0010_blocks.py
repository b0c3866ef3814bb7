"""One packed block for the measurements of each window, in place of a row for each measurement.

Do not change a released migration: add a new one.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.engine import Connection, Row

from driftline.state.measurement_dictionaries import OpenDictionary
from driftline.state.measurements import write_block
from driftline.state.stored_measurement import StoredMeasurement
from driftline.state.text_columns import NulSafeString, NulSafeText
from driftline.state.traces import PlacedTrace, add_traces
from driftline.types.records import WindowKey

revision = "0010"
down_revision = "0009"

STARTS = 20
"""Starts of windows whose rows are read at once."""


def upgrade() -> None:
    """Add the tables, move every number exactly as it is, and drop the rows."""
    _create_tables()
    connection = op.get_bind()
    rows = rows_table()
    models = connection.execute(sa.select(rows.c.model).distinct()).scalars().all()
    for model in sorted(models):
        _move_model(connection, rows, model)
    if connection.dialect.name == "postgresql":  # SQLite keeps no comments.
        states = "see driftline.types.message_state.MessageState"
        op.alter_column("outbox", "state", comment=states)
    op.drop_index("measurements_by_series", "measurements")
    op.drop_table("measurements")


def _move_model(connection: Connection, rows: sa.Table, model: str) -> None:
    starts = sa.select(rows.c.start).where(rows.c.model == model).distinct()
    ordered = connection.execute(starts.order_by(rows.c.start)).scalars().all()
    for place in range(0, len(ordered), STARTS):
        some = ordered[place : place + STARTS]
        query = (
            sa.select(rows)
            .where(rows.c.model == model, rows.c.start.between(some[0], some[-1]))
            .order_by(rows.c.start, rows.c.version, rows.c.segment)
        )
        dictionary = OpenDictionary.load(connection, model)
        for key, group in groupby(
            connection.execute(query).all(),
            key=lambda row: WindowKey(row.model, row.start, row.version, row.segment),
        ):
            _move_window(connection, key, list(group), dictionary)
        dictionary.save(connection)


def _move_window(
    connection: Connection, key: WindowKey, rows: list[Row[Any]], dictionary: OpenDictionary
) -> None:
    fields = StoredMeasurement.__struct_fields__
    stored = [StoredMeasurement(**{name: getattr(row, name) for name in fields}) for row in rows]
    places = write_block(connection, key, stored, dictionary, exact=True)
    traces: dict[int | None, list[PlacedTrace]] = {}
    for row, place in zip(rows, places, strict=True):
        if row.trace is not None:
            traces.setdefault(row.reference_id, []).append(PlacedTrace(place, bytes(row.trace)))
    add_traces(connection, key, dictionary.id, traces)


def rows_table() -> sa.Table:
    """The table of rows as version 0009 had it."""
    texts = ("model", "version", "segment", "check", "name", "verdict", "severity", "unit")
    return sa.Table(
        "measurements",
        sa.MetaData(),
        sa.Column("start", sa.BigInteger),
        *(sa.Column(name, NulSafeString) for name in (*texts, "bound_side")),
        *(sa.Column(name, NulSafeText) for name in ("labels", "reason", "detail")),
        *(
            sa.Column(name, sa.Float)
            for name in ("value", "low", "high", "p_value", "was", "bound_value")
        ),
        *(sa.Column(name, sa.BigInteger) for name in ("revision", "rows", "reference_id")),
        sa.Column("trace", sa.LargeBinary),
    )


def _create_tables() -> None:
    id_type = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    window: list[tuple[str, Any]] = [
        ("model", NulSafeString()),
        ("start", sa.BigInteger()),
        ("version", NulSafeString()),
        ("segment", NulSafeString()),
    ]

    def keys() -> list[sa.Column[Any]]:
        return [sa.Column(name, type, primary_key=True) for name, type in window]

    op.create_table(
        "measurement_dictionaries",
        sa.Column("id", id_type, primary_key=True, autoincrement=True),
        sa.Column("model", NulSafeString(), nullable=False, index=True),
        sa.Column(
            "content",
            sa.LargeBinary(),
            nullable=False,
            comment="checks, names, labels, units and names of details, see SeriesDictionary",
        ),
        comment="What the measurements of many windows share; blocks refer to it by place.",
    )
    op.create_table(
        "measurement_blocks",
        *keys(),
        sa.Column("dictionary_id", id_type, nullable=False),
        sa.Column("measurements", sa.Integer(), nullable=False, comment="how many the block holds"),
        *(
            sa.Column(verdict, sa.Integer(), nullable=False, comment="how many have this verdict")
            for verdict in ("ok", "changed", "unsure", "error")
        ),
        sa.Column("places", sa.LargeBinary(), nullable=False, comment="in the dictionary, packed"),
        sa.Column(
            "figures", sa.LargeBinary(), nullable=False, comment="values and verdicts, packed"
        ),
        sa.Column("details", sa.LargeBinary(), nullable=False, comment="all else, packed"),
        comment="All measurements of the newest revision of each window; see measurement_block.",
    )
    op.create_table(
        "changed_measurements",
        *keys(),
        sa.Column("check", NulSafeString(), primary_key=True),
        sa.Column("name", NulSafeString(), primary_key=True),
        sa.Column("labels", NulSafeText(), primary_key=True, comment="JSON with sorted keys"),
        sa.Column("value", sa.Float()),
        sa.Column("was", sa.Float()),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("severity", NulSafeString(), nullable=False, default=""),
        sa.Column("reason", NulSafeText(), nullable=False, default=""),
        sa.Column("unit", NulSafeString(), nullable=False, default=""),
        comment="The measurements with the verdict `changed`, so that they are found at once.",
    )
    series = ("model", "version", "segment", "check", "name", "labels", "start")
    op.create_index("changed_by_series", "changed_measurements", series)
    op.create_table(
        "measurement_traces",
        *keys(),
        sa.Column("reference_id", id_type, primary_key=True, comment="0 for none"),
        sa.Column("dictionary_id", id_type, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False, comment="packed by state.traces"),
        comment="What judging later windows needs of a window; kept for the newest windows alone.",
    )

"""Defines the tables of measurements: a packed block for each window, and rows for changes."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, Table

from driftline.state.metadata import Id, metadata
from driftline.state.text_columns import NulSafeString, NulSafeText

measurement_dictionaries = Table(
    "measurement_dictionaries",
    metadata,
    *(
        Column("id", Id, primary_key=True, autoincrement=True),
        Column("model", NulSafeString, nullable=False, index=True),
        Column(
            "content",
            LargeBinary,
            nullable=False,
            comment="checks, names, labels, units and names of details, see SeriesDictionary",
        ),
    ),
    comment="What the measurements of many windows share; blocks refer to it by place.",
)

measurement_blocks = Table(
    "measurement_blocks",
    metadata,
    *(
        Column("model", NulSafeString, primary_key=True),
        Column("start", BigInteger, primary_key=True),
        Column("version", NulSafeString, primary_key=True),
        Column("segment", NulSafeString, primary_key=True),
        Column("dictionary_id", Id, nullable=False),
        Column("measurements", Integer, nullable=False, comment="how many the block holds"),
        Column("ok", Integer, nullable=False, comment="how many have this verdict"),
        Column("changed", Integer, nullable=False, comment="how many have this verdict"),
        Column("unsure", Integer, nullable=False, comment="how many have this verdict"),
        Column("error", Integer, nullable=False, comment="how many have this verdict"),
        Column("places", LargeBinary, nullable=False, comment="in the dictionary, packed"),
        Column("figures", LargeBinary, nullable=False, comment="values and verdicts, packed"),
        Column("details", LargeBinary, nullable=False, comment="all else, packed"),
    ),
    comment="All measurements of the newest revision of each window; see measurement_block.",
)

changed_measurements = Table(
    "changed_measurements",
    metadata,
    *(
        Column("model", NulSafeString, primary_key=True),
        Column("start", BigInteger, primary_key=True),
        Column("version", NulSafeString, primary_key=True),
        Column("segment", NulSafeString, primary_key=True),
        Column("check", NulSafeString, primary_key=True),
        Column("name", NulSafeString, primary_key=True),
        Column("labels", NulSafeText, primary_key=True, comment="JSON with sorted keys"),
        Column("value", Float),
        Column("was", Float),
        Column("rows", BigInteger, nullable=False),
        Column("severity", NulSafeString, nullable=False, default=""),
        Column("reason", NulSafeText, nullable=False, default=""),
        Column("unit", NulSafeString, nullable=False, default=""),
    ),
    Index("changed_by_series", "model", "version", "segment", "check", "name", "labels", "start"),
    comment="The measurements with the verdict `changed`, so that they are found at once.",
)

measurement_traces = Table(
    "measurement_traces",
    metadata,
    *(
        Column("model", NulSafeString, primary_key=True),
        Column("start", BigInteger, primary_key=True),
        Column("version", NulSafeString, primary_key=True),
        Column("segment", NulSafeString, primary_key=True),
        Column("reference_id", Id, primary_key=True, comment="0 for none"),
        Column("dictionary_id", Id, nullable=False),
        Column("content", LargeBinary, nullable=False, comment="packed by state.traces"),
    ),
    comment="What judging later windows needs of a window; kept for the newest windows alone.",
)

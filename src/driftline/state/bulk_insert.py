"""Inserts many rows of one table with one statement.

SQLAlchemy prepares the values of each row anew; here each column is prepared at once. Values and
statement are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect


class _Insertion(NamedTuple):
    """The statement that inserts a row, and how its values are encoded."""

    statement: str
    columns: tuple[str, ...]
    encoders: tuple[Callable[[Any], Any] | None, ...]
    """Of each column; None where values are passed on as they are."""
    is_positional: bool
    """Whether the database takes values by their place, not by their name."""


def insert_rows(connection: Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that have a value for each column of `table`, by its name.

    Raises KeyError for a row that lacks a column, and the errors of the database as SQLAlchemy's.
    """
    if not rows:
        return
    statement, names, encoders, is_positional = _prepare(table, connection.dialect)
    columns = zip(*map(itemgetter(*names), rows), strict=True)
    encoded = zip(
        *(
            column if encode is None else map(encode, column)
            for column, encode in zip(columns, encoders, strict=True)
        ),
        strict=True,
    )
    values: Any = list(encoded)
    if not is_positional:
        values = [dict(zip(names, row, strict=True)) for row in values]
    connection.exec_driver_sql(statement, values)


@lru_cache(maxsize=32)
def _prepare(table: sa.Table, dialect: Dialect) -> _Insertion:
    insertion = table.insert().compile(dialect=dialect)
    columns = tuple(insertion.positiontup or (column.name for column in table.columns))
    return _Insertion(
        str(insertion),
        columns,
        tuple(
            table.columns[name].type.dialect_impl(dialect).bind_processor(dialect)
            for name in columns
        ),
        insertion.positional,
    )

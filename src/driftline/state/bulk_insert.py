"""Inserts many rows of one table with one statement, column by column.

SQLAlchemy prepares each value of each row by itself; here each column is prepared at once. Values
and statement are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect

from driftline.state.text_columns import NulSafeString, encode_texts

Encoder = Callable[[Sequence[Any]], Iterable[Any]]
"""Prepares the values of a column for the database."""


class _Insertion(NamedTuple):
    """The statement that inserts a row, and how its values are encoded."""

    statement: str
    columns: tuple[str, ...]
    encoders: tuple[Encoder, ...]
    """Of each column."""
    is_positional: bool
    """Whether the database takes values by their place, not by their name."""


def insert_columns(
    connection: Connection, table: sa.Table, columns: Mapping[str, Sequence[Any]]
) -> None:
    """Insert rows; `columns` has the values of each column of `table`, by its name.

    Raises KeyError for a column that lacks, ValueError for columns of different lengths, and the
    errors of the database as SQLAlchemy's.
    """
    statement, names, encoders, is_positional = _prepare(table, connection.dialect)
    encoded = (encode(columns[name]) for name, encode in zip(names, encoders, strict=True))
    values: Any = list(zip(*encoded, strict=True))
    if not values:
        return
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
        tuple(_encoder(table.columns[name].type, dialect) for name in columns),
        insertion.positional,
    )


def _encoder(column_type: sa.types.TypeEngine[Any], dialect: Dialect) -> Encoder:
    if isinstance(column_type, NulSafeString):
        return encode_texts
    encode = column_type.dialect_impl(dialect).bind_processor(dialect)
    return iter if encode is None else partial(map, encode)

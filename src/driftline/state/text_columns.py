"""Text columns with the same content and order on every database.

PostgreSQL can't store NUL, so it is written as two other characters and read back as NUL. Text is
ordered by its bytes, whatever the collation of the database is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

ESCAPE = "\x1a"
"""Begins the two characters for a NUL, and for this character itself."""


class NulSafeString(sa.TypeDecorator[str]):
    """Names, from the configuration or from data."""

    impl = sa.String
    cache_ok = True
    plain: type[sa.String] = sa.String

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        """On PostgreSQL use the collation of SQLite: by bytes."""
        return self.plain(collation="C" if dialect.name == "postgresql" else None)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Encode a value for the database."""
        return None if value is None else _encode(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """Decode a value of the database."""
        if value is None or ESCAPE not in value:
            return value
        return value.replace(f"{ESCAPE}0", "\x00").replace(f"{ESCAPE}1", ESCAPE)


class NulSafeText(NulSafeString):
    """Text of any length."""

    impl = sa.Text
    cache_ok = True
    plain = sa.Text


def encode_texts(values: Sequence[str | None]) -> Sequence[str | None]:
    """Encode the values of a column for the database."""
    # One search through all of them: nearly no column has such a character.
    if not _is_special("".join(filter(None, values))):
        return values
    return [None if value is None else _encode(value) for value in values]


def _encode(value: str) -> str:
    if not _is_special(value):
        return value
    return value.replace(ESCAPE, f"{ESCAPE}1").replace("\x00", f"{ESCAPE}0")


def _is_special(text: str) -> bool:
    return "\x00" in text or ESCAPE in text

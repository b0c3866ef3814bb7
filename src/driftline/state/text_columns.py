"""Text columns with the same content and order on every database.

PostgreSQL can't store NUL, so it is written as two other characters and read back as NUL. Text is
ordered by its bytes, whatever the collation of the database is.
"""

from __future__ import annotations

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
        if value is None or ("\x00" not in value and ESCAPE not in value):
            return value
        return value.replace(ESCAPE, f"{ESCAPE}1").replace("\x00", f"{ESCAPE}0")

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

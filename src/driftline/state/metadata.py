"""What all tables of the state share: their collection, and the type of row numbers."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData

metadata = MetaData()
Id = BigInteger().with_variant(Integer, "sqlite")

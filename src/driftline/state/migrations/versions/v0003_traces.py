"""Adds to each measurement the data that rules about its history need.

Does not change any more: a released migration stays as it is, and later files add to it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add a column."""
    comment = "what judging later windows by this series needs of this one"
    op.add_column("measurements", sa.Column("trace", sa.LargeBinary(), comment=comment))

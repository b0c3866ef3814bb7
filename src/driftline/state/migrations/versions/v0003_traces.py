"""The trace of each measurement that is judged by the windows before it.

Do not change a released migration: add a new one.
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

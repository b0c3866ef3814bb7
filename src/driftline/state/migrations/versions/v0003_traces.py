"""What judging by the past needs of each measurement.

Refuses to change: what has been released is only added to, by later files.
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

"""The bound that each measurement crossed.

Do not change a released migration: add a new one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from driftline.state.text_columns import NulSafeString

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add two columns."""
    comment = "side of the bound that was crossed; empty for none, null in rows before 0006"
    op.add_column("measurements", sa.Column("bound_side", NulSafeString(), comment=comment))
    op.add_column("measurements", sa.Column("bound_value", sa.Float()))

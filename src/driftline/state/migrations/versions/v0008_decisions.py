"""What to do with each model, by window, and what actions did.

Do not change a released migration: add a new one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from driftline.state.text_columns import NulSafeString, NulSafeText

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "model_decisions",
        *(
            sa.Column("model", NulSafeString(), primary_key=True),
            sa.Column("start", sa.BigInteger(), primary_key=True, comment="start of the windows"),
            sa.Column("end", sa.BigInteger(), nullable=False),
            sa.Column("decision", NulSafeString(), nullable=False),
            sa.Column(
                "since",
                sa.BigInteger(),
                nullable=False,
                comment="start of the first with the same",
            ),
            sa.Column("reasons", NulSafeText(), nullable=False, comment="sentences as JSON"),
            sa.Column("evidence", NulSafeText(), nullable=False, comment="findings as JSON"),
            sa.Column("action", NulSafeString(), nullable=False, default=""),
            sa.Column("effect", NulSafeText(), nullable=False, default=""),
        ),
        comment="What to do with each model, decided for each span of time.",
    )

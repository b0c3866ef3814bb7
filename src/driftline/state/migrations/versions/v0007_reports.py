"""First reports, and the weeks or months of a reference whose rows have times.

Do not change a released migration: add a new one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from driftline.state.text_columns import NulSafeString, NulSafeText

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add a table and a column."""
    op.create_table(
        "reports",
        *(
            sa.Column("model", NulSafeString(), primary_key=True),
            sa.Column("version", NulSafeString(), primary_key=True),
            sa.Column("at", sa.BigInteger(), nullable=False),
            sa.Column("title", NulSafeText(), nullable=False),
            sa.Column("payload", NulSafeText(), nullable=False, comment="the notification as JSON"),
        ),
        comment="The first report of each model version. Its messages stand in the outbox.",
    )
    # A version that was watched before needs no first report.
    op.execute(
        "insert into reports (model, version, at, title, payload) "
        "select distinct model, version, 0, '', '' from windows where revision > 0"
    )
    comment = "profiles of its weeks or months; null where its rows have no times"
    op.add_column("reference_profiles", sa.Column("spans", sa.LargeBinary(), comment=comment))

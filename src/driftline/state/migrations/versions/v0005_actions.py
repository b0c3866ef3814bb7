"""The runs of actions: their trigger, approval and request.

Do not change a released migration: add a new one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from driftline.state.text_columns import NulSafeString, NulSafeText

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add a table."""
    op.create_table(
        "action_runs",
        *(
            sa.Column("token", NulSafeString(), primary_key=True),
            sa.Column("action", NulSafeString(), nullable=False),
            sa.Column("model", NulSafeString(), nullable=False),
            sa.Column("incident", NulSafeString(), nullable=False),
            sa.Column("decision", NulSafeString(), nullable=False),
            sa.Column(
                "state",
                NulSafeString(),
                nullable=False,
                comment="see driftline.state.action_runs.State",
            ),
            sa.Column("why", NulSafeText(), nullable=False, comment="what called for it"),
            sa.Column(
                "request",
                NulSafeText(),
                nullable=False,
                comment="exactly what is sent, as JSON; empty when it can't be made",
            ),
            sa.Column(
                "payload",
                NulSafeText(),
                nullable=False,
                comment="the incident as it was, a notification as JSON",
            ),
            sa.Column("created", sa.BigInteger(), nullable=False),
            sa.Column("expires", sa.BigInteger(), comment="until when it may be approved"),
            sa.Column("decided", sa.BigInteger(), comment="when a person approved or rejected it"),
            sa.Column("author", NulSafeText(), nullable=False),
            sa.Column(
                "reason",
                NulSafeText(),
                nullable=False,
                comment="why it was approved, rejected, or not run",
            ),
        ),
        comment=(
            "Runs of actions: each once for an incident. What became of an approved one "
            "stands in the outbox."
        ),
    )
    op.create_index("action_runs_by_incident", "action_runs", ["incident"])
    op.create_index("action_runs_by_action", "action_runs", ["action", "created"])

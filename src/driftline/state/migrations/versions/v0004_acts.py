"""The acts of people on incidents, and incidents that come back.

Do not change a released migration: add a new one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from driftline.state.text_columns import NulSafeString, NulSafeText

revision = "0004"
down_revision = "0003"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the tables and columns."""
    until = "until when it may come back, once it has ended"
    op.add_column("incidents", sa.Column("reopens_until", sa.BigInteger(), comment=until))
    op.add_column(
        "reference_profiles",
        sa.Column(
            "accepted",
            NulSafeText(),
            nullable=False,
            server_default="",
            comment="who made it so and why, as JSON",
        ),
    )
    for name, comment in (
        ("author", "who did it; empty for what the agent found"),
        ("held", "why no message was sent; empty when one was"),
    ):
        op.add_column(
            "incident_events",
            sa.Column(name, NulSafeText(), nullable=False, server_default="", comment=comment),
        )
    op.create_table(
        "acts",
        *(
            sa.Column("id", Id, primary_key=True, autoincrement=True),
            sa.Column(
                "kind", NulSafeString(), nullable=False, comment="acknowledge, snooze or accept"
            ),
            sa.Column("model", NulSafeString(), nullable=False),
            sa.Column("incident", NulSafeString(), nullable=False),
            sa.Column("until", sa.BigInteger(), comment="of a snooze"),
            sa.Column("author", NulSafeText(), nullable=False),
            sa.Column("reason", NulSafeText(), nullable=False),
            sa.Column("created", sa.BigInteger(), nullable=False),
            sa.Column("applied", sa.BigInteger(), comment="when the agent dealt with it"),
            sa.Column(
                "outcome",
                NulSafeText(),
                nullable=False,
                comment="why nothing came of it; empty when it was done",
            ),
        ),
        comment=(
            "What people ask of incidents: left by any process, applied by the agent in "
            "the transaction of its step."
        ),
    )
    op.create_index("acts_by_model", "acts", ["model", "applied"])
    op.create_table(
        "silences",
        *(
            sa.Column("id", Id, primary_key=True, autoincrement=True),
            sa.Column("matchers", NulSafeText(), nullable=False),
            sa.Column("start", sa.BigInteger(), nullable=False),
            sa.Column("until", sa.BigInteger(), nullable=False),
            sa.Column("author", NulSafeText(), nullable=False),
            sa.Column("reason", NulSafeText(), nullable=False),
            sa.Column("created", sa.BigInteger(), nullable=False),
            sa.Column(
                "ended_by", NulSafeText(), nullable=False, comment="who ended it before its time"
            ),
            sa.Column("ended_reason", NulSafeText(), nullable=False),
        ),
        comment="Which messages are not sent, and for how long.",
    )
    op.create_table(
        "pages",
        sa.Column("incident", NulSafeString(), primary_key=True),
        sa.Column("revision", sa.Integer(), primary_key=True),
        sa.Column("model", NulSafeString(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        comment="When people were paged: what the cap of pages a day counts.",
    )
    op.create_index("pages_by_model", "pages", ["model", "at"])

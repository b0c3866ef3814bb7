"""The first version.

Do not change a released migration: add a new one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "alerts",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="JSON"),
        sa.PrimaryKeyConstraint("key"),
        comment="The state of one rule on one set of labels.",
    )
    op.create_index(op.f("ix_alerts_model"), "alerts", ["model"], unique=False)
    op.create_table(
        "configurations",
        *(
            sa.Column("digest", sa.String(), nullable=False),
            sa.Column("model", sa.String(), nullable=False),
            sa.Column(
                "content",
                sa.Text(),
                nullable=False,
                comment="the model's part of the file as JSON, references to secrets unresolved",
            ),
            sa.Column(
                "plugins",
                sa.Text(),
                nullable=False,
                comment="JSON: kind and name to version and origin, and driftline's own",
            ),
            sa.Column("first_used", sa.BigInteger(), nullable=False),
        ),
        sa.PrimaryKeyConstraint("digest"),
        comment="Every configuration that windows were judged by: their config_digest points here.",
    )
    op.create_table(
        "incident_events",
        *(
            sa.Column("incident", sa.String(), nullable=False),
            sa.Column("revision", sa.Integer(), nullable=False),
            sa.Column("event", sa.String(), nullable=False),
            sa.Column(
                "at",
                sa.BigInteger(),
                nullable=False,
                comment="event time for windows, the clock's for trouble of the agent",
            ),
            sa.Column("reason", sa.Text(), nullable=False),
            sa.Column("facts", sa.Text(), nullable=False, comment="the notification, as JSON"),
        ),
        sa.PrimaryKeyConstraint("incident", "revision"),
        comment="The history of each incident.",
    )
    op.create_table(
        "incidents",
        *(
            sa.Column("id", sa.String(), nullable=False),
            sa.Column("model", sa.String(), nullable=False),
            sa.Column("cause", sa.String(), nullable=False),
            sa.Column("state", sa.String(), nullable=False, comment="firing or resolved"),
            sa.Column("severity", sa.String(), nullable=False),
            sa.Column("title", sa.Text(), nullable=False),
            sa.Column("since", sa.BigInteger(), nullable=False),
            sa.Column("resolved_at", sa.BigInteger(), nullable=True),
            sa.Column("revision", sa.Integer(), nullable=False),
            sa.Column("detail", sa.Text(), nullable=False, comment="JSON"),
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="Alerts that belong together: people get one thread for each.",
    )
    op.create_index("incidents_by_state", "incidents", ["model", "state"], unique=False)
    op.create_table(
        "measurements",
        *(
            sa.Column("model", sa.String(), nullable=False),
            sa.Column("start", sa.BigInteger(), nullable=False),
            sa.Column("version", sa.String(), nullable=False),
            sa.Column("segment", sa.String(), nullable=False),
            sa.Column("check", sa.String(), nullable=False),
            sa.Column("name", sa.String(), nullable=False),
            sa.Column("labels", sa.Text(), nullable=False, comment="JSON with sorted keys"),
            sa.Column("revision", sa.Integer(), nullable=False),
            sa.Column("value", sa.Float(), nullable=True),
            sa.Column("low", sa.Float(), nullable=True),
            sa.Column("high", sa.Float(), nullable=True),
            sa.Column("p_value", sa.Float(), nullable=True),
            sa.Column("was", sa.Float(), nullable=True),
            sa.Column("rows", sa.BigInteger(), nullable=False),
            sa.Column(
                "verdict",
                sa.String(),
                nullable=False,
                comment="empty for a measurement that no rule judges",
            ),
            sa.Column("severity", sa.String(), nullable=False),
            sa.Column("reason", sa.Text(), nullable=False),
            sa.Column("unit", sa.String(), nullable=False),
            sa.Column("detail", sa.Text(), nullable=False),
            sa.Column(
                "reference_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
            ),
        ),
        sa.PrimaryKeyConstraint("model", "start", "version", "segment", "check", "name", "labels"),
        comment="Every measurement of the newest revision of every window, judged or not.",
    )
    op.create_index(
        "measurements_by_series",
        "measurements",
        ["model", "version", "segment", "check", "name", "labels", "start"],
        unique=False,
    )
    op.create_table(
        "models",
        *(
            sa.Column("name", sa.String(), nullable=False),
            sa.Column("watched_since", sa.BigInteger(), nullable=False),
            sa.Column("last_event", sa.BigInteger(), nullable=True),
            sa.Column("spec", sa.LargeBinary(), nullable=True),
            sa.Column("spec_digest", sa.String(), nullable=False),
            sa.Column("schema_json", sa.Text(), nullable=False),
            sa.Column(
                "columns_json",
                sa.Text(),
                nullable=False,
                comment="the inputs' names in the reference, in order",
            ),
            sa.Column(
                "reference_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
            ),
            sa.Column("config_digest", sa.String(), nullable=False),
            sa.Column("judged_until", sa.BigInteger(), nullable=True),
        ),
        sa.PrimaryKeyConstraint("name"),
        comment="One row a model: what the agent knows of it as a whole.",
    )
    op.create_table(
        "objects",
        *(
            sa.Column(
                "id",
                sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
                autoincrement=True,
                nullable=False,
            ),
            sa.Column("model", sa.String(), nullable=False),
            sa.Column("uri", sa.Text(), nullable=False),
            sa.Column("version", sa.Text(), nullable=False),
            sa.Column(
                "lineage",
                sa.Text(),
                nullable=False,
                comment="the same as long as the content only grows",
            ),
            sa.Column("size", sa.BigInteger(), nullable=False),
            sa.Column("modified", sa.BigInteger(), nullable=False),
            sa.Column("state", sa.String(), nullable=False, comment="done, quarantined or gone"),
            sa.Column(
                "offset",
                sa.BigInteger(),
                nullable=False,
                comment="bytes of whole records taken; 0 when not resumable",
            ),
            sa.Column("rows", sa.BigInteger(), nullable=False),
            sa.Column("rejected", sa.BigInteger(), nullable=False),
            sa.Column(
                "held", sa.BigInteger(), nullable=False, comment="rows without a usable time"
            ),
            sa.Column("first_event", sa.BigInteger(), nullable=True),
            sa.Column("last_event", sa.BigInteger(), nullable=True),
            sa.Column("spec_digest", sa.String(), nullable=False),
            sa.Column("error", sa.Text(), nullable=False),
            sa.Column("attempts", sa.Integer(), nullable=False),
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="The ledger: each log object, its version, and how far it has been read.",
    )
    op.create_index("objects_by_uri", "objects", ["model", "uri"], unique=True)
    op.create_table(
        "outbox",
        *(
            sa.Column("id", sa.String(), nullable=False, comment="the idempotency key"),
            sa.Column("sink", sa.String(), nullable=False),
            sa.Column("incident", sa.String(), nullable=False),
            sa.Column("revision", sa.Integer(), nullable=False),
            sa.Column("event", sa.String(), nullable=False),
            sa.Column("payload", sa.Text(), nullable=False, comment="the notification, as JSON"),
            sa.Column(
                "state",
                sa.String(),
                nullable=False,
                comment="pending, sending, sent, unknown, refused or superseded",
            ),
            sa.Column("attempts", sa.Integer(), nullable=False),
            sa.Column("not_before", sa.BigInteger(), nullable=False),
            sa.Column("created", sa.BigInteger(), nullable=False),
            sa.Column("finished", sa.BigInteger(), nullable=True),
            sa.Column("remote", sa.Text(), nullable=False, comment="the receiver's reference"),
            sa.Column("error", sa.Text(), nullable=False),
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="Notifications, kept until their sink took them or refused them.",
    )
    op.create_index("outbox_by_incident", "outbox", ["incident", "sink"], unique=False)
    op.create_index("outbox_by_state", "outbox", ["sink", "state", "not_before"], unique=False)
    op.create_table(
        "reference_profiles",
        *(
            sa.Column(
                "id",
                sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
                autoincrement=True,
                nullable=False,
            ),
            sa.Column("model", sa.String(), nullable=False),
            sa.Column("number", sa.Integer(), nullable=False, comment="1, 2, ... within the model"),
            sa.Column(
                "origin",
                sa.Text(),
                nullable=False,
                comment="what it was made of, as JSON: objects with versions, or a span",
            ),
            sa.Column("digest", sa.String(), nullable=False),
            sa.Column("rows", sa.BigInteger(), nullable=False),
            sa.Column("spec_digest", sa.String(), nullable=False),
            sa.Column("profile", sa.LargeBinary(), nullable=True),
        ),
        sa.PrimaryKeyConstraint("id"),
        comment="Frozen, versioned profiles that windows are compared with.",
    )
    op.create_index(
        op.f("ix_reference_profiles_model"), "reference_profiles", ["model"], unique=False
    )
    op.create_index("references_by_number", "reference_profiles", ["model", "number"], unique=True)
    op.create_table(
        "rollups",
        *(
            sa.Column("model", sa.String(), nullable=False),
            sa.Column("start", sa.BigInteger(), nullable=False),
            sa.Column("version", sa.String(), nullable=False),
            sa.Column("segment", sa.String(), nullable=False),
            sa.Column("end", sa.BigInteger(), nullable=False),
            sa.Column("rows", sa.BigInteger(), nullable=False),
            sa.Column("spec_digest", sa.String(), nullable=False),
            sa.Column("profile", sa.LargeBinary(), nullable=False),
        ),
        sa.PrimaryKeyConstraint("model", "start", "version", "segment"),
        comment="Days of windows whose own profiles have expired.",
    )
    op.create_table(
        "sinks",
        *(
            sa.Column("name", sa.String(), nullable=False),
            sa.Column(
                "not_before",
                sa.BigInteger(),
                nullable=False,
                comment="no request to this sink before",
            ),
            sa.Column("failures", sa.Integer(), nullable=False, comment="in a row"),
            sa.Column("error", sa.Text(), nullable=False),
            sa.Column("last_sent", sa.BigInteger(), nullable=True),
        ),
        sa.PrimaryKeyConstraint("name"),
        comment="What is known of each sink, also across restarts.",
    )
    op.create_table(
        "windows",
        *(
            sa.Column("model", sa.String(), nullable=False),
            sa.Column("start", sa.BigInteger(), nullable=False),
            sa.Column("version", sa.String(), nullable=False),
            sa.Column("segment", sa.String(), nullable=False),
            sa.Column("end", sa.BigInteger(), nullable=False),
            sa.Column("rows", sa.BigInteger(), nullable=False),
            sa.Column(
                "revision", sa.Integer(), nullable=False, comment="0 until judged; then 1, 2, ..."
            ),
            sa.Column(
                "dirty",
                sa.Integer(),
                nullable=False,
                comment="1 when rows came since it was judged",
            ),
            sa.Column(
                "settled",
                sa.Integer(),
                nullable=False,
                comment="1 when no more rows are taken; profile holds all of it",
            ),
            sa.Column("profile", sa.LargeBinary(), nullable=True),
            sa.Column(
                "reference_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
            ),
            sa.Column("config_digest", sa.String(), nullable=False),
        ),
        sa.PrimaryKeyConstraint("model", "start", "version", "segment"),
        comment="Each window of each model version and segment.",
    )
    op.create_index("windows_dirty", "windows", ["model", "dirty", "start"], unique=False)
    op.create_table(
        "rejects",
        *(
            sa.Column(
                "id",
                sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
                autoincrement=True,
                nullable=False,
            ),
            sa.Column(
                "object_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
            ),
            sa.Column("position", sa.BigInteger(), nullable=False),
            sa.Column("reason", sa.Text(), nullable=False),
            sa.Column("sample", sa.Text(), nullable=False),
        ),
        sa.ForeignKeyConstraint(["object_id"], ["objects.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        comment="A bounded sample of the records that could not be read.",
    )
    op.create_index(op.f("ix_rejects_object_id"), "rejects", ["object_id"], unique=False)
    op.create_table(
        "shares",
        *(
            sa.Column(
                "object_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
            ),
            sa.Column(
                "piece",
                sa.BigInteger(),
                nullable=False,
                comment="byte offset at which this piece of a growing object began",
            ),
            sa.Column("start", sa.BigInteger(), nullable=False),
            sa.Column("version", sa.String(), nullable=False),
            sa.Column("segment", sa.String(), nullable=False),
            sa.Column("model", sa.String(), nullable=False),
            sa.Column("rows", sa.BigInteger(), nullable=False),
            sa.Column(
                "profile",
                sa.LargeBinary(),
                nullable=True,
                comment="null once the window is settled and the profile is merged into it",
            ),
        ),
        sa.ForeignKeyConstraint(["object_id"], ["objects.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("object_id", "piece", "start", "version", "segment"),
        comment=(
            "What one object contributed to one window: the provenance, and until the "
            "window settles the profile itself."
        ),
    )
    op.create_index(
        "shares_by_window", "shares", ["model", "start", "version", "segment"], unique=False
    )

"""Resumed listings, rows that wait for their other half, and windows without messages.

Do not change a released migration: add a new one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the columns and one table."""
    op.add_column(
        "models",
        sa.Column(
            "listed_at",
            sa.BigInteger(),
            comment="when the last pass began that dealt with all it listed",
        ),
    )
    op.add_column(
        "models",
        sa.Column(
            "whole_at",
            sa.BigInteger(),
            comment="when the last such pass began that listed everything",
        ),
    )
    op.add_column(
        "models",
        sa.Column(
            "whole_digest",
            sa.String(),
            nullable=False,
            server_default="",
            comment="of the source and spec of that pass",
        ),
    )
    op.add_column(
        "models",
        sa.Column(
            "waits_from",
            sa.BigInteger(),
            comment="predictions of windows that start before it wait no longer for labels",
        ),
    )
    op.add_column(
        "objects",
        sa.Column(
            "mark",
            sa.String(),
            nullable=False,
            server_default="",
            comment="of the bytes right before offset, where it may grow",
        ),
    )
    op.create_index("objects_by_lineage", "objects", ["model", "lineage"])
    op.create_index("objects_by_state", "objects", ["model", "state", "attempts"])
    op.add_column(
        "objects",
        sa.Column(
            "partition", sa.BigInteger(), comment="start of the span of time that its place names"
        ),
    )
    op.add_column(
        "objects",
        sa.Column(
            "unpaired",
            sa.BigInteger(),
            nullable=False,
            server_default="0",
            comment="requests or responses that stayed alone for good",
        ),
    )
    op.add_column(
        "objects",
        sa.Column(
            "unlabelled",
            sa.BigInteger(),
            nullable=False,
            server_default="0",
            comment="predictions and labels that were never joined",
        ),
    )
    op.add_column(
        "windows",
        sa.Column(
            "labelled",
            sa.LargeBinary(),
            comment="what labels that came later say of its predictions",
        ),
    )
    op.add_column(
        "windows",
        sa.Column(
            "quiet",
            sa.Integer(),
            nullable=False,
            server_default="0",
            comment="1 when it was too old for messages when first judged",
        ),
    )
    op.create_table(
        "waiting",
        *(
            sa.Column("id", Id, primary_key=True, autoincrement=True),
            sa.Column("model", sa.String(), nullable=False),
            sa.Column(
                "role",
                sa.String(),
                nullable=False,
                comment="prediction, label, request or response",
            ),
            sa.Column(
                "object_id", Id, sa.ForeignKey("objects.id", ondelete="CASCADE"), nullable=False
            ),
            sa.Column("piece", sa.BigInteger(), nullable=False),
            sa.Column(
                "start",
                sa.BigInteger(),
                nullable=False,
                comment="of the window it belongs to; of labels, when they were given",
            ),
            sa.Column("version", sa.String(), nullable=False),
            sa.Column("rows", sa.BigInteger(), nullable=False),
            sa.Column(
                "matched",
                sa.BigInteger(),
                nullable=False,
                comment="rows that found their other half",
            ),
            sa.Column(
                "hashes",
                sa.LargeBinary(),
                nullable=False,
                comment="64 bits of each id, little-endian, in the order of content",
            ),
            sa.Column("content", sa.LargeBinary(), nullable=False),
            sa.Column(
                "joined",
                sa.Integer(),
                nullable=False,
                comment="1 once what it says is in the windows",
            ),
            sa.Column(
                "removed",
                sa.Integer(),
                nullable=False,
                comment="1 when its object no longer says so, until that is dealt with",
            ),
        ),
        comment=(
            "Rows kept for what comes later by id: predictions for labels, requests and "
            "responses for each other."
        ),
    )
    op.create_index("waiting_by_state", "waiting", ["model", "role", "joined", "removed"])
    op.create_index("waiting_by_start", "waiting", ["model", "role", "start"])
    op.create_index("waiting_by_object", "waiting", ["object_id", "piece"])
    if op.get_bind().dialect.name == "postgresql":
        _as_on_sqlite()


def _as_on_sqlite() -> None:
    """Make PostgreSQL order text by its bytes, as SQLite does, and allow URIs of any length.

    It runs last, so that it reaches every table.
    """
    comment = "since it was judged: 1 when rows came, 2 when only labels did"
    op.alter_column("windows", "dirty", existing_type=sa.Integer(), comment=comment)
    inspector = sa.inspect(op.get_bind())
    op.drop_index("objects_by_uri", "objects")
    op.create_index("objects_by_uri_hash", "objects", ["uri"], postgresql_using="hash")
    for table in inspector.get_table_names():
        for column in inspector.get_columns(table):
            kind = column["type"]
            if isinstance(kind, sa.String) and kind.collation != "C" and table != "alembic_version":
                plain = sa.Text if isinstance(kind, sa.Text) else sa.String
                op.alter_column(table, column["name"], type_=plain(collation="C"))

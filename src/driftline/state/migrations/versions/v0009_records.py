"""Records of models, and the models that a pattern of the configuration has.

Do not change a released migration: add a new one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from driftline.state.text_columns import NulSafeString, NulSafeText

revision = "0009"
down_revision = "0008"

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add two tables."""
    op.create_table(
        "records",
        *(
            sa.Column("id", ID, primary_key=True, autoincrement=True),
            sa.Column("model", NulSafeString(), nullable=False),
            sa.Column(
                "kind", NulSafeString(), nullable=False, comment="model, version, alias, event ..."
            ),
            sa.Column(
                "name", NulSafeString(), nullable=False, comment="empty for the model itself"
            ),
            sa.Column(
                "revision",
                sa.Integer(),
                nullable=False,
                comment="1, 2, ...; the highest one counts",
            ),
            sa.Column("at", sa.BigInteger(), nullable=False, comment="when it was written"),
            sa.Column(
                "way", NulSafeString(), nullable=False, comment="config, cli, http, python, import"
            ),
            sa.Column("author", NulSafeText(), nullable=False, default=""),
            sa.Column("reason", NulSafeText(), nullable=False, default=""),
            sa.Column("happened", sa.BigInteger(), comment="when an event happened"),
            sa.Column(
                "body", NulSafeText(), comment="the fields as JSON; NULL where it was deleted"
            ),
        ),
        sa.UniqueConstraint("model", "kind", "name", "revision"),
        comment="What people and programs say of the models: a row for each change, none is "
        "changed.",
    )
    op.create_index("records_by_time", "records", ["model", "kind", "happened"])
    op.create_table(
        "discovered_models",
        *(
            sa.Column("pattern", NulSafeString(), primary_key=True),
            sa.Column(
                "part", NulSafeString(), primary_key=True, comment="the text of the placeholder"
            ),
            sa.Column("first_seen", sa.BigInteger(), nullable=False),
            sa.Column("last_seen", sa.BigInteger(), nullable=False),
        ),
        comment="The folders for which a pattern of the configuration has a model each.",
    )

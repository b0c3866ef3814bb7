"""What each reference counts rows with, so that windows of an earlier one can be measured again.

Do not change a released migration: add a new one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from driftline.state.text_columns import NulSafeText

revision = "0012"
down_revision = "0011"

FIELDS = ("spec", "schema_json", "columns_json")


def upgrade() -> None:
    """Add three columns, and fill them for the current references."""
    comment = "what its windows are counted with; null before 0012"
    op.add_column("reference_profiles", sa.Column("spec", sa.LargeBinary(), comment=comment))
    for name, default in (("schema_json", ""), ("columns_json", "[]")):
        op.add_column(
            "reference_profiles",
            sa.Column(name, NulSafeText(), nullable=False, server_default=default),
        )
    models = sa.table("models", *(sa.column(name) for name in ("reference_id", *FIELDS)))
    references = sa.table("reference_profiles", *(sa.column(name) for name in ("id", *FIELDS)))
    is_current = models.c.reference_id == references.c.id
    values = {
        name: sa.select(models.c[name]).where(is_current).limit(1).scalar_subquery()
        for name in FIELDS
    }
    op.execute(
        references.update()
        .where(sa.exists().where(is_current))
        .values({references.c[name]: value for name, value in values.items()})
    )

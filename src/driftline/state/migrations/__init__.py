"""Alembic migrations: they run at start, forwards only."""

HEAD = "0005"
"""The newest version; a database that has it needs no look at the others."""

"""Alembic migrations: they run at start, forwards only."""

HEAD = "0004"
"""The newest version; a database that has it needs no look at the others."""

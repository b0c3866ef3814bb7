"""Alembic migrations of the database; they run at start and only forwards."""

HEAD = "0012"
"""The newest version of the database."""

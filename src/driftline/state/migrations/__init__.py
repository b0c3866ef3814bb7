"""Alembic migrations of the database; they run at start and only forwards."""

HEAD = "0011"
"""The newest version of the database."""

"""Alembic migrations: they run at start, forwards only."""

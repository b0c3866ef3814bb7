"""The store: one SQLite file, or PostgreSQL by URL. One transaction per step."""

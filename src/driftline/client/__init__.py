"""Reads the state of an agent from Python, as tables. Never writes."""

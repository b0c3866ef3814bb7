"""Compares two tables: reads both, profiles them on one grid, and judges them without a past."""

"""Differences between the decisions for one group and those for all others."""

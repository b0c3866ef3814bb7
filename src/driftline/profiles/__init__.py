"""Mergeable summaries of rows. Pure: no IO, no clock, no configuration."""

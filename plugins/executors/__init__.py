"""The sources that ship with driftline."""

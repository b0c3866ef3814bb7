"""Actions that ship with driftline."""

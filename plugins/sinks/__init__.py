"""The sinks that ship with driftline."""

"""The checks that ship with driftline."""

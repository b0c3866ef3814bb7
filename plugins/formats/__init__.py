"""The formats that ship with driftline."""

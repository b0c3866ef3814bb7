"""Pure functions on numpy arrays: no IO, no clock, no configuration."""

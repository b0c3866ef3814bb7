"""Errors of a cloud's SDK as driftline's errors: one module per cloud."""

"""Metrics and logs of the agent itself."""

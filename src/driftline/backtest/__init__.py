"""Stored history, judged again: which alarms there would have been."""

"""Draws charts from data: backtests and incidents."""

"""Delivers messages to their receivers: routes, rendering, network, one worker for each sink."""

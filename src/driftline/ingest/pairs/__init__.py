"""Requests and responses that were logged apart, matched by id."""

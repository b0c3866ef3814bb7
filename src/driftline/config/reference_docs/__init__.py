"""Writes the reference pages, the full example and the JSON Schema."""

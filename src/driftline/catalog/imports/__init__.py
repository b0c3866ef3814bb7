"""Reads what other registries know of a model as records: each file one kind of documents."""

"""Names the ledger that the labels of a model have."""

from __future__ import annotations


def label_ledger(model: str) -> str:
    """Return the name of the ledger of labels; the name of a model has no # in it."""
    return f"{model}#labels"

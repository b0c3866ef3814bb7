"""Reads the bound out of the reasons that earlier versions stored.

Those versions stored no bound beside the reason; this version does, and reads no sentence.
"""

from __future__ import annotations

import re

from driftline.types.model import Bound, BoundSide

_BOUND_TEXT = re.compile(r"\b(above|below) (-?[0-9][0-9.,]*(?:e[+-]?[0-9]+)?)")


def parse_earlier_bound(reason: str) -> Bound | None:
    """Read the bound from the reason that an earlier version stored; None if it holds no bound."""
    match = _BOUND_TEXT.search(reason)
    try:
        value = float(match[2].rstrip(".,").replace(",", "")) if match else None
    except ValueError:
        value = None
    return None if match is None or value is None else Bound(BoundSide(match[1]), value)

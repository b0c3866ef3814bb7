"""Labels as canonical text: the same labels give the same text, in every part of driftline."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache


def labels_json(labels: Mapping[str, str]) -> str:
    """Encode labels as canonical text."""
    pairs = tuple(labels.items())
    return _labels_json(pairs if len(pairs) < 2 else tuple(sorted(pairs)))


@lru_cache(maxsize=20_000)
def _labels_json(labels: tuple[tuple[str, str], ...]) -> str:
    return json.dumps(dict(labels), ensure_ascii=False, separators=(",", ":"))

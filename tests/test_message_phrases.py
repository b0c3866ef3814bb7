"""Phrases that readers of messages stumbled over are in no text that driftline can write."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PHRASES = re.compile(r"would be seen|odds about|against chance|quality trouble", re.IGNORECASE)
PLACES = [
    *(ROOT / "src" / "driftline").rglob("*.py"),
    *(ROOT / "src" / "driftline").rglob("*.j2"),
    *(ROOT / "src" / "driftline").rglob("*.html"),
    *(ROOT / "plugins").rglob("*.py"),
    *(ROOT / "tests" / "sinks" / "golden").iterdir(),
    *(ROOT / "docs").rglob("*.md"),
]


def test_no_source_holds_a_phrase_that_readers_stumbled_over() -> None:
    """Neither the sources and templates, nor the stored messages, nor the documentation."""
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in PLACES
        for match in PHRASES.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_no_stored_message_has_a_bound_on_what_is_over() -> None:
    """A resolved finding says how it is now, not what it was compared with."""
    golden = ROOT / "tests" / "sinks" / "golden"
    resolved = [path for path in golden.iterdir() if "resolved" in path.name]
    assert resolved
    assert [path.name for path in resolved if "(limit" in path.read_text(encoding="utf-8")] == []

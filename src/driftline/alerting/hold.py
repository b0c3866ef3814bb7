"""Why nobody is told of a change: what holds it, and the words for people.

Refuses to decide: `quiet` and `telling` do.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class By(StrEnum):
    """What holds."""

    SNOOZE = "snooze"
    SILENCE = "silence"
    MUTE_TIME = "mute time"
    INHIBITION = "inhibition"
    ACKNOWLEDGED = "acknowledged"
    CAP = "cap"
    DIGEST = "digest"
    UNTOLD = "untold"


@dataclass(frozen=True, slots=True)
class Hold:
    """One change that is held."""

    by: By
    text: str
    """Why, as the history says it."""

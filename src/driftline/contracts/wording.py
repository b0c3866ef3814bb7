"""How the measurements of a check read in messages: declared by the check, used for all outputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from driftline.types.notification import AlertFact


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How alerts about one measurement read. Each part has a default."""

    noun: str = ""
    """What people call the number, such as `PSI`; the measurement's name with spaces when empty."""
    sentence: Callable[[AlertFact], str] | None = None
    """Returns a sentence, as plain text, that replaces `noun value (was value)`.

    If it returns an empty text, or raises, the usual sentence stays.
    """
    hides_value: bool = False
    """Whether the sentence shows other numbers than the value.

    The value's interval is then left out.
    """

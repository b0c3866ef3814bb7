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
    meaning: str = ""
    """What the number says, in one sentence for people who do not know it: reports explain it."""
    sentence: Callable[[AlertFact], str] | None = None
    """Returns a sentence, as plain text, that replaces `noun value (was value)`.

    If it returns an empty text, or raises, the usual sentence stays.
    """
    past: Callable[[AlertFact], str] | None = None
    """Returns what was wrong, for the message at the end: `it was missing in 36% of rows`.

    If it returns an empty text, or raises, the text is `noun was value`.
    """
    hides_value: bool = False
    """Whether the sentence shows other numbers than the value.

    The value's interval is then left out. The interval of the number that is shown may stand in the
    measurement's detail, as `shown_low` and `shown_high`.
    """
    advice: Callable[[AlertFact], str] | None = None
    """Returns what to do first, as a short sentence: the second line of a message.

    If it returns an empty text, or raises, the advice is that of the check's family.
    """

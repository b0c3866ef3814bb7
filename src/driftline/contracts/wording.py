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
    headline: Callable[[AlertFact], str] | None = None
    """Returns the finding for the first line of a message: what broke, now and usually.

    It is plain text without the name of the column, in words of someone who does not know the
    check, and both numbers have the same unit: `missing in 36% of rows (usually 0%)`. If it returns
    an empty text, or raises, the sentence stands there, else `noun fell from 0.85 to 0.73`.
    """
    extent: Callable[[AlertFact], str] | None = None
    """Returns how much is affected: `about 140 of 400 rows, usually none`.

    It stands behind the severity. If it returns an empty text, or raises, the rows behind a share
    are counted, and other numbers are compared with the usual one in percent.
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

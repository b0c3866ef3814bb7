"""The pieces of one message for a sink: in its markup, escaped, and within its limits.

Does not arrange the pieces: the sink does, as its service needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Markup = Literal["plain", "mrkdwn", "markdown", "html", "json"]
"""The markup of a service: none, Slack's `mrkdwn`, Markdown, HTML, or content of a JSON string."""
Piece = Literal["title", "lead", "finding", "more", "known", "todo", "links", "context", "body"]
LIMITS: Mapping[str, int] = {
    "title": 160,
    "lead": 700,
    "finding": 600,
    "more": 80,
    "known": 1500,
    "todo": 1500,
    "links": 2000,
    "context": 600,
    "body": 8000,
}
"""The most characters of each piece, unless a sink has limits of its own."""
MOST = 20
"""The most findings that are shown one by one; further ones are only counted."""
COLOURS = {
    "critical": "#d92d20",
    "warning": "#f79009",
    "info": "#2e90fa",
    "resolved": "#12b76a",
    "test": "#667085",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One notification as text. A piece without content is empty."""

    tone: str
    """`critical`, `warning` or `info`; `resolved` and `test` for messages of these kinds."""
    title: str
    """The line for a lock screen: severity, model, what changed, how much, since when."""
    lead: str
    """Since when, whether it goes on, and how bad it is; a line each."""
    findings: tuple[str, ...]
    """One line for each finding, most important first: the numbers with their intervals."""
    more: Callable[[int], str] = field(repr=False)
    """Gives `and 12 more` for a number of shown findings; empty if these are all."""
    known: str
    """What it has cost, likely cause, owners and other facts from plugins, a line each."""
    todo: str
    """What to do, as one numbered list: first the advice, at the end how to see the numbers."""
    links: str
    """Links to more details, a line each."""
    context: str
    """What the numbers rest on: window, rows, reference, version, incident."""
    body: str
    """All pieces, for services that take one text."""
    buttons: tuple[tuple[str, str], ...] = ()
    """The links as name and address, without markup, for services with fields for them."""

    @property
    def colour(self) -> str:
        """Return the colour of the tone as `#rrggbb`."""
        return COLOURS[self.tone]

    def parts(
        self, limit: int, size: Callable[[str], int] = len, bullet: str = ""
    ) -> dict[str, str]:
        """Return lead, todo, known, findings and context within `limit` in all, measured by `size`.

        For services with one limit for a message. A third of it is reserved for the findings. A
        piece without room is empty.
        """
        pieces, room = dict.fromkeys(("lead", "todo", "known", "findings", "context"), ""), limit
        for name in ("lead", "todo", "known", "context"):
            text = getattr(self, name)
            if room - size(text) >= limit // 3:
                pieces[name], room = text, room - size(text)
        pieces["findings"] = self.list_findings(room, bullet=bullet, size=size)
        return pieces

    def list_findings(
        self, limit: int, most: int = MOST, bullet: str = "", size: Callable[[str], int] = len
    ) -> str:
        """Return the findings as lines, then the number of further ones.

        At most `most` lines, and at most `limit` in all, measured by `size`.
        """
        lines: list[str] = []
        room = limit - max(LIMITS["more"], size(self.more(0)))
        for line in self.findings[:most]:
            room -= size(f"{bullet}{line}\n")
            if room < 0:
                break
            lines.append(bullet + line)
        remaining = self.more(len(lines))
        return "\n".join([*lines, remaining] if remaining else lines)

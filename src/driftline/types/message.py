"""What a sink is given to say: the pieces of one message, already in its markup, escaped and within
its limits.

Refuses to arrange them: which piece stands where is the sink's business, and all that it has to
know of its service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Markup = Literal["plain", "mrkdwn", "markdown", "html", "json"]
"""How a service wants its text: as it is, Slack's `mrkdwn`, Markdown, HTML, or within the quotes of
a JSON text.
"""
Piece = Literal["title", "lead", "finding", "more", "known", "todo", "links", "context", "body"]
LIMITS: Mapping[str, int] = {
    "title": 160,
    "lead": 500,
    "finding": 600,
    "more": 80,
    "known": 1500,
    "todo": 1000,
    "links": 2000,
    "context": 600,
    "body": 8000,
}
"""Characters of each piece where a sink asks for no others."""
MOST = 20
"""Findings shown one by one; the rest is counted."""
COLOURS = {
    "critical": "#d92d20",
    "warning": "#f79009",
    "info": "#2e90fa",
    "resolved": "#12b76a",
    "test": "#667085",
}


@dataclass(frozen=True, slots=True)
class Message:
    """One notification as text. A piece is empty where there is nothing to say."""

    tone: str
    """`critical`, `warning` or `info`; `resolved` and `test` for messages of these kinds."""
    title: str
    """For a lock screen: how severe, model, what changed, how big, since when."""
    lead: str
    """One sentence: what happened, since when, how sure it is."""
    findings: tuple[str, ...]
    """One line for each subject, most telling first."""
    more: Callable[[int], str] = field(repr=False)
    """`and 12 more` for a number of findings shown; empty when these are all."""
    known: str
    """Likely cause, cost so far, owners, and what else plugins know: a line each."""
    todo: str
    """What to do: the decision where there is one, the runbook, how to look closer; a line each."""
    links: str
    """Where to read on: a line each."""
    context: str
    """What the numbers rest on: window, rows, reference, version, incident."""
    body: str
    """All of it, for services that take one text."""
    buttons: tuple[tuple[str, str], ...] = ()
    """The same links, name and address, without markup and unescaped, for services with fields for
    them.
    """

    @property
    def colour(self) -> str:
        """`#rrggbb`, by tone."""
        return COLOURS[self.tone]

    def parts(
        self, limit: int, size: Callable[[str], int] = len, bullet: str = ""
    ) -> dict[str, str]:
        """Lead, findings, known, todo and context, as many as come to `limit` by `size`: the
        findings take what is left.

        A piece for which there is no room is empty; a third is kept for the findings. For services
        with a bound for all.
        """
        kept, room = dict.fromkeys(("lead", "findings", "known", "todo", "context"), ""), limit
        for name in ("lead", "todo", "known", "context"):
            text = getattr(self, name)
            if room - size(text) >= limit // 3:
                kept[name], room = text, room - size(text)
        kept["findings"] = self.listed(room, bullet=bullet, size=size)
        return kept

    def listed(
        self, limit: int, most: int = MOST, bullet: str = "", size: Callable[[str], int] = len
    ) -> str:
        """The findings as lines, at most `most` and `limit` by `size` in all, then how many more
        there are.
        """
        lines: list[str] = []
        room = limit - max(LIMITS["more"], size(self.more(0)))
        for line in self.findings[:most]:
            room -= size(f"{bullet}{line}\n")
            if room < 0:
                break
            lines.append(bullet + line)
        rest = self.more(len(lines))
        return "\n".join([*lines, rest] if rest else lines)

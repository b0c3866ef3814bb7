"""From a notification to a message: the pieces, from templates that can be read and replaced.

Refuses to lose a message to a template: one that fails gives way to the one that ships, and says so
in the log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from typing import Any

from driftline.contracts.context import Logger
from driftline.delivery.rendering.markup import DIALECTS, Dialect, Safe
from driftline.delivery.rendering.sandbox import Sandbox
from driftline.extensions.phrasebook import Line, Phrasebook, installed_phrasebook
from driftline.types import phrasing
from driftline.types.message import LIMITS, Markup, Message, Piece
from driftline.types.notification import AlertFact, Event, Notification

ADVICE = ("decision", "runbook")
"""Facts that say what to do; all others say what is known."""


@lru_cache
def shipped(piece: str) -> str:
    """The template of `piece` that ships."""
    return (
        files("driftline.delivery.rendering")
        .joinpath("templates", f"{piece}.j2")
        .read_text(encoding="utf-8")
    )


class Renderer:
    """Writes the messages of one sink, with templates of its own where it has some."""

    def __init__(
        self,
        templates: Mapping[str, str] | None = None,
        log: Logger | None = None,
        phrasebook: Phrasebook | None = None,
    ) -> None:
        """Use `templates` in place of those that ship, by piece.

        Without a `phrasebook` alerts read as the installed plugins say.
        """
        self._templates = dict(templates or {})
        self._log = log
        self._phrasebook = phrasebook

    @property
    def phrasebook(self) -> Phrasebook:
        """How alerts read."""
        return self._phrasebook or installed_phrasebook()

    def __call__(
        self,
        notification: Notification,
        markup: Markup = "plain",
        limits: Mapping[str, int] = LIMITS,
    ) -> Message:
        """The message in `markup`, each piece within its limit."""
        writing = _Writing(
            DIALECTS[markup], {**LIMITS, **limits}, self._templates, self._log, self.phrasebook
        )
        return writing.message(notification)

    def describe(self, alert: AlertFact) -> str:
        """One alert in a sentence, as plain text."""
        return self.phrasebook.lines([alert])[0].text


class _Writing:
    """One message being written."""

    def __init__(
        self,
        dialect: Dialect,
        limits: Mapping[str, int],
        templates: Mapping[str, str],
        log: Logger | None,
        phrasebook: Phrasebook,
    ) -> None:
        self._dialect = dialect
        self._phrasebook = phrasebook
        self._limits = limits
        self._templates = templates
        self._log = log
        self._sandbox = Sandbox(dialect, _functions(dialect))

    def message(self, told: Notification) -> Message:
        names = _names(told)

        def more(count: int) -> str:
            left = phrasing.count_hidden(told, count)
            return self._piece("more", {**names, "left": left}) if left else ""

        message = Message(
            tone=tone_of(told),
            title=self._piece("title", names),
            lead=self._piece("lead", names),
            findings=tuple(
                self._piece("finding", {**names, **_finding(line)})
                for line in self._phrasebook.lines(told.alerts)
            ),
            more=more,
            known=self._piece("known", names),
            todo=self._piece("todo", names),
            context=self._piece("context", names),
            body="",
            links=self._piece("links", names),
            buttons=tuple(phrasing.links(told).items()),
        )
        parts = {
            name: getattr(message, name)
            for name in ("title", "lead", "known", "todo", "links", "context")
        }
        parts["findings"] = message.list_findings(self._limits["body"] // 2)
        inner = {
            name: Safe(text.replace("\n", self._dialect.newline)) for name, text in parts.items()
        }
        return replace(message, body=self._piece("body", {**names, **inner}))

    def _piece(self, name: Piece, names: Mapping[str, Any]) -> str:
        own = self._templates.get(name)
        if own is not None:
            try:
                return self._fitted(name, own, names)
            except Exception as error:
                # Whatever an operator's template does, the message must go out.
                if self._log is not None:
                    self._log.warning(
                        "a template failed; the one that ships was used",
                        piece=name,
                        error=phrasing.clean(error),
                    )
        return self._fitted(name, shipped(name), names)

    def _fitted(self, name: Piece, source: str, names: Mapping[str, Any]) -> str:
        """The text, or as much as the limit allows, never cut within a form or an escape: it loses
        lines, or all its markup.
        """
        trusted = source == shipped(name)
        text, limit = self._sandbox.written(source, names, trusted), self._limits[name]
        if len(text) <= limit:
            return text
        if name == "body":
            return _whole_lines(text, limit)
        plain = DIALECTS["plain"]
        return self._dialect.cut(
            Sandbox(plain, _functions(plain)).written(source, names, trusted), limit
        )


def tone_of(told: Notification) -> str:
    """The tone of a message."""
    return told.event.value if told.event in (Event.RESOLVED, Event.TEST) else told.severity.value


def _whole_lines(text: str, limit: int) -> str:
    kept, size = [], 1
    for line in text.splitlines():
        size += len(line) + 1
        if size > limit:
            break
        kept.append(line)
    return "\n".join([*kept, "…"])


def _functions(dialect: Dialect) -> dict[str, Any]:
    return {
        "bold": lambda text: dialect.formed(dialect.strong, text),
        "italic": lambda text: dialect.formed(dialect.emphasis, text),
        "code": lambda text: dialect.formed(dialect.code, text),
        "link": lambda url, text="": dialect.linked(url, text),
        "moment": dialect.moment,
        "number": phrasing.number,
        "share": phrasing.share,
        "lasting": phrasing.lasting,
    }


def _names(told: Notification) -> dict[str, Any]:
    """What every template may use."""
    facts = phrasing.plugin_facts(told)
    low = {name.lower(): name for name in facts}
    decided = {
        alert.decision.value.replace("_", " "): None
        for alert in told.alerts
        if alert.decision is not None
    }
    advice = {"decision": ", ".join(decided)} if decided else {}
    advice |= {word: facts[low[word]] for word in ADVICE if word in low}
    return {
        "word": {Event.RESOLVED: "OK", Event.TEST: "TEST"}.get(
            told.event, told.severity.value.upper()
        ),
        "headline": phrasing.clean(told.title, LIMITS["title"]),
        "event": told.event.value,
        "severity": told.severity.value,
        "model": phrasing.clean(told.model, 60),
        "version": phrasing.clean(told.model_version, 60),
        "family": phrasing.families(told),
        "why": phrasing.clean(told.facts.get(phrasing.WHY, ""), 80),
        "since": told.since,
        "resolved_at": told.resolved_at,
        "lasted": phrasing.lasting(told.since, told.resolved_at) if told.resolved_at else "",
        "sure": phrasing.certainty(told),
        "told_before": told.sent_before,
        "advice": tuple(advice.items()),
        "facts": tuple((name, text) for name, text in facts.items() if name.lower() not in advice),
        "links": tuple(phrasing.links(told).items()),
        "rests_on": phrasing.context(told),
        "incident": phrasing.clean(told.incident, 80),
    }


def _finding(line: Line) -> dict[str, Any]:
    return {"subject": line.subject, "figures": line.parts, "state": line.state, "rows": line.rows}

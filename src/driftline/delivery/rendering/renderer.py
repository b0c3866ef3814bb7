"""Renders a notification to a message, from templates that users can replace, piece by piece.

A template of the user that fails is replaced by the one that ships, with a warning in the log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from importlib.resources import files
from typing import Any

from driftline.contracts.context import Logger
from driftline.delivery.links import ACCEPT, possible_acts
from driftline.delivery.rendering.markup import DIALECTS, Dialect, Safe
from driftline.extensions.advice import DECISIONS, column_names
from driftline.extensions.phrasebook import Line, Phrasebook, installed_phrasebook
from driftline.types import phrasing
from driftline.types.message import LIMITS, Markup, Message, Piece
from driftline.types.model import Decision
from driftline.types.notification import COST, AlertFact, Event, Notification

RECOMMENDED = "recommended"
"""The fact that names what checks recommend: retrain, roll back."""
ADVICE = (RECOMMENDED, "decision", "runbook")
"""Facts that say what to do; all others describe the incident."""


@lru_cache
def read_shipped_template(piece: str) -> str:
    """Read the template of `piece` that ships."""
    return (
        files("driftline.delivery.rendering")
        .joinpath("templates", f"{piece}.j2")
        .read_text(encoding="utf-8")
    )


class Renderer:
    """Renders the messages of one sink, with its own templates where it has some."""

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
        """Render a message in `markup`, each piece within its limit."""
        writer = _MessageWriter(
            dialect=DIALECTS[markup],
            limits={**LIMITS, **limits},
            templates=self._templates,
            log=self._log,
            phrasebook=self.phrasebook,
        )
        return writer.message(notification)

    def describe(self, alert: AlertFact) -> str:
        """One alert in a sentence, as plain text."""
        return self.phrasebook.lines([alert])[0].text


class _MessageWriter:
    """Renders one message."""

    def __init__(
        self,
        *,
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
        from driftline.delivery.rendering.sandbox import Sandbox  # loads Jinja

        self._sandbox = Sandbox(dialect, _functions(dialect))

    def message(self, notification: Notification) -> Message:
        names = _names(notification, self._phrasebook)

        def more(count: int) -> str:
            left = phrasing.count_hidden(notification, count)
            return self._piece("more", {**names, "left": left}) if left else ""

        message = Message(
            tone=tone_of(notification),
            title=self._piece("title", names),
            lead=self._piece("lead", names),
            findings=tuple(
                self._piece("finding", {**names, **_finding(line)})
                for line in self._phrasebook.lines(notification.alerts)
            ),
            more=more,
            known=self._piece("known", names),
            todo=self._piece("todo", names),
            context=self._piece("context", names),
            body="",
            links=self._piece("links", names),
            buttons=tuple(phrasing.links(notification).items()),
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
                return self._render_within_limit(name, own, names)
            except Exception as error:
                # Whatever a template of the user does, the message must be sent.
                if self._log is not None:
                    self._log.warning(
                        "a template failed; the one that ships was used",
                        piece=name,
                        error=phrasing.clean(error),
                    )
        return self._render_within_limit(name, read_shipped_template(name), names)

    def _render_within_limit(self, name: Piece, source: str, names: Mapping[str, Any]) -> str:
        """Render a piece; a text over the limit loses lines or its markup.

        It is never cut within a form or an escape.
        """
        from driftline.delivery.rendering.sandbox import Sandbox

        is_shipped = source == read_shipped_template(name)
        text, limit = self._sandbox.render(source, names, is_shipped), self._limits[name]
        if len(text) <= limit:
            return text
        if name == "body":
            return _whole_lines(text, limit)
        plain = DIALECTS["plain"]
        return self._dialect.cut(
            Sandbox(plain, _functions(plain)).render(source, names, is_shipped), limit
        )


def tone_of(notification: Notification) -> str:
    """The tone of a message."""
    return (
        notification.event.value
        if notification.event in (Event.RESOLVED, Event.TEST)
        else notification.severity.value
    )


def _whole_lines(text: str, limit: int) -> str:
    lines, size = [], 1
    for line in text.splitlines():
        size += len(line) + 1
        if size > limit:
            break
        lines.append(line)
    return "\n".join([*lines, "…"])


def _functions(dialect: Dialect) -> dict[str, Any]:
    return {
        "bold": lambda text: dialect.apply_form(dialect.strong, text),
        "italic": lambda text: dialect.apply_form(dialect.emphasis, text),
        "code": lambda text: dialect.apply_form(dialect.code, text),
        "name": lambda text: dialect.apply_form(dialect.name, text),
        "mark_names": dialect.mark_names,
        "link": lambda url, text="": dialect.make_link(url, text),
        "moment": dialect.moment,
        "number": phrasing.number,
        "share": phrasing.share,
        "lasting": phrasing.format_span_length,
    }


def _names(notification: Notification, phrasebook: Phrasebook) -> dict[str, Any]:
    """The names that every template may use."""
    next_step = phrasebook.advice(notification)
    facts = phrasing.plugin_facts(notification)
    low = {name.lower(): name for name in facts}
    decisions = {
        alert.decision: None
        for alert in notification.alerts
        if alert.decision is not None and alert.state != "resolved"
    }
    # A decision that a plugin has made replaces what checks recommend.
    recommended = [] if "decision" in low else list(decisions)
    words = ", ".join(decision.value.replace("_", " ") for decision in recommended)
    advice = {RECOMMENDED: words} if words else {}
    advice |= {word: facts[low[word]] for word in ADVICE if word in low}
    can_accept = "accept" in possible_acts(notification).values()
    return {
        "word": {Event.RESOLVED: "OK", Event.TEST: "TEST", Event.REPORT: "REPORT"}.get(
            notification.event, notification.severity.value.upper()
        ),
        "headline": phrasing.clean(notification.title, LIMITS["title"]),
        "event": notification.event.value,
        "severity": notification.severity.value,
        "model": phrasing.clean(notification.model, 60),
        "version": phrasing.clean(notification.model_version, 60),
        "family": phrasing.families(notification),
        "why": phrasing.clean(notification.reason_text, 80),
        "act": _act(notification),
        "next_step": next_step,
        "steps": _list_steps(next_step, recommended, advice, can_accept=can_accept),
        "extent": phrasebook.extent(notification),
        "level": notification.severity.rank + 1,
        "so_far": _so_far(notification),
        "columns": tuple(column_names(notification.alerts)),
        "can_accept": can_accept,
        "accept_url": phrasing.links(notification).get(ACCEPT, ""),
        "since": notification.since,
        "resolved_at": notification.resolved_at,
        "lasted": phrasing.format_span_length(notification.since, notification.resolved_at)
        if notification.resolved_at
        else "",
        "sure": phrasing.certainty(notification),
        "told_before": notification.sent_before,
        "advice": tuple(advice.items()),
        "cost": facts.get(COST, ""),
        "facts": tuple(
            (name, text)
            for name, text in facts.items()
            if name.lower() not in advice and name != COST
        ),
        "links": tuple(phrasing.links(notification).items()),
        "rests_on": phrasing.context(notification),
        "incident": phrasing.clean(notification.incident, 80),
    }


def _list_steps(
    next_step: str,
    recommended: Sequence[Decision],
    advice: Mapping[str, str],
    *,
    can_accept: bool,
) -> tuple[tuple[str, str], ...]:
    """What to do, in order, as pairs of kind and text.

    The kinds are `advice`, a fact that is advice (`decision`, `runbook`), `accept` and `numbers`.
    """
    sentences = dict.fromkeys([next_step, *(DECISIONS[decision] for decision in recommended)])
    steps = [("advice", text) for text in sentences if text]
    steps += [(name, text) for name, text in advice.items() if name != RECOMMENDED]
    steps += [("accept", "")] if can_accept else []
    return (*steps, ("numbers", ""))


def _so_far(notification: Notification) -> str:
    """How long the incident has lasted at the end of the newest window; empty if not known."""
    if notification.window is None or notification.window[1] <= notification.since:
        return ""
    return phrasing.format_span_length(notification.since, notification.window[1])


def _act(notification: Notification) -> str:
    """What people or the agent did to the incident, as a sentence; empty for what was found."""
    if notification.event not in (Event.ACKNOWLEDGED, Event.SILENCED, Event.REOPENED):
        return ""
    why = phrasing.clean(notification.reason_text, 80)
    return f"{why[:1].upper()}{why[1:]}." if why else ""


def _finding(line: Line) -> dict[str, Any]:
    return {"subject": line.subject, "figures": line.parts, "state": line.state, "rows": line.rows}
